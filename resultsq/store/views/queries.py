"""What pages, the API and the metrics ask of the queue. Read only; each question is answered from an index."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, func, or_, select

from resultsq.domain import clock_trust
from resultsq.domain.link import HEARD_S, LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import WAITING, State
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import MASTER, Event, Hold, Link, Original, Outage, Payload, Submission
from resultsq.store.engine.whole import demand_whole, demand_whole_file
from resultsq.store.views import state_counts
from resultsq.store.views.state_counts import StateCounts


@dataclass(frozen=True, slots=True)
class SubmissionView:
    """A submission as it stands. `seq` orders and never leaves the node. `in_doubt`: the master may have it."""

    seq: int
    id: str
    kind: str
    event_id: int
    event: str
    date: str
    version: int
    state: State
    state_at: datetime
    digest: str
    finishers: int
    submitted_by: str
    accepted_at: datetime
    attempts: int
    next_attempt_at: datetime | None
    cause: str | None
    status: int | None
    detail: str | None
    reasons: Sequence[Mapping[str, str | None]]
    published_as: str | None
    revision: int | None
    received_at: datetime | None
    published_at: datetime | None
    in_doubt: bool = False
    destination: str = MASTER


@dataclass(frozen=True, slots=True)
class FileView:
    """A file as the team gave it. `name` is for that team's eyes and operators'."""

    id: int
    name: str
    kind: str
    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class LinkView:
    """The way to the master as its prober last saw it. `refused_at`: since when the credentials are refused."""

    state: LinkState
    since: datetime
    cause: str | None
    detail: str | None
    suspect: bool
    next_probe_at: datetime | None
    probed_at: datetime | None
    probe_s: float | None
    clock_offset_s: float | None
    newest_at: datetime | None
    refused_at: datetime | None
    refused_next_at: datetime | None
    returned_at: datetime | None
    return_seq: int
    outage_id: int | None
    outage_at: datetime | None = None

    @property
    def stalled(self) -> bool:
        """The master answers probes and takes nothing (see link_health.py)."""
        return self.state is LinkState.UP and self.outage_id is not None

    @property
    def word(self) -> str:
        """The state in one word for programs: a link on which nothing goes is not called up."""
        return Cause.TAKES_NOTHING if self.stalled else self.state

    @property
    def word_since(self) -> datetime:
        """Since when `word` is true."""
        return self.outage_at or self.since if self.stalled else self.since

    def fresh(self, now: datetime, within_s: float = HEARD_S) -> bool:
        """Whether the state is known: all but "up" is looked at each few seconds anyway, and "up" is as old as the last
        answer. A time ahead of the clock says nothing."""
        if self.state is not LinkState.UP:
            return True
        return self.probed_at is not None and 0 <= (now - self.probed_at).total_seconds() <= within_s

    def clock_off_s(self, now: datetime) -> float:
        """How far this machine's clock is behind, as `clock_trust.clock_off_s`."""
        return clock_trust.clock_off_s(now, self.newest_at, self.clock_offset_s)


