"""Which kinds of which events the master refuses our credentials for (403): of each of these one submission is tried
each minute, and the others go on."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.domain.link import REFUSED_WAIT_S
from resultsq.store.engine.columns import by_code_point
from resultsq.store.engine.tables import Event, Refusal

KindAndEvent = tuple[str, int]
_THIS = (Refusal.kind == bindparam("_kind"), Refusal.event_id == bindparam("_event"))
_TRIED = update(Refusal).where(*_THIS).values(next_at=bindparam("_next_at"))
_OVER = delete(Refusal).where(*_THIS)


def refuse(conn: Connection, now: datetime, kind: str, event_id: int) -> None:
    """The master has just refused our credentials for these."""
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    next_at = now + timedelta(seconds=REFUSED_WAIT_S)
    conn.execute(
        insert(Refusal)
        .values(kind=kind, event_id=event_id, refused_at=now, next_at=next_at)
        .on_conflict_do_update(index_elements=[Refusal.kind, Refusal.event_id], set_={"next_at": next_at})
    )


def tried(conn: Connection, now: datetime, which: Collection[KindAndEvent]) -> None:
    """One of each of these is tried now: the next one in a minute."""
    if which:
        next_at = now + timedelta(seconds=REFUSED_WAIT_S)
        conn.execute(_TRIED, [{"_kind": kind, "_event": event, "_next_at": next_at} for kind, event in sorted(which)])


def welcome(conn: Connection, which: Collection[KindAndEvent]) -> None:
    """The master takes these again."""
    if which:
        conn.execute(_OVER, [{"_kind": kind, "_event": event} for kind, event in sorted(which)])


def forget_all(conn: Connection) -> None:
    """The credentials are others: all may be tried at once."""
    conn.execute(delete(Refusal))


def refused_events(conn: Connection) -> list[str]:
    """The events that the master refuses something of, by slug."""
    query = select(Event.slug).where(Event.id.in_(select(Refusal.event_id))).order_by(by_code_point(Event.slug))
    return list(conn.execute(query).scalars())


def count(conn: Connection) -> int:
    """Of how many events it refuses something."""
    return conn.execute(select(func.count(Refusal.event_id.distinct()))).scalar_one()


def is_refused(conn: Connection, kind: str, event_id: int) -> bool:
    """Whether the master refuses this kind of this event."""
    this = select(Refusal.kind).where(Refusal.kind == kind, Refusal.event_id == event_id)
    return conn.execute(this).first() is not None
