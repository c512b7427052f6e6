"""How much each event has handed in today, so that a flood of one fills no disk. A day is UTC's.

One row an event, brought up to date by one statement: the cost grows with nothing that is stored."""

from datetime import datetime, time, timedelta

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.store.engine.columns import by_code_point
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import Event, EventDay
from resultsq.store.outbox.day_counts import Used, counting, day_of

_NOTED_FOR = timedelta(minutes=1)


def use(conn: Connection, now: datetime, event_id: int, size: int) -> Used:
    """Count one more submission of so many bytes; what the event has used today with it. Its row stays locked until
    the transaction ends, so do this last."""
    values = {"event_id": event_id, "day": day_of(now), "submissions": 1, "bytes": size}
    row = _USE[conn.dialect.name].one(conn, values)
    return Used(row.submissions, row.bytes)


def note_refusal(conn: Connection, now: datetime, event_id: int) -> None:
    """Remember that the event reached its quota; once a minute is enough."""
    before = or_(EventDay.refused_at.is_(None), EventDay.refused_at < now - _NOTED_FOR)
    conn.execute(update(EventDay).where(EventDay.event_id == event_id, before).values(refused_at=now))


def refused(conn: Connection, now: datetime) -> list[str]:
    """The events that reached their quota today, by slug."""
    query = select(Event.slug).join(EventDay, EventDay.event_id == Event.id)
    return list(
        conn.execute(query.where(EventDay.refused_at >= _midnight(now)).order_by(by_code_point(Event.slug))).scalars()
    )


def left_s(now: datetime) -> int:
    """Seconds until the next day begins, and with it the next quota."""
    return int((_midnight(now) + timedelta(days=1) - now).total_seconds()) + 1


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.date(), time(), now.tzinfo)


_USE = {
    "postgresql": PreparedStatement(counting(postgresql.insert(EventDay))),
    "sqlite": PreparedStatement(counting(sqlite.insert(EventDay))),
}
