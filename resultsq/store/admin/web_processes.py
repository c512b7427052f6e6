"""Which web processes are alive: each says so every few seconds."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from resultsq.store.engine.tables import WebProcess

FORGOTTEN = timedelta(days=1)
"""A process that ended without a word is forgotten after so long."""


def alive(conn: Connection, now: datetime, name: str) -> None:
    """This process answers."""
    if not conn.execute(update(WebProcess).where(WebProcess.name == name).values(seen_at=now)).rowcount:
        conn.execute(insert(WebProcess), {"name": name, "seen_at": now})
        conn.execute(delete(WebProcess).where(WebProcess.seen_at < now - FORGOTTEN))


def gone(conn: Connection, name: str) -> None:
    """This process has ended in good order."""
    conn.execute(delete(WebProcess).where(WebProcess.name == name))


def last_seen_at(conn: Connection) -> datetime | None:
    """When one of them was last alive; None: each that was has ended in good order."""
    return conn.execute(select(func.max(WebProcess.seen_at))).scalar_one()
