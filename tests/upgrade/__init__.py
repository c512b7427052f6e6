"""The version before this one and this one on one database, in turns under seeds."""
