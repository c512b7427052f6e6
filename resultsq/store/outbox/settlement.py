"""What a worker brings back: settlements, and what follows from each for its submission and its chain."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, or_, select, update
from sqlalchemy.orm import aliased

from resultsq.domain.outcome import Cause, Exchange, Head, Receipt
from resultsq.domain.submission import GONE, State
from resultsq.store.engine.tables import Attempt, Payload, Refusal, Submission
from resultsq.store.outbox.chains import ACCOMPANIED, follow_on, is_ancestor, set_head, step_over
from resultsq.store.outbox.refusals import refuse, welcome
from resultsq.store.outbox.states import chains_of, find, move


@dataclass(frozen=True, slots=True)
class _End:
    """How an attempt ended, for its row."""

    lease: str
    seq: int
    duration_s: float
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Published(_End):
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class PutBack(_End):
    """Deferred: back to the queue. `wait_s` None keeps its place in the order (credentials refused)."""

    outcome: str
    cause: str
    detail: str
    in_doubt: bool
    wait_s: float | None
    wait_for: str | None
    charged: bool
    refused_event: bool = False


@dataclass(frozen=True, slots=True)
class Refused(_End):
    """Rejected for good."""

    code: str
    detail: str
    reasons: tuple[dict[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Clash(_End):
    """The master has another sheet there: `head`, with its rows where they could be fetched."""

    head: str | None
    revision: int | None
    sheet: bytes | None
    rows_digest: str | None
    receipt: Receipt | None


Settlement = Published | PutBack | Refused | Clash


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
    published = [(row, one) for row in rows if isinstance(one := by_lease[row.lease], Published)]
    _publish(conn, now, [_receipt(row, one.receipt, one.exchange.status, row.accompanied) for row, one in published])
    done = [Settled(one, row.id, State.PUBLISHED, (now - row.accepted_at).total_seconds()) for row, one in published]
    chains = {row.chain_id for row, _ in published}
    for row in rows:
        if isinstance(one := by_lease[row.lease], Published):
            continue
        # what another end of the same chain has changed is looked at anew
        again = (
            conn.execute(_ENDED, {"leases": [one.lease], "seqs": [one.seq]}).first() if row.chain_id in chains else row
        )
        done.append(Settled(one, "", None, 0.0) if again is None else _settle_one(conn, now, again, one))
        chains.add(row.chain_id)
    taken = {
        (row.kind, row.event_id)
        for row in rows
        if row.refused_at is not None and not isinstance(by_lease[row.lease], PutBack)
    }
    welcome(conn, taken)
    _close_attempts(conn, now, settlements)
    taken_over = by_lease.keys() - {row.lease for row in rows}
    return done + [Settled(by_lease[lease], "", None, 0.0) for lease in taken_over]


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


def _settle_one(conn: Connection, now: datetime, row: Any, settlement: PutBack | Refused | Clash) -> Settled:
    state, repeat = State.QUEUED, False
    match settlement:
        case PutBack():
            _put_back(conn, now, row, settlement)
        case Refused():
            state = State.REJECTED
            _refuse(conn, now, row, settlement)
        case Clash():
            state, repeat = _clash(conn, now, row, settlement)
    if row.accompanied:
        unsettled = state not in (State.PUBLISHED, State.SUPERSEDED)
        if unsettled and not conn.execute(_IN_DOUBT, {"seq": row.seq}).scalar_one():
            step_over(conn, now, row.chain_id, row.seq)
        follow_on(conn, row.chain_id)
    return Settled(settlement, row.id, state, (now - row.accepted_at).total_seconds(), repeat)


_IN_DOUBT = select(Submission.in_doubt).where(Submission.seq == bindparam("seq"))


def _refuse(conn: Connection, now: datetime, row: Row[Any], refused: Refused) -> None:
    reasons, fingerprint = list(refused.reasons), f"rejected {refused.code}"
    said: dict[str, Any] = {
        "cause": refused.code,
        "detail": refused.detail,
        "reasons": reasons,
        "fingerprint": fingerprint,
    }
    _leave_to_a_person(conn, now, row, State.REJECTED, refused.exchange, **said)


def _leave_to_a_person(
    conn: Connection, now: datetime, row: Row[Any], state: State, exchange: Exchange, **said: Any
) -> None:
    """The master has said for certain that it does not take it like this."""
    move(conn, now, [row.seq], state, in_doubt=False, status=exchange.status, **said)


def publish_by_receipt(conn: Connection, now: datetime, receipts: Sequence[tuple[Row[Any], Receipt]]) -> None:
    """The master's own list says that it has these, which wait here."""
    _publish(conn, now, [_receipt(row, receipt) for row, receipt in receipts])


