"""Whether the database can be written to now."""

from sqlalchemy import Connection, false, update

from resultsq.store.engine.tables import Event


def check_writable(conn: Connection) -> None:
    """Change nothing, and fail where nothing could be changed. Run it in `Database.write`."""
    conn.execute(update(Event).where(false()).values(name=Event.name))