@dataclass(frozen=True, slots=True)
class HoldView:
    """A person's decision that something waits. `scope` is destination, event or submission."""

    id: int
    scope: str
    event: str | None
    reason: str
    placed_by: str
    placed_at: datetime
    release_at: datetime | None


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The queue at a glance. `link` None: no worker has ever run here. `counts` has every state; `held` of those
    that wait are kept by a hold. `waiting_by_kind` has each kind that waits, whatever its destination."""

    counts: Mapping[State, int]
    waiting_by_kind: Mapping[str, int]
    held: int
    oldest_waiting_at: datetime | None
    link: LinkView | None
    holds: Sequence[HoldView]

    @property
    def waiting(self) -> int:
        return sum(self.counts[state] for state in WAITING)

    @property
    def to_send(self) -> int:
        """Those that wait and are not held."""
        return max(0, self.waiting - self.held)


def submission(conn: Connection, submission_id: str) -> SubmissionView | None:
    """The submission of that id."""
    row = _ONE.first(conn, {"submission": submission_id})
    if row is None:
        return None
    values = row._asdict()
    event, state, reasons = values.pop("slug"), State(values.pop("state")), values.pop("reasons")
    return SubmissionView(event=event, state=state, reasons=tuple(reasons or ()), **values)


_ONE = PreparedStatement(
    select(
        Submission.seq,
        Submission.id,
        Submission.kind,
        Submission.event_id,
        Event.slug,
        Submission.date,
        Submission.version,
        Submission.state,
        Submission.state_at,
        Submission.digest,
        Submission.finishers,
        Submission.submitted_by,
        Submission.accepted_at,
        Submission.attempts,
        Submission.next_attempt_at,
        Submission.cause,
        Submission.status,
        Submission.detail,
        Submission.reasons,
        Submission.published_as,
        Submission.revision,
        Submission.received_at,
        Submission.published_at,
        Submission.in_doubt,
        Submission.destination,
    )
    .join(Event, Event.id == Submission.event_id)
    .where(Submission.id == bindparam("submission"))
)


def body(conn: Connection, seq: int) -> bytes | None:
    """The bytes of a submission, as they travel; None where they are kept no more, or are personal: people read the
    slip.

    :raises StoreUnavailable: they are damaged"""
    query = select(Payload.body, Submission.digest).join(Submission, Submission.seq == Payload.seq)
    row = conn.execute(query.where(Payload.seq == seq, Submission.personal.is_(False))).one_or_none()
    return None if row is None else demand_whole(row.body, row.digest)


def files(conn: Connection, seq: int) -> list[FileView]:
    """The files that a submission came as, in the order in which they came.

    :raises StoreUnavailable: one is damaged"""
    query = select(Original.id, Original.name, Original.kind, Original.digest, Original.content)
    found = [FileView(*row) for row in conn.execute(query.where(Original.seq == seq).order_by(Original.id))]
    for file in found:
        demand_whole_file(file.content, file.digest)
    return found


def status(
    conn: Connection, now: datetime, event_id: int | None = None, counts: StateCounts | None = None
) -> NodeStatus:
    """The queue of this node, or of one event of it. `counts`: its figures, where the caller has them."""
    found = counts or state_counts.look(conn, None if event_id is None else [event_id])
    return NodeStatus(
        counts=found.in_each_state(of_the_master=event_id is None),
        waiting_by_kind=found.waiting_by_kind(),
        held=held(conn, now, event_id),
        oldest_waiting_at=oldest_waiting_at(conn, event_id),
        link=link(conn),
        holds=holds(conn, now, event_id),
    )


def oldest_waiting_at(conn: Connection, event_id: int | None = None) -> datetime | None:
    """When the submission was accepted that waits longest for the master."""
    if event_id is not None:
        waits = and_(Submission.published_at.is_(None), Submission.state.in_(sorted(WAITING)))
        query = select(func.min(Submission.accepted_at)).where(waits, Submission.event_id == event_id)
        return conn.execute(query).scalar_one()
    return min((at for _, at in _first_waiting(conn)), default=None)


def oldest_waiting_seq(conn: Connection) -> int | None:
    """The first in the order of acceptance that waits for the master."""
    return min((seq for seq, _ in _first_waiting(conn)), default=None)


def _first_waiting(conn: Connection) -> list[tuple[int, datetime]]:
    """Of each state that waits the first submission: its seq, and when it was accepted."""
    found = [_FIRST_WAITING.first(conn, {"state": state}) for state in sorted(WAITING)]
    return [(row.seq, row.accepted_at) for row in found if row is not None]


_STATE: BindParameter[str] = bindparam("state")
_FIRST_WAITING = PreparedStatement(
    select(Submission.seq, Submission.accepted_at)
    .where(
        Submission.published_at.is_(None),
        Submission.destination == MASTER,
        # between, not equal: else PostgreSQL looks for it from the first submission ever, in order of seq
        Submission.state.between(_STATE, _STATE),
    )
    .with_hint(Submission, "INDEXED BY ix_submissions_destination", "sqlite")
    .order_by(Submission.state, Submission.seq)
    .limit(1)
)


def link(conn: Connection) -> LinkView | None:
    """The link as it is; None where no worker has ever run."""
    columns: list[Any] = [getattr(Link, name) for name in LinkView.__slots__ if name != "outage_at"]
    began = select(Outage.began_at).where(Outage.id == Link.outage_id).scalar_subquery()
    row = conn.execute(select(*[*columns, began]).where(Link.name == MASTER)).first()
    return None if row is None else LinkView(LinkState(row[0]), *row[1:])


def clock_off_s(conn: Connection, now: datetime) -> float:
    """How far this machine's clock is behind, as `clock_trust.clock_off_s`; where no probe has been answered yet, by
    the last acceptance."""
    row = conn.execute(select(Link.newest_at, Link.clock_offset_s).where(Link.name == MASTER)).first()
    newest_at, offset_s = (None, None) if row is None else row
    if newest_at is None:
        newest_at = conn.execute(
            select(Submission.accepted_at).order_by(Submission.seq.desc()).limit(1)
        ).scalar_one_or_none()
    return clock_trust.clock_off_s(now, newest_at, offset_s)


def held_scopes(conn: Connection, now: datetime) -> tuple[bool, frozenset[int]]:
    """Whether a hold in force keeps everything, and which events are held whole."""
    in_force = and_(Hold.released_at.is_(None), or_(Hold.release_at.is_(None), Hold.release_at > now))
    rows = conn.execute(select(Hold.scope, Hold.event_id).where(in_force, Hold.scope != "submission")).all()
    return any(scope == "destination" for scope, _ in rows), frozenset(e for _, e in rows if e is not None)


def any_is_held_alone(conn: Connection) -> bool:
    """Whether a hold in force keeps a single submission."""
    held = and_(Submission.hold_id.is_not(None), Submission.state == State.QUEUED)
    query = select(Submission.seq).where(held).limit(1)
    query = query.with_hint(Submission, "INDEXED BY ix_submissions_held", "sqlite")
    return conn.execute(query).first() is not None


def held(conn: Connection, now: datetime, event_id: int | None = None) -> int:
    """How many queued submissions a hold in force keeps, each counted once: of one event, or of all. Its cost grows
    with those alone that are held one by one."""
    everything, events = held_scopes(conn, now)
    if everything:
        return _queued(conn, None if event_id is None else [event_id])
    alone = [Submission.hold_id.is_not(None), Submission.event_id.not_in(events), Submission.state == State.QUEUED]
    if event_id is not None:
        alone.append(Submission.event_id == event_id)
        events &= {event_id}
    return _count_held(conn, *alone) + (_queued(conn, events) if events else 0)


def held_by(conn: Connection, hold: HoldView) -> int:
    """How many queued submissions this hold keeps. Its cost is the same however many, but for single ones."""
    match hold.scope:
        case "destination":
            return _queued(conn)
        case "event":
            return _queued(conn, conn.execute(select(Event.id).where(Event.slug == hold.event)).scalars().all())
        case _:
            return _count_held(conn, Submission.state == State.QUEUED, Submission.hold_id == hold.id)


def _queued(conn: Connection, events: Collection[int] | None = None) -> int:
    return state_counts.look(conn, events).in_each_state()[State.QUEUED]


def _count_held(conn: Connection, *where: ColumnElement[bool]) -> int:
    """How many there are, by an index that SQLite would not take by itself: it knows no figures of what there is."""
    query = select(func.count()).where(*where).with_hint(Submission, "INDEXED BY ix_submissions_held", "sqlite")
    return conn.execute(query).scalar_one()


def holds(conn: Connection, now: datetime, event_id: int | None = None) -> list[HoldView]:
    """The holds in force, oldest first; for one event those that concern it."""
    held = select(Submission.seq).where(Submission.hold_id == Hold.id)
    query = (
        select(Hold.id, Hold.scope, Event.slug, Hold.reason, Hold.placed_by, Hold.placed_at, Hold.release_at)
        .join(Event, Event.id == Hold.event_id, isouter=True)
        .where(Hold.released_at.is_(None), or_(Hold.release_at.is_(None), Hold.release_at > now))
        .where(or_(Hold.scope != "submission", held.exists()))
        .order_by(Hold.id)
    )
    if event_id is not None:
        own = held.where(Submission.event_id == event_id).exists()
        query = query.where(or_(Hold.scope == "destination", Hold.event_id == event_id, own))
    return [HoldView(*row) for row in conn.execute(query)]