@dataclass(frozen=True, slots=True)
class _OwnReceipt:
    """A submission that the master has: its row, under which id and since when, and the status that its receipt came
    with where it came by an attempt. `accompanied`: another version may wait for it."""

    row: Row[Any]
    head: Head
    received_at: datetime
    status: int | None = None
    accompanied: bool = True


def _receipt(row: Row[Any], receipt: Receipt, status: int | None = None, accompanied: bool = True) -> _OwnReceipt:
    return _OwnReceipt(row, receipt, receipt.received_at, status, accompanied)


def _publish(conn: Connection, now: datetime, receipts: Sequence[_OwnReceipt]) -> None:
    """The master has these. Their corrections may go, and what they corrected is corrected."""
    if not receipts:
        return
    conn.execute(
        _RECEIVED,
        [
            {
                "_seq": one.row.seq,
                "_now": now,
                "_as": one.head.submission,
                "_revision": one.head.revision or None,
                "_received_at": one.received_at,
                "_status": one.status,
            }
            for one in receipts
        ],
    )
    corrected = [
        {
            "_chain": one.row.chain_id,
            "_seq": one.row.seq,
            "_version": one.row.version,
            "_revision": one.head.revision,
            "_now": now,
        }
        for one in receipts
        if one.accompanied
    ]
    if corrected:
        conn.execute(_CORRECTED, corrected)
    for one in receipts:
        if one.accompanied:
            _follow(conn, now, one)


def _follow(conn: Connection, now: datetime, one: _OwnReceipt) -> None:
    conn.execute(_CORRECTED_SINCE, {"_seq": one.row.seq, "_now": now})
    if one.row.state in GONE:  # it stands again, whatever was decided here
        set_head(conn, one.row.chain_id)
    follow_on(conn, one.row.chain_id)


_RECEIVED = (
    update(Submission)
    .where(
        Submission.seq == bindparam("_seq"),
        # whatever became of it here meanwhile: the master has it (an IN cannot be run many at once)
        and_(Submission.state != State.PUBLISHED, Submission.state != State.CORRECTED),
    )
    .values(
        state=State.PUBLISHED,
        state_at=bindparam("_now"),
        lease=None,
        lease_owner=None,
        lease_until=None,
        hold_id=None,
        in_doubt=False,
        failures=0,
        cause=None,
        detail=None,
        fingerprint=None,
        status=bindparam("_status"),
        published_as=bindparam("_as"),
        revision=bindparam("_revision"),
        received_at=bindparam("_received_at"),
        published_at=bindparam("_now"),
    )
)
_CORRECTED = (
    update(Submission)
    .where(
        Submission.chain_id == bindparam("_chain"),
        Submission.seq != bindparam("_seq"),
        # not by its base alone: what a stranger published in between is corrected too, and so is what it corrected
        or_(Submission.version < bindparam("_version"), Submission.revision < bindparam("_revision")),
        Submission.state == State.PUBLISHED,
    )
    .values(state=State.CORRECTED, state_at=bindparam("_now"))
)
_Above = aliased(Submission)
_CORRECTED_SINCE = (  # a receipt that comes late
    update(Submission)
    .where(
        Submission.seq == bindparam("_seq"),
        Submission.state == State.PUBLISHED,
        select(_Above.seq)
        .where(_Above.chain_id == Submission.chain_id, _Above.state == State.PUBLISHED)
        .where(_Above.revision > Submission.revision)
        .exists(),
    )
    .values(state=State.CORRECTED, state_at=bindparam("_now"))
)


def _fingerprint(cause: str, status: int | None) -> str:
    """The group of an error that names no rule of the master."""
    return f"{cause} {status or ''}".strip()


