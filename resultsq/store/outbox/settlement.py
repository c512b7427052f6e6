"""Settle: write down how attempts ended, and what follows from each end for its submission and its chain."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from sqlalchemy import Connection, Row, and_, bindparam, or_, select, update

from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Head,
    Redirected,
    Rejected,
    Scope,
    Unauthorised,
    summary,
)
from resultsq.domain.settlement import Settlement
from resultsq.domain.submission import State
from resultsq.store.engine.tables import MAIL, Attempt, Handover, Payload, Refusal, Submission
from resultsq.store.outbox.chains import ACCOMPANIED, follow_on, is_ancestor, step_over
from resultsq.store.outbox.publication import HeldByMaster, publish, received
from resultsq.store.outbox.refusals import refuse, welcome
from resultsq.store.outbox.rounds import lane_of, place_in_order
from resultsq.store.outbox.states import chains_of, find, move


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement did, for the log and the metrics. `state` None: the lease was no longer its own."""

    settlement: Settlement
    submission: str
    state: State | None
    waited_s: float
    repeat: bool = False


def settle(conn: Connection, now: datetime, settlements: Sequence[Settlement]) -> list[Settled]:
    """Write down how attempts ended and what follows for their submissions and their chains."""
    if not settlements:
        return []
    by_lease = {one.lease: one for one in settlements}
    asked = {"leases": list(by_lease), "seqs": [one.seq for one in settlements]}
    if conn.dialect.name == "postgresql":  # SQLite's writers take turns anyway
        conn.execute(_LOCK_CHAINS, asked).all()
    rows: Sequence[Any] = conn.execute(_ENDED, asked).all()
    accepted, others = [], []
    for row in rows:
        end = by_lease[row.lease]
        if isinstance(end.outcome, Accepted):
            accepted.append((row, end, end.outcome))
        else:
            others.append((row, end))
    publish(conn, now, [received(row, got.receipt, got.exchange.status, row.accompanied) for row, _, got in accepted])
    done = [_settled(end, row, State.PUBLISHED, now) for row, end, _ in accepted]
    chains = {row.chain_id for row, _, _ in accepted}
    for row, end in others:
        # read again a row whose chain another of these ends has changed
        now_there = _read_again(conn, end) if row.chain_id in chains else row
        done.append(_not_its_own(end) if now_there is None else _settle_one(conn, now, now_there, end))
        chains.add(row.chain_id)
    heard = [row for row in rows if not isinstance(by_lease[row.lease].outcome, Deferred | Unauthorised)]
    welcome(conn, {(row.kind, row.event_id) for row in heard if row.refused_at is not None})
    _close_attempts(conn, now, settlements)
    taken_over = by_lease.keys() - {row.lease for row in rows}
    return done + [_not_its_own(by_lease[lease]) for lease in taken_over]


def _settled(end: Settlement, row: Any, state: State, now: datetime, repeat: bool = False) -> Settled:
    return Settled(end, row.id, state, (now - row.accepted_at).total_seconds(), repeat)


def _not_its_own(end: Settlement) -> Settled:
    """The lease ran out and another worker has the submission."""
    return Settled(end, "", None, 0.0)


def _read_again(conn: Connection, end: Settlement) -> Any:
    return conn.execute(_ENDED, {"leases": [end.lease], "seqs": [end.seq]}).first()


# Look up by primary key: during a drain PostgreSQL's state index is full of dead tuples, which each cycle would read.
# A row that has a lease is being sent.
_IN_THEIR_HANDS = and_(
    Submission.seq.in_(bindparam("seqs", expanding=True)), Submission.lease.in_(bindparam("leases", expanding=True))
)
_LOCK_CHAINS = chains_of(_IN_THEIR_HANDS).with_for_update()
_ENDED = (
    select(
        Submission.seq,
        Submission.id,
        Submission.kind,
        Submission.chain_id,
        Submission.event_id,
        Submission.date,
        Submission.version,
        Submission.digest,
        Submission.rows_digest,
        Submission.state,
        Submission.base,
        Submission.corrects,
        Submission.in_doubt,
        Submission.destination,
        Submission.personal,
        Submission.failures,
        Submission.silences,
        Submission.accepted_at,
        Submission.lease,
        Refusal.refused_at,
        ACCOMPANIED,
    )
    .join(Refusal, and_(Refusal.kind == Submission.kind, Refusal.event_id == Submission.event_id), isouter=True)
    .where(_IN_THEIR_HANDS)
    .order_by(Submission.seq)
    .with_for_update(of=Submission)
)


