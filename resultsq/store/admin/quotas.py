"""How much each event has handed in today, so that a flood of one fills no disk. A day is UTC's.

One row an event, brought up to date by one statement: the cost grows with nothing that is stored."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import Connection, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import Event, EventDay

_NOTED_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Used:
    """What an event has handed in on a day."""

    submissions: int
    bytes: int


def use(conn: Connection, now: datetime, event_id: int, size: int) -> Used:
    """Count one more submission of so many bytes; what the event has used today with it. Its row stays locked until
    the transaction ends, so do this last."""
    values = {"event_id": event_id, "day": _day(now), "submissions": 1, "bytes": size}
    row = _USE[conn.dialect.name].one(conn, values)
    return Used(row.submissions, row.bytes)


def note_refusal(conn: Connection, now: datetime, event_id: int) -> None:
    """Remember that the event reached its quota; once a minute is enough."""
    before = or_(EventDay.refused_at.is_(None), EventDay.refused_at < now - _NOTED_FOR)
    conn.execute(update(EventDay).where(EventDay.event_id == event_id, before).values(refused_at=now))


def refused(conn: Connection, now: datetime) -> list[str]:
    """The events that reached their quota today, by slug."""
    query = select(Event.slug).join(EventDay, EventDay.event_id == Event.id)
    return list(conn.execute(query.where(EventDay.refused_at >= _midnight(now)).order_by(Event.slug)).scalars())


def left_s(now: datetime) -> int:
    """Seconds until the next day begins, and with it the next quota."""
    return int((_midnight(now) + timedelta(days=1) - now).total_seconds()) + 1


def _day(now: datetime) -> str:
    return now.date().isoformat()


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.date(), time(), now.tzinfo)


def _counted(insert: type[postgresql.Insert] | type[sqlite.Insert]) -> PreparedStatement:
    new = insert(EventDay)
    same = EventDay.day == new.excluded.day
    counted = {
        "day": new.excluded.day,
        "submissions": case((same, EventDay.submissions), else_=0) + new.excluded.submissions,
        "bytes": case((same, EventDay.bytes), else_=0) + new.excluded.bytes,
    }
    return PreparedStatement(
        new.on_conflict_do_update(index_elements=["event_id"], set_=counted).returning(
            EventDay.submissions, EventDay.bytes
        )
    )


_USE = {"postgresql": _counted(postgresql.Insert), "sqlite": _counted(sqlite.Insert)}
