"""What copies of the list of athletes there are: one is begun beside the one in use, put in use when it is whole, kept
up to date, and forgotten. Each function is a piece of a short transaction; `rows` writes and deletes the athletes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.domain.clock_steps import passed
from resultsq.store.engine.tables import AthleteCopy, AthletesState

FEED = "feed"
IMPORT = "import"

LEASE_S = 30.0
"""How long the process that loads may be silent before another one goes on."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy: where it came from, where its next change begins, and as of when it is. `events` empty: of all."""

    generation: int
    source: str
    events: tuple[str, ...]
    handle: str
    after: str
    etag: str
    begun_at: datetime
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the master's list, and the tag of the answer that led there."""

    handle: str
    after: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ListState:
    """The copy in use, the one being loaded, and the result of the last try."""

    current: Copy | None
    loading: Copy | None
    leased_by: str | None
    leased_until: datetime | None
    tried_at: datetime | None
    next_at: datetime | None
    wait_s: float
    error: str | None


class LeaseLost(Exception):
    """Another process has taken over."""


NOTHING = ListState(None, None, None, None, None, None, 0.0, None)


def state(conn: Connection) -> ListState:
    """What there is."""
    row = conn.execute(_STATE).first()
    if row is None:
        return NOTHING
    return ListState(
        _copy(conn, row.current),
        _copy(conn, row.loading),
        row.leased_by,
        row.leased_until,
        row.tried_at,
        row.next_at,
        row.wait_s,
        row.error,
    )


_STATE = select(AthletesState)


def _copy(conn: Connection, generation: int | None) -> Copy | None:
    if generation is None:
        return None
    row = conn.execute(select(AthleteCopy).where(AthleteCopy.generation == generation)).first()
    if row is None:  # it was deleted since
        return None
    events = tuple(row.events.split(",")) if row.events else ()
    return Copy(generation, row.source, events, row.handle, row.after, row.etag, row.begun_at, row.as_of)


# who loads


def take_lease(conn: Connection, now: datetime, holder: str) -> bool:
    """Become, or stay, the one process that loads; False: another one does."""
    conn.execute(_make(conn, AthletesState).values(id=1, wait_s=0.0).on_conflict_do_nothing())
    row = conn.execute(select(AthletesState).with_for_update()).one()
    if row.leased_by not in (None, holder) and not passed(row.leased_until, LEASE_S, now):
        return False
    _note(conn, leased_by=holder, leased_until=now + timedelta(seconds=LEASE_S))
    return True


def renew_lease(conn: Connection, now: datetime, holder: str) -> None:
    """Stay it.

    :raises LeaseLost: another process loads by now; nothing of this transaction may stay"""
    until = now + timedelta(seconds=LEASE_S)
    held = conn.execute(update(AthletesState).where(AthletesState.leased_by == holder).values(leased_until=until))
    if not held.rowcount:
        raise LeaseLost


def give_lease_back(
    conn: Connection, now: datetime, holder: str, wait_s: float | None = None, error: str | None = None
) -> None:
    """Let another one load. `wait_s`: the next try is due so long from now; None: as soon as it may be."""
    values: dict[str, object] = {"leased_by": None, "leased_until": None}
    if wait_s is not None:
        due = now + timedelta(seconds=wait_s)
        values |= {"tried_at": now, "next_at": due, "wait_s": wait_s, "error": error}
    conn.execute(update(AthletesState).where(AthletesState.leased_by == holder).values(values))


def ask_now(conn: Connection) -> None:
    """The next try is due at once."""
    _note(conn, next_at=None)


def _note(conn: Connection, **values: object) -> None:
    conn.execute(update(AthletesState).values(values))


# a copy's way


def begin(conn: Connection, now: datetime, source: str, events: Sequence[str] = ()) -> Copy:
    """Begin a copy beside the one in use. One that was being loaded until now is old."""
    values = {"source": source, "events": ",".join(events), "begun_at": now, "handle": "", "after": "", "etag": ""}
    generation = conn.execute(insert(AthleteCopy).returning(AthleteCopy.generation), values).scalar_one()
    _note(conn, loading=generation)
    return Copy(generation, source, tuple(events), "", "", "", now, None)


def advance(conn: Connection, copy: Copy, place: Place, as_of: datetime | None = None) -> Copy:
    """Note that all before this place is written. `as_of`: this was the end of the list, as it was then; a copy that
    was being loaded is in use from now on."""
    values: dict[str, Any] = {"handle": place.handle, "after": place.after, "etag": place.etag}
    if as_of is not None:
        values["as_of"] = as_of
    conn.execute(update(AthleteCopy).where(AthleteCopy.generation == copy.generation).values(values))
    if as_of is not None:
        loaded = AthletesState.loading == copy.generation
        conn.execute(update(AthletesState).where(loaded).values(current=copy.generation, loading=None))
    return replace(copy, handle=place.handle, after=place.after, etag=place.etag, as_of=as_of or copy.as_of)


def abandon(conn: Connection, copy: Copy) -> None:
    """Give up the copy that is being loaded."""
    conn.execute(update(AthletesState).where(AthletesState.loading == copy.generation).values(loading=None))


def forget(conn: Connection, before: datetime) -> bool:
    """Take the copy out of use if it was not confirmed since then; whether there was one."""
    found = state(conn).current
    if found is None or found.as_of is None or found.as_of >= before:
        return False
    _note(conn, current=None)
    return True


def has_old(conn: Connection, found: ListState) -> bool:
    """Whether there are copies to delete."""
    kept = [copy.generation for copy in (found.current, found.loading) if copy is not None]
    return conn.execute(_OLD, {"kept": kept}).first() is not None


_OLD = select(AthleteCopy.generation).where(AthleteCopy.generation.not_in(bindparam("kept", expanding=True))).limit(1)


def _make(conn: Connection, table: Any) -> Any:
    """An INSERT that may say what to do where the row is there."""
    return (postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert)(table)
