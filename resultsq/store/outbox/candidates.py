"""The submissions that may be claimed next, in their order, found by one index however many wait."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Integer, Row, and_, bindparam, literal, or_, select

from resultsq.domain.clock_steps import LEASE_SLACK_S, latest, passed
from resultsq.domain.dispatch_plan import Queue
from resultsq.domain.link import REFUSED_WAIT_S
from resultsq.domain.submission import State
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import MASTER, Event, Hold, Link, Payload, Refusal, Submission, UtcDateTime

EPOCHS_AT_ONCE = 8
"""Earlier epochs that claims take turns between, the earliest of those of which some wait. A link that comes and goes
begins one each time, and most have few."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows that a claim may choose from: accepted before the link's last return, after it, and put off and due
    again."""

    old: Sequence[Row[Any]]
    fresh: Sequence[Row[Any]]
    again: Sequence[Row[Any]]


def look(conn: Connection, now: datetime, epoch: int, destination: str = MASTER) -> Queue:
    """One statement, because a cycle runs for every few sheets, and a second while some wait from before the return. A
    lease that ends further ahead than it is long was written before the clock was set back: it counts as run out."""
    asked = {"now": now, "epoch": epoch, "destination": destination}
    rows = _LOOK.all(conn, asked)
    out = [row for row in rows if row.seq is not None]
    ended = [row for row in out if passed(row.lease_until, row.lease_s, now, LEASE_SLACK_S)]
    first = rows[0]
    # one that is taken back now may be among the old or the fresh by the time of the claim
    old = set(conn.execute(_OLD_EPOCHS, asked).scalars()) if first.old else set()
    old |= {row.epoch for row in ended if row.before}
    held = first.held and destination == MASTER  # what an operator holds are results; mails tell of it
    seqs = [row.seq for row in ended]
    return Queue(len(out) - len(seqs), seqs, held, sorted(old), first.fresh or bool(ended), first.again)


def of(
    conn: Connection,
    now: datetime,
    room: int,
    epoch: int,
    turns: int,
    queue: Queue,
    trial: bool = False,
    destination: str = MASTER,
) -> Candidates:
    """At most `room` of each sort, locked. `trial`: where there are none, the first of those that wait for the link or
    by themselves."""
    asked = _asked(now, room, epoch, destination)
    old = _of_epochs(conn, asked, queue.old, turns // 2)
    fresh = conn.execute(_FRESH, asked).all() if queue.fresh else []
    again = conn.execute(_AGAIN, asked).all() if queue.again else []
    if trial and not (old or fresh or again):
        again = conn.execute(_PUT_OFF, {**asked, "room": 1}).all()
    return Candidates(old, fresh, again)


def these(conn: Connection, now: datetime, seqs: Sequence[int], destination: str) -> Sequence[Row[Any]]:
    """Those of them that may go."""
    return conn.execute(_THESE, {**_asked(now, len(seqs), 0, destination), "seqs": list(seqs)}).all()


def claimable(conn: Connection, now: datetime, free_slots: int, destination: str = MASTER) -> Sequence[int]:
    """The seqs that the next claims will look at; nothing else of their rows is read."""
    epoch = conn.execute(select(Link.epoch).where(Link.name == destination)).scalar_one()
    asked = _asked(now, free_slots, epoch, destination)
    epochs = conn.execute(_OLD_EPOCHS, asked).scalars().all()
    several = [(_OLD, {**asked, "old_epoch": one}) for one in epochs]
    several += [(one, asked) for one in (_BEFORE, _FRESH, _AGAIN, _PUT_OFF)]
    found = (conn.execute(one.with_only_columns(Submission.seq), values).scalars() for one, values in several)
    return list(dict.fromkeys(seq for seqs in found for seq in seqs))


def _asked(now: datetime, room: int, epoch: int, destination: str) -> dict[str, Any]:
    refused_until = latest(now, REFUSED_WAIT_S)
    return {"now": now, "refused_until": refused_until, "epoch": epoch, "room": room, "destination": destination}


def _of_epochs(conn: Connection, asked: dict[str, Any], epochs: Sequence[int], turns: int) -> Sequence[Row[Any]]:
    """Candidates of these epochs, by their rounds: what has waited for the most turns, and results before a kind with
    patience. Of one round the epochs take turns: `turns` says which begins, so that none is always the last."""
    if not epochs:
        return []
    first = turns % len(epochs)
    in_turn = (*epochs[first:], *epochs[:first])
    each = [
        conn.execute(_OLD, {**asked, "old_epoch": one, "room": room}).all()
        for one, room in _rooms(conn, asked, in_turn)
    ]
    found = sorted((row for some in zip_longest(*each) for row in some if row is not None), key=lambda row: row.round)
    if len(epochs) >= EPOCHS_AT_ONCE and len(found) < asked["room"]:  # none of these may go, perhaps for weeks
        known = {row.seq for row in found}
        found += [row for row in conn.execute(_BEFORE, asked) if row.seq not in known]
    return found


def _rooms(conn: Connection, asked: dict[str, Any], epochs: Sequence[int]) -> Iterable[tuple[int, int]]:
    """How many of each epoch are among the first by their rounds. Only those are locked, for a lock is a write."""
    if len(epochs) == 1:
        return [(epochs[0], asked["room"])]
    ahead = [conn.execute(_ROUNDS, {**asked, "old_epoch": one}).scalars().all() for one in epochs]
    places = sorted((number, turn, place) for place, rounds in enumerate(ahead) for turn, number in enumerate(rounds))
    counts = Counter(epochs[place] for _number, _turn, place in places[: asked["room"]])
    return ((one, counts[one]) for one in epochs if counts[one])


_NOW = bindparam("now", type_=UtcDateTime())
_OF_DESTINATION = Submission.destination == bindparam("destination")
_WAITS = and_(
    Submission.state == State.QUEUED, Submission.blocked.is_(False), Submission.hold_id.is_(None), _OF_DESTINATION
)
_NEVER_PUT_OFF = Submission.next_attempt_at.is_(None)
_FROM_BEFORE = and_(_NEVER_PUT_OFF, Submission.epoch < bindparam("epoch"))
_FROM_THEN = and_(_NEVER_PUT_OFF, Submission.epoch == bindparam("old_epoch"))
_FROM_AFTER = and_(_NEVER_PUT_OFF, Submission.epoch >= bindparam("epoch"))
_DUE_AGAIN = Submission.next_attempt_at <= _NOW
_OF_SUBMISSION = and_(Refusal.kind == Submission.kind, Refusal.event_id == Submission.event_id)
_IN_FORCE = and_(Hold.released_at.is_(None), or_(Hold.release_at.is_(None), Hold.release_at > _NOW))


# by all of ix_submissions_due: PostgreSQL does not see that a column of NULLs needs no order, and for a
# bare EXISTS it would read the table from its start
_IN_ORDER = (
    Submission.hold_id,
    Submission.destination,
    Submission.next_attempt_at,
    Submission.epoch,
    Submission.round,
    Submission.seq,
)


def _any(*where: Any) -> Any:
    one = select(Submission.seq).where(_WAITS, *where).correlate(None).order_by(*_IN_ORDER).limit(1)
    return one.scalar_subquery().is_not(None)


def _old_epochs() -> Any:
    """The earliest epochs of which some wait, each found by the index from the one before it on."""
    ordered = select(Submission.epoch).order_by(*_IN_ORDER).limit(1)
    first = ordered.where(_WAITS, _FROM_BEFORE).scalar_subquery()
    found = select(first.label("epoch"), literal(1).label("number")).cte("found", recursive=True)
    after = ordered.where(_WAITS, _FROM_BEFORE, Submission.epoch > found.c.epoch).correlate(found).scalar_subquery()
    more = select(after, found.c.number + 1).where(found.c.epoch.is_not(None), found.c.number < EPOCHS_AT_ONCE)
    found = found.union_all(more)
    return select(found.c.epoch).where(found.c.epoch.is_not(None))


_OLD_EPOCHS = _old_epochs()
_HERE = select(literal(1).label("one")).subquery()
_LOOK = PreparedStatement(
    select(
        Submission.seq,
        Submission.epoch,
        (Submission.epoch < bindparam("epoch")).label("before"),
        Submission.lease_until,
        Submission.lease_s,
        select(Hold.id).where(Hold.scope == "destination", _IN_FORCE).exists().label("held"),
        _any(_FROM_BEFORE).label("old"),
        _any(_FROM_AFTER).label("fresh"),
        _any(_DUE_AGAIN).label("again"),
    ).select_from(_HERE.outerjoin(Submission, and_(Submission.state == State.SENDING, _OF_DESTINATION)))
)


def _candidates(*where: Any, locked: bool = True) -> Any:
    """Claimable rows by one range of ix_submissions_due. Built once: a claim is made for every few sheets."""
    refused_until = bindparam("refused_until", type_=UtcDateTime())
    held = select(Hold.id).where(_IN_FORCE, Hold.scope == "event", Hold.event_id == Submission.event_id)
    found = (
        select(
            Submission.seq,
            Submission.id,
            Submission.kind,
            Submission.event_id,
            Submission.date,
            Submission.digest,
            Submission.size,
            Submission.base,
            Submission.in_doubt,
            Submission.attempts,
            Submission.failures,
            Submission.silences,
            Submission.request_id,
            Submission.epoch,
            Submission.round,
            Event.slug,
            Refusal.refused_at,
            Payload.seq.label("sheet"),
        )
        .join(Event, Event.id == Submission.event_id)
        .join(Refusal, _OF_SUBMISSION, isouter=True)
        .join(Payload, Payload.seq == Submission.seq, isouter=True)
        # after ANALYZE, SQLite would go by seq instead, and read all published rows
        .with_hint(Submission, "INDEXED BY ix_submissions_due", "sqlite")
        .where(
            _WAITS,
            *where,
            # one a minute; a time further ahead than that was written before the clock was set back
            or_(Refusal.next_at.is_(None), Refusal.next_at <= _NOW, Refusal.next_at > refused_until),
            ~held.exists(),
        )
        .order_by(*_IN_ORDER)
        .limit(bindparam("room", type_=Integer))
    )
    return found.with_for_update(skip_locked=True, of=Submission) if locked else found


_OLD, _BEFORE = _candidates(_FROM_THEN), _candidates(_FROM_BEFORE)
_ROUNDS = _candidates(_FROM_THEN, locked=False).with_only_columns(Submission.round)
_FRESH, _AGAIN = _candidates(_FROM_AFTER), _candidates(_DUE_AGAIN)
_PUT_OFF = _candidates(Submission.next_attempt_at > _NOW, Submission.wait_for != "master")
_THESE = _candidates(Submission.seq.in_(bindparam("seqs", expanding=True)))
