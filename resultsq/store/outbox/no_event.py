"""The row of `events` for submissions that belong to no event. It is made when the first of them comes."""

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.store.engine.tables import NO_EVENT, Event


def ensure_no_event(conn: Connection, now: datetime) -> int:
    """The id of the row that stands for no event; it is made where it is missing."""
    insert_ = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = {"id": NO_EVENT, "slug": "", "name": "", "time_zone": "UTC", "shows_results": False, "created_at": now}
    conn.execute(insert_(Event).values(row).on_conflict_do_nothing())
    return NO_EVENT