def _put_back(conn: Connection, now: datetime, row: Row[Any], settlement: PutBack) -> None:
    in_doubt = row.in_doubt or settlement.in_doubt
    move(
        conn,
        now,
        [row.seq],
        State.QUEUED,
        in_doubt=in_doubt,
        cause=settlement.cause,
        status=settlement.exchange.status,
        detail=settlement.detail,
        fingerprint=_fingerprint(settlement.cause, settlement.exchange.status),
        failures=row.failures + settlement.charged,
        silences=row.silences + (settlement.cause == Cause.SILENT),
        next_attempt_at=None if settlement.wait_s is None else now + timedelta(seconds=settlement.wait_s),
        wait_s=settlement.wait_s or 0.0,
        wait_for=settlement.wait_for,
    )
    if settlement.refused_event:
        refuse(conn, now, row.kind, row.event_id)


def _clash(conn: Connection, now: datetime, row: Row[Any], clash: Clash) -> tuple[State, bool]:
    """The 412 of the contract's table. A version that this one knowingly replaces: that one is published, and this
    one is repeated on top of it. Equal rows: published, by the other id. Else a person decides."""
    own = None if clash.head is None else _version_of(conn, row, clash.head)
    if own is not None and own.published_as is None:
        _publish(conn, now, [_of_clash(own, clash, now)])
    # a master that names what we named contradicts itself: asking it again would go round in a circle
    if own is not None and clash.head != row.base and is_ancestor(conn, row, own.id):
        move(conn, now, [row.seq], State.QUEUED, base=clash.head, next_attempt_at=None, in_doubt=False)
        return State.QUEUED, True
    if clash.head is not None and clash.rows_digest == row.rows_digest:
        _publish(conn, now, [replace(_of_clash(row, clash, now), status=clash.exchange.status)])
        return State.PUBLISHED, False
    _keep_conflict(conn, now, row, clash)
    if own is not None and is_ancestor(conn, own, row.id):  # what is there replaces it: nothing is left to decide
        move(conn, now, [row.seq], State.SUPERSEDED)
        return State.SUPERSEDED, False
    return State.CONFLICT, False


def _version_of(conn: Connection, row: Row[Any], name: str) -> Row[Any] | None:
    """Another version of the row's chain that the master has, or may have, under this name."""
    is_it = or_(Submission.id == name, Submission.published_as == name)
    return find(conn, and_(Submission.chain_id == row.chain_id, Submission.seq != row.seq, is_it))


def _keep_conflict(conn: Connection, now: datetime, row: Row[Any], clash: Clash) -> None:
    detail = (
        "Another sheet is published there." if clash.head else "The version that this corrects is not published there."
    )
    said: dict[str, Any] = {"cause": "conflict", "detail": detail, "fingerprint": "conflict"}
    seen: dict[str, Any] = {"conflict_head": clash.head, "conflict_revision": clash.revision}
    _leave_to_a_person(conn, now, row, State.CONFLICT, clash.exchange, **said, **seen)
    conn.execute(update(Payload).where(Payload.seq == row.seq).values(other_body=clash.sheet))


def _of_clash(row: Row[Any], clash: Clash, now: datetime) -> _OwnReceipt:
    """What the 412 says of the head. Where the head's receipt could not be had, the 412 itself is believed."""
    if clash.receipt is not None:
        return _receipt(row, clash.receipt)
    return _OwnReceipt(row, Head(submission=clash.head or row.id, revision=clash.revision or 1), now)


def _close_attempts(conn: Connection, now: datetime, ends: Iterable[Settlement]) -> None:
    rows = []
    for settlement in ends:
        outcome: str
        cause: str | None
        detail: str | None
        match settlement:
            case Published():
                outcome, cause, detail = "accepted", None, None
            case PutBack():
                outcome, cause, detail = settlement.outcome, settlement.cause, settlement.detail
            case Refused():
                outcome, cause, detail = "rejected", settlement.code, settlement.detail
            case Clash():
                outcome, cause, detail = "conflict", "conflict", None
        exchange = settlement.exchange
        rows.append(
            {
                "_lease": settlement.lease,
                "ended_at": now,
                "duration_s": settlement.duration_s,
                "outcome": outcome,
                "cause": cause,
                "status": exchange.status,
                "detail": detail,
                "fingerprint": None if cause is None else _fingerprint(cause, exchange.status),
                "request_head": exchange.request_head,
                "answer_head": exchange.answer_head,
                "answer_body": exchange.answer_body,
            }
        )
    conn.execute(_CLOSE_ATTEMPT, rows)


_CLOSE_ATTEMPT = update(Attempt).where(Attempt.lease == bindparam("_lease"), Attempt.ended_at.is_(None))
