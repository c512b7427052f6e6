"""The database itself: tables, sessions, migrations and what differs between SQLite and PostgreSQL."""