def _settle_one(conn: Connection, now: datetime, row: Any, end: Settlement) -> Settled:
    state, repeat = State.QUEUED, False
    match end.outcome:
        case Deferred() as deferred:
            _defer(conn, now, row, end, deferred)
        case Unauthorised() as unauthorised:
            _refused(conn, now, row, end, unauthorised)
        case Rejected() as rejected:
            state = State.REJECTED
            _reject(conn, now, row, rejected)
        case Redirected() as redirected:
            _redirect(conn, now, row, end, redirected)
        case Conflict() as conflict:
            state, repeat = _conflict(conn, now, row, conflict, end.rows_digest)
        case Accepted():
            raise AssertionError("accepted ends are settled together")
        case _ as never:
            assert_never(never)
    if row.accompanied:
        unsettled = state not in (State.PUBLISHED, State.SUPERSEDED)
        if unsettled and not conn.execute(_IN_DOUBT, {"seq": row.seq}).scalar_one():
            step_over(conn, now, row.chain_id, row.seq)
        follow_on(conn, row.chain_id)
    return _settled(end, row, state, now, repeat)


_IN_DOUBT = select(Submission.in_doubt).where(Submission.seq == bindparam("seq"))


def _fingerprint(cause: str, status: int | None) -> str:
    """The group of an error that names no rule of the master."""
    return f"{cause} {status or ''}".strip()


def _defer(conn: Connection, now: datetime, row: Row[Any], end: Settlement, deferred: Deferred) -> None:
    _back_to_the_queue(
        conn,
        now,
        row,
        end,
        in_doubt=_is_in_doubt(row, deferred),
        failures=row.failures + 1,
        silences=row.silences + (deferred.cause is Cause.SILENT),
        next_attempt_at=None if end.wait_s is None else now + timedelta(seconds=end.wait_s),
        wait_s=end.wait_s or 0.0,
        wait_for=end.wait_for,
    )


def _is_in_doubt(row: Row[Any], deferred: Deferred) -> bool:
    if row.destination == MAIL:  # in doubt from its departure, which the sender noted, to the server's answer
        return bool(row.in_doubt and deferred.in_doubt)
    return bool(row.in_doubt or deferred.in_doubt)


def _refused(conn: Connection, now: datetime, row: Row[Any], end: Settlement, unauthorised: Unauthorised) -> None:
    """The credentials are to blame, so the submission keeps its place in the order."""
    _back_to_the_queue(conn, now, row, end, next_attempt_at=None, wait_s=0.0, wait_for=None)
    if unauthorised.scope is Scope.EVENT:
        refuse(conn, now, row.kind, row.event_id)


def _back_to_the_queue(conn: Connection, now: datetime, row: Row[Any], end: Settlement, **values: Any) -> None:
    words, status = summary(end.outcome), end.outcome.exchange.status
    move(
        conn,
        now,
        [row.seq],
        State.QUEUED,
        cause=words.cause,
        status=status,
        detail=words.detail,
        fingerprint=_fingerprint(words.cause or "", status),
        **values,
    )


def _redirect(conn: Connection, now: datetime, row: Row[Any], end: Settlement, redirected: Redirected) -> None:
    """It waits for another destination from now on, behind what its event has there. What a relay has may
    go from there, so that one is asked first."""
    if conn.execute(_AT_RELAY, {"seq": row.seq}).first() is not None:
        later = now + _RELAY_FIRST
        wait_s = _RELAY_FIRST.total_seconds()
        _back_to_the_queue(conn, now, row, end, next_attempt_at=later, wait_s=wait_s, wait_for="backoff")
        return
    place = place_in_order(lane_of(row.event_id, row.kind), 0, redirected.destination)
    there = {"destination": redirected.destination, "in_doubt": False, **place}
    _back_to_the_queue(conn, now, row, end, next_attempt_at=None, wait_s=0.0, wait_for=None, failures=0, **there)


_RELAY_FIRST = timedelta(minutes=1)
_AT_RELAY = select(Handover.seq).where(Handover.seq == bindparam("seq"), Handover.due_at.is_not(None))


