"""Power cuts at each write and sync of the database, and pages that went bad on the disk."""
