"""Adds up what the triggers noted of changes of state (PostgreSQL; on SQLite there is nothing to add)."""

from sqlalchemy import Connection, Integer, cast, delete, func, select
from sqlalchemy.dialects import postgresql

from resultsq.store.engine.tables import StateChange, StateCount

AT_ONCE = 20_000
_KEY = (StateChange.event_id, StateChange.destination, StateChange.kind, StateChange.state)


def any_left(conn: Connection) -> bool:
    """Whether there are changes to be added up."""
    return conn.execute(select(StateChange.id).limit(1)).first() is not None


def add_up(conn: Connection, most: int = AT_ONCE) -> None:
    """Add `most` of the changes to the figures. Two workers that do it at once take different changes, and the figures
    in the same order, so neither waits for the other in a circle."""
    some = select(StateChange.id).order_by(StateChange.id).limit(most).with_for_update(skip_locked=True)
    gone = delete(StateChange).where(StateChange.id.in_(some)).returning(*_KEY, StateChange.number).cte("gone")
    key = [gone.c[column.name] for column in _KEY]
    sums = select(*key, cast(func.sum(gone.c.number), Integer)).group_by(*key).order_by(*key)
    new = postgresql.insert(StateCount).from_select([*(column.name for column in _KEY), "number"], sums)
    number = StateCount.number + new.excluded.number
    conn.execute(new.on_conflict_do_update(index_elements=[column.name for column in _KEY], set_={"number": number}))