def _reject(conn: Connection, now: datetime, row: Row[Any], rejected: Rejected) -> None:
    reasons = [asdict(reason) for reason in rejected.reasons]
    why: dict[str, Any] = {"cause": rejected.code, "detail": rejected.detail, "reasons": reasons}
    fingerprint = f"rejected {rejected.code}"
    _leave_to_a_person(conn, now, row, State.REJECTED, rejected.exchange.status, fingerprint=fingerprint, **why)


def _leave_to_a_person(
    conn: Connection, now: datetime, row: Row[Any], state: State, status: int | None, **why: Any
) -> None:
    """The master has answered for certain that it does not take it like this."""
    move(conn, now, [row.seq], state, in_doubt=False, status=status, **why)


def _conflict(
    conn: Connection, now: datetime, row: Row[Any], conflict: Conflict, rows_digest: str | None
) -> tuple[State, bool]:
    """The 412 of the contract's table. A version that this one knowingly replaces: that one is published, and this
    one is repeated on top of it. Equal rows: published, by the other id. Else a person decides."""
    own = None if conflict.head is None else _version_of(conn, row, conflict.head)
    if own is not None and own.published_as is None:
        publish(conn, now, [_of_conflict(own, conflict, now)])
    # a master that names what we named contradicts itself: asking it again would go round in a circle
    if own is not None and conflict.head != row.base and is_ancestor(conn, row, own.id):
        move(conn, now, [row.seq], State.QUEUED, base=conflict.head, next_attempt_at=None, in_doubt=False)
        return State.QUEUED, True
    if conflict.head is not None and rows_digest == row.rows_digest:
        publish(conn, now, [replace(_of_conflict(row, conflict, now), status=conflict.exchange.status)])
        return State.PUBLISHED, False
    _keep_conflict(conn, now, row, conflict)
    if own is not None and is_ancestor(conn, own, row.id):  # the version there replaces it: nothing is left to decide
        move(conn, now, [row.seq], State.SUPERSEDED)
        return State.SUPERSEDED, False
    return State.CONFLICT, False


def _version_of(conn: Connection, row: Row[Any], name: str) -> Row[Any] | None:
    """Another version of the row's chain that the master has, or may have, under this name."""
    is_it = or_(Submission.id == name, Submission.published_as == name)
    return find(conn, and_(Submission.chain_id == row.chain_id, Submission.seq != row.seq, is_it))


def _keep_conflict(conn: Connection, now: datetime, row: Row[Any], conflict: Conflict) -> None:
    another, none = "Another sheet is published there.", "The version that this corrects is not published there."
    detail = conflict.detail or (another if conflict.head else none)
    why = {"cause": conflict.code, "detail": detail, "fingerprint": conflict.code}
    seen: dict[str, Any] = {"conflict_head": conflict.head, "conflict_revision": conflict.revision}
    _leave_to_a_person(conn, now, row, State.CONFLICT, conflict.exchange.status, **why, **seen)
    conn.execute(update(Payload).where(Payload.seq == row.seq).values(other_body=conflict.head_sheet))


def _of_conflict(row: Row[Any], conflict: Conflict, now: datetime) -> HeldByMaster:
    """What the 412 says of the head. Where the head's receipt could not be had, the 412 itself is believed."""
    if conflict.head_receipt is not None:
        return received(row, conflict.head_receipt)
    return HeldByMaster(row, Head(submission=conflict.head or row.id, revision=conflict.revision or 1), now)


def _close_attempts(conn: Connection, now: datetime, ends: Iterable[Settlement]) -> None:
    conn.execute(_CLOSE_ATTEMPT, [_closed(now, end) for end in ends])


def _closed(now: datetime, end: Settlement) -> dict[str, Any]:
    words, exchange = summary(end.outcome), end.outcome.exchange
    return {
        "_lease": end.lease,
        "ended_at": now,
        "duration_s": end.duration_s,
        "outcome": words.outcome,
        "cause": words.cause,
        "status": exchange.status,
        "detail": words.detail,
        "fingerprint": None if words.cause is None else _fingerprint(words.cause, exchange.status),
        "request_head": exchange.request_head,
        "answer_head": exchange.answer_head,
        "answer_body": exchange.answer_body,
    }


_CLOSE_ATTEMPT = update(Attempt).where(Attempt.lease == bindparam("_lease"), Attempt.ended_at.is_(None))
