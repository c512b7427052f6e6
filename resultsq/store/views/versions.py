"""What a team asks of its own results: an event's versions, a sheet, its place in the queue. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from resultsq.domain.submission import GONE, State
from resultsq.store import outbox
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import Chain, Event, Original, Payload, Submission
from resultsq.store.engine.whole import demand_whole_file, is_whole
from resultsq.store.views import queries

KIND = "results"


@dataclass(frozen=True, slots=True)
class FileName:
    """A file as the team gave it, without its content. `name` is for that team's eyes and operators'."""

    id: int
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Version:
    """One submission of an event, for a list."""

    seq: int
    id: str
    date: str
    version: int
    state: State
    finishers: int
    submitted_by: str
    accepted_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConflictView:
    """The other sheet of a conflict. `other` None: the master's sheet could not be fetched, or there is none.
    `head` None: nothing is published there, and the master lost the version of the number `lost`, where we have it."""

    head: str | None
    revision: int | None
    other: bytes | None
    lost: int | None = None


_VERSION = (
    Submission.seq,
    Submission.id,
    Submission.date,
    Submission.version,
    Submission.state,
    Submission.finishers,
    Submission.submitted_by,
    Submission.accepted_at,
    Submission.published_at,
)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where the same finishers are."""

    event_id: int
    event: str
    date: str


def with_finishers(conn: Connection, digest: str, event_id: int, date: str) -> Elsewhere | None:
    """A sheet with these finishers for another date of the event, or else for another event; none that is given up."""
    if _ANY_WITH_FINISHERS.first(conn, {"digest": digest}) is None:
        return None
    row = _WITH_FINISHERS.first(conn, {"digest": digest, "event": event_id, "date": date})
    return None if row is None else Elsewhere(row.event_id, row.name, row.date)


def _one_with_finishers(place: int, there: ColumnElement[bool]) -> Select[Any]:
    one = (
        select(Submission.event_id, Submission.date, Event.name, literal_column(str(place)).label("place"))
        .join(Event, Event.id == Submission.event_id)
        .where(
            Submission.finishers_digest == bindparam("digest"),
            *(Submission.state != state for state in sorted([State.CORRECTED, *GONE])),
            there,
        )
        .limit(1)
        .subquery()
    )
    return select(one)


_EVENT = bindparam("event", type_=Integer)
_NEAREST = union_all(
    _one_with_finishers(0, and_(Submission.event_id == _EVENT, Submission.date != bindparam("date"))),
    _one_with_finishers(1, Submission.event_id != _EVENT),
).subquery()
# made ready: every acceptance asks, and so does every look at a draft
_ANY_WITH_FINISHERS = PreparedStatement(
    select(literal_column("1")).where(Submission.finishers_digest == bindparam("digest")).limit(1)
)
"""Nearly always there is none, and this question costs a quarter of the next one."""
_WITH_FINISHERS = PreparedStatement(select(_NEAREST).order_by(_NEAREST.c.place).limit(1))


def of_event(conn: Connection, event_id: int, limit: int, before_seq: int | None = None) -> list[Version]:
    """The event's submissions, newest first; `before_seq`: older than that one."""
    query = select(*_VERSION).where(Submission.event_id == event_id, Submission.kind == KIND)
    if before_seq is not None:
        query = query.where(Submission.seq < before_seq)
    return [_version(row) for row in conn.execute(query.order_by(Submission.seq.desc()).limit(limit))]


@dataclass(frozen=True, slots=True)
class LastSheet:
    """A sheet of an event that is published or may be."""

    date: str
    state: State
    body: bytes


def last_sheets(conn: Connection, event_id: int, limit: int) -> list[LastSheet]:
    """The sheets of the event's last submissions that may be published, newest first, but for damaged ones."""
    query = _last(event_id, limit, Payload.body).join(Payload, Payload.seq == Submission.seq)
    return [
        LastSheet(row.date, State(row.state), row.body) for row in conn.execute(query) if is_whole(row.body, row.digest)
    ]


@dataclass(frozen=True, slots=True)
class EventSheet:
    """One of the last sheets of an event. `body`: None where it lacks what is sought."""

    event_id: int
    date: str
    state: State
    body: bytes | None


def sheets_with(conn: Connection, event_ids: Sequence[int], each: int, sought: bytes) -> list[EventSheet]:
    """So many of the last sheets of each of these events, newest first, as `last_sheets` has them. One statement, and
    the database looks what is sought up in them: the sheets of twenty events are megabytes."""
    if not event_ids:
        return []
    of_these = {f"event_{place}": one for place, one in enumerate(event_ids)}
    query = _with_text(conn.dialect.name, len(event_ids))
    return [
        EventSheet(row.event_id, row.date, State(row.state), row.body)
        for row in conn.execute(query, {**of_these, "each": each, "sought": sought})
        if row.body is None or is_whole(row.body, row.digest)
    ]


@cache
def _with_text(make: str, events: int) -> Select[*tuple[Any, ...]]:
    """Made once for each number of events: to put it together takes as long as to execute it."""
    parts = [
        _last(bindparam(f"event_{place}", type_=Integer), bindparam("each", type_=Integer)) for place in range(events)
    ]
    last = union_all(*(select(one.subquery()) for one in parts)).subquery()
    place_of = func.instr if make == "sqlite" else func.pg_catalog.position
    body = case((place_of(Payload.body, bindparam("sought", type_=LargeBinary())) > 0, Payload.body))
    return select(last, body.label("body")).join(Payload, Payload.seq == last.c.seq).order_by(last.c.seq.desc())


