"""Which workers are alive: each says so every few seconds."""

from datetime import datetime
from importlib.metadata import version

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from resultsq.store.engine.columns import by_code_point
from resultsq.store.engine.tables import Worker

ALIVE_S = 30.0
"""A worker that has not been seen for longer is not counted as alive."""


def alive(conn: Connection, now: datetime, name: str) -> None:
    """This worker lives."""
    if not conn.execute(_SEEN, {"_name": name, "_now": now}).rowcount:
        conn.execute(insert(Worker), {"name": name, "started_at": now, "seen_at": now, "version": version("resultsq")})


_SEEN = update(Worker).where(Worker.name == bindparam("_name")).values(seen_at=bindparam("_now"))


def gone(conn: Connection, name: str) -> None:
    """This worker has ended in good order."""
    conn.execute(delete(Worker).where(Worker.name == name))


def last_seen_at(conn: Connection) -> datetime | None:
    """When one of them was last alive; None: each that was has ended in good order."""
    return conn.execute(select(func.max(Worker.seen_at))).scalar_one()


def every(conn: Connection) -> list[tuple[str, datetime, datetime]]:
    """Name, start and last sign of life of each worker that did not say goodbye."""
    return [
        (w.name, w.started_at, w.seen_at) for w in conn.execute(select(Worker).order_by(by_code_point(Worker.name)))
    ]