def _last(event_id: Any, limit: Any, *more: Any) -> Select[*tuple[Any, ...]]:
    """The event's last submissions that may be published."""
    query = select(
        Submission.seq, Submission.event_id, Submission.date, Submission.state, Submission.digest, *more
    ).where(Submission.event_id == event_id, Submission.kind == KIND, Submission.state.not_in([*GONE, State.REJECTED]))
    return query.order_by(Submission.seq.desc()).limit(limit)


def written(conn: Connection, event_id: int, kind: str, limit: int) -> list[Version]:
    """The event's submissions of this kind, newest first."""
    lane = outbox.lane_of(event_id, kind)
    query = select(*_VERSION).where(Submission.lane.between(lane, lane))
    query = query.order_by(Submission.lane.desc(), Submission.seq.desc()).limit(limit)
    return [_version(row) for row in conn.execute(query)]


def undecided(conn: Connection, event_ids: Sequence[int], limit: int) -> list[tuple[int, Version]]:
    """Current versions of these events that were refused or clash, newest first, each with its event's id."""
    query = (
        select(Submission.event_id, *_VERSION)
        .join(Chain, Chain.id == Submission.chain_id)
        .where(
            Submission.event_id.in_(event_ids),
            Submission.published_at.is_(None),  # a small index has these alone
            Submission.state.in_([State.REJECTED, State.CONFLICT]),
            Submission.kind == KIND,
            Chain.head == Submission.id,
        )
        .order_by(Submission.seq.desc())
        .limit(limit)
        # without figures of what there is, SQLite takes the index of published_at, and reads all that waits
        .with_hint(Submission, "INDEXED BY ix_submissions_open", "sqlite")
    )
    found = []
    for row in conn.execute(query):
        values = row._asdict()
        event_id = values.pop("event_id")
        found.append((event_id, Version(**{**values, "state": State(values["state"])})))
    return found


def of_date(conn: Connection, event_id: int, date: str) -> list[Version]:
    """All versions of one event and date, newest first."""
    query = select(*_VERSION).join(Chain, Chain.id == Submission.chain_id)
    query = query.where(Chain.kind == KIND, Chain.event_id == event_id, Chain.subject == date)
    return [_version(row) for row in conn.execute(query.order_by(Submission.version.desc()))]


def of_chain(conn: Connection, chain_id: int) -> list[Version]:
    """All versions of one chain, newest first."""
    query = select(*_VERSION).where(Submission.chain_id == chain_id).order_by(Submission.version.desc())
    return [_version(row) for row in conn.execute(query)]


def head(conn: Connection, event_id: int, date: str) -> str | None:
    """The id that a correction for this event and date has to name; None where there is nothing to correct."""
    query = select(Chain.head).where(Chain.kind == KIND, Chain.event_id == event_id, Chain.subject == date)
    return conn.execute(query).scalar_one_or_none()


def conflict(conn: Connection, seq: int) -> ConflictView:
    """What the master said that it has instead."""
    below = aliased(Submission)
    lost = (
        select(below.version)
        .where(below.chain_id == Submission.chain_id, below.state.in_([State.PUBLISHED, State.CORRECTED]))
        .where(or_(below.id == Submission.base, below.published_as == Submission.base))
        .where(Submission.conflict_head.is_(None))
        .limit(1)
        .scalar_subquery()
    )
    row = conn.execute(
        select(Submission.conflict_head, Submission.conflict_revision, Payload.other_body, lost)
        .join(Payload, Payload.seq == Submission.seq, isouter=True)
        .where(Submission.seq == seq)
    ).one()
    return ConflictView(*row)


def file_names(conn: Connection, seqs: Sequence[int]) -> dict[int, list[FileName]]:
    """The files of these submissions, in the order they came."""
    found: dict[int, list[FileName]] = {}
    query = select(Original.seq, Original.id, Original.name, Original.kind).where(Original.seq.in_(seqs))
    for row in conn.execute(query.order_by(Original.id)):
        found.setdefault(row.seq, []).append(FileName(row.id, row.name, row.kind))
    return found


def file(conn: Connection, seq: int, file_id: int) -> tuple[str, bytes] | None:
    """A file's name and content, if it is that submission's.

    :raises StoreUnavailable: it is damaged"""
    query = select(Original.name, Original.content, Original.digest)
    row = conn.execute(query.where(Original.seq == seq, Original.id == file_id)).first()
    return None if row is None else (row.name, demand_whole_file(row.content, row.digest))


COUNTED = 10_000
"""Of those ahead no more are counted: the page of each team that waits asks for them every few seconds."""


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """`ahead` were accepted before and are not held, counted up to COUNTED; `blocked`: an earlier version of the same
    results has to be settled first."""

    ahead: int
    blocked: bool


def place(conn: Connection, now: datetime, seq: int) -> QueuePlace:
    """Where a waiting submission stands."""
    everything, events = queries.held_scopes(conn, now)
    going = [Submission.event_id.not_in(events)] if events else []
    going += [Submission.hold_id.is_(None)] if queries.any_is_held_alone(conn) else []  # else the index has it all
    ahead = _some_before(conn, State.SENDING, seq)
    ahead += 0 if everything else _some_before(conn, State.QUEUED, seq, *going)
    blocked = conn.execute(select(Submission.blocked).where(Submission.seq == seq)).scalar_one()
    return QueuePlace(min(COUNTED, ahead), blocked)


def _some_before(conn: Connection, state: State, seq: int, *where: ColumnElement[bool]) -> int:
    # between and in order, as in queries.py: else PostgreSQL may read the table, and not the index of the state
    some = select(Submission.seq).where(Submission.state.between(state, state), Submission.seq < seq, *where)
    some = some.order_by(Submission.state, Submission.seq).limit(COUNTED)
    return conn.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def _version(row: Any) -> Version:
    values = row._asdict()
    return Version(**{**values, "state": State(values["state"])})
