"""Submissions that this node hands to a relay while the master cannot be reached.

The submission stays in the queue, in doubt: the master is asked before it is sent, and its receipt alone settles it. A
row of `handovers` is committed before the relay is called, so a call without an end is repeated and not forgotten."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, update
from sqlalchemy.orm import aliased

from resultsq.domain.outcome import Conflict, Outcome
from resultsq.domain.ports import Parcel
from resultsq.domain.relay import ASK_FIRST_S, ASK_LATEST_S
from resultsq.domain.settlement import Settlement
from resultsq.domain.submission import WAITING, State
from resultsq.store.engine.personal import opened
from resultsq.store.engine.tables import MASTER, Attempt, Custody, Event, Handover, Payload, Submission
from resultsq.store.engine.whole import is_whole
from resultsq.store.outbox.custody import node_name
from resultsq.store.outbox.settlement import settle
from resultsq.store.outbox.states import lock_chain_of

HANDED_ON = "handed-on"
CALL_S = 120.0
"""After so long another worker may repeat a call to a relay, unless the worker that makes it has renewed it."""

_WINDOW = 200


@dataclass(frozen=True, slots=True)
class RelayCall:
    """One call to a relay: hand over (`kept` False), or ask. `asked`: how many calls went before. `via`: the nodes that
    it came through, this one last."""

    seq: int
    relay: str
    kept: bool
    asked: int
    parcel: Parcel
    via: Sequence[str]


_Other, _OthersHandover = aliased(Submission), aliased(Handover)
_NEW = and_(
    Submission.state == State.QUEUED,
    Submission.destination == MASTER,
    Submission.published_at.is_(None),
    Submission.hold_id.is_(None),
)


def _all_before_kept_at(relay: str) -> Any:
    """Whether each older version that waits is at that relay already: there it goes first as well."""
    at_relay = select(_OthersHandover.seq).where(
        _OthersHandover.seq == _Other.seq, _OthersHandover.relay == relay, _OthersHandover.kept_at.is_not(None)
    )
    older = select(_Other.seq).where(
        _Other.chain_id == Submission.chain_id, _Other.version < Submission.version, _Other.state.in_(WAITING)
    )
    return ~older.where(~at_relay.exists()).exists()


def begin(conn: Connection, now: datetime, relay: str, after: int, most: int) -> tuple[list[RelayCall], int]:
    """The next waiting submissions behind the seq `after` to hand over, in order, and the seq to go on behind; 0: there
    are no more. Their rows say so, and that they are in doubt, before the relay is called."""
    window = conn.execute(
        select(Submission.seq).where(_NEW, Submission.seq > after).order_by(Submission.seq).limit(_WINDOW)
    ).scalars()
    seqs = list(window)
    if not seqs:
        return [], 0
    not_handed = ~select(Handover.seq).where(Handover.seq == Submission.seq).exists()
    rows = conn.execute(
        select(Submission.seq, Submission.attempts, Submission.in_doubt)
        .where(Submission.seq.in_(seqs), _NEW, not_handed, _all_before_kept_at(relay))
        .order_by(Submission.seq)
        .limit(most)
        .with_for_update(of=Submission, skip_locked=True)
    ).all()
    if not rows:
        return [], seqs[-1] if len(seqs) == _WINDOW else 0
    _note(conn, now, rows, relay)
    last = rows[-1].seq if len(rows) == most else seqs[-1]
    return _calls(conn, [row.seq for row in rows]), last


def _note(conn: Connection, now: datetime, rows: Sequence[Any], relay: str) -> None:
    until = now + timedelta(seconds=CALL_S)
    conn.execute(
        insert(Handover),
        [
            {
                "seq": row.seq,
                "relay": relay,
                "due_at": until,
                "asked": 0,
                "attempt": row.attempts + 1,
                "was_in_doubt": row.in_doubt,
            }
            for row in rows
        ],
    )
    attempt = {
        "worker": relay,
        "started_at": now,
        "ended_at": now,
        "duration_s": 0.0,
        "outcome": "unknown",
        "cause": HANDED_ON,
        "fingerprint": HANDED_ON,
        "detail": "Handed to a relay; the master or the relay is asked what became of it.",
    }
    conn.execute(
        insert(Attempt),
        [{**attempt, "seq": row.seq, "number": row.attempts + 1, "lease": str(uuid.uuid4())} for row in rows],
    )
    conn.execute(
        update(Submission)
        .where(Submission.seq.in_([row.seq for row in rows]))
        .values(in_doubt=True, attempts=Submission.attempts + 1)
    )


def due(conn: Connection, now: datetime, most: int, hands_over: bool) -> list[RelayCall]:
    """The calls that are due: questions, and where `hands_over` the calls that have to be repeated. Another worker
    does not get them meanwhile."""
    set_back = now + timedelta(seconds=ASK_LATEST_S + CALL_S)  # written before the clock was set back
    is_due = or_(Handover.due_at <= now, Handover.due_at > set_back)
    rows = conn.execute(
        select(Handover.seq, Handover.kept_at, Submission.state)
        .join(Submission, Submission.seq == Handover.seq)
        .where(Handover.due_at.is_not(None), is_due)
        .order_by(Handover.due_at)
        .limit(most)
        .with_for_update(of=Handover, skip_locked=True)
    ).all()
    over = [row.seq for row in rows if row.state not in WAITING]
    conn.execute(update(Handover).where(Handover.seq.in_(over)).values(due_at=None))
    waiting = [row for row in rows if row.state in WAITING]
    later = [row.seq for row in waiting if row.kept_at is None and not hands_over]  # the link may do it meanwhile
    conn.execute(update(Handover).where(Handover.seq.in_(later)).values(due_at=now + timedelta(seconds=ASK_FIRST_S)))
    mine = [row.seq for row in waiting if row.kept_at is not None or hands_over]
    until = now + timedelta(seconds=CALL_S)
    conn.execute(update(Handover).where(Handover.seq.in_(mine)).values(due_at=until, asked=Handover.asked + 1))
    return _calls(conn, mine)


def renew(conn: Connection, now: datetime, seqs: Sequence[int], length_s: float) -> None:
    """These calls are their worker's for so long from now on: the calls before them took long, or they are large."""
    until = now + timedelta(seconds=min(length_s, ASK_LATEST_S + CALL_S))
    mine = and_(Handover.seq.in_(seqs), Handover.due_at.is_not(None))
    conn.execute(update(Handover).where(mine).values(due_at=until))


def _calls(conn: Connection, seqs: Sequence[int]) -> list[RelayCall]:
    own = node_name(conn)
    rows = conn.execute(
        select(Submission, Event.slug, Payload.body, Handover.relay, Handover.kept_at, Handover.asked, Custody.via)
        .join(Event, Event.id == Submission.event_id)
        .join(Payload, Payload.seq == Submission.seq)
        .join(Handover, Handover.seq == Submission.seq)
        .join(Custody, Custody.seq == Submission.seq, isouter=True)
        .where(Submission.seq.in_(seqs))
        .order_by(Submission.seq)
    )
    return [
        RelayCall(
            row.seq,
            row.relay,
            row.kept_at is not None,
            row.asked,
            Parcel(
                row.kind,
                row.id,
                row.slug,
                row.date,
                body,
                row.digest,
                row.base,
                in_doubt=True,
            ),
            [*(one.strip() for one in (row.via or "").split(",") if one.strip()), own],
        )
        for row in rows
        if is_whole(body := opened(conn, row.body, row.id), row.digest)  # else the next claim puts it aside
    ]


def ask_all(conn: Connection, now: datetime) -> None:
    """Whatever a relay keeps is asked about now: this node was switched off for a while."""
    waits = and_(Handover.due_at.is_not(None), Handover.kept_at.is_not(None))
    conn.execute(update(Handover).where(waits).values(due_at=now))


def kept(conn: Connection, now: datetime, seq: int, ask_in_s: float) -> None:
    """The relay has it. Ask again after so long."""
    due_at = now + timedelta(seconds=ask_in_s)
    conn.execute(update(Handover).where(Handover.seq == seq, Handover.kept_at.is_(None)).values(kept_at=now, asked=0))
    conn.execute(update(Handover).where(Handover.seq == seq).values(due_at=due_at))


def lost(conn: Connection, now: datetime, seq: int, relay: str) -> None:
    """The relay does not have it, or no longer: hand it over again at once, to this relay."""
    conn.execute(update(Handover).where(Handover.seq == seq).values(kept_at=None, due_at=now, asked=0, relay=relay))


def give_up(conn: Connection, seq: int) -> None:
    """The relay had it and will not publish it: it is not called again, and counts as a place no more."""
    conn.execute(update(Handover).where(Handover.seq == seq).values(kept_at=None, due_at=None))


def put_off(conn: Connection, now: datetime, seq: int, relay: str, wait_s: float) -> None:
    """No answer: call this relay after so long."""
    due_at = now + timedelta(seconds=wait_s)
    conn.execute(update(Handover).where(Handover.seq == seq).values(due_at=due_at, relay=relay))


def take_back(conn: Connection, now: datetime, seq: int) -> None:
    """The relay does not have it. Where this was the first call, the submission is as it was before, unless something
    happened to it since; else a call before may have reached the relay."""
    row = conn.execute(select(Handover).where(Handover.seq == seq, Handover.kept_at.is_(None))).first()
    if row is None:
        return
    conn.execute(delete(Handover).where(Handover.seq == seq))
    unchanged = and_(Submission.seq == seq, Submission.state == State.QUEUED, Submission.attempts == row.attempt)
    if not row.was_in_doubt and row.asked == 0:
        conn.execute(update(Submission).where(unchanged).values(in_doubt=False))
    conn.execute(
        update(Attempt)
        .where(Attempt.seq == seq, Attempt.number == row.attempt, Attempt.cause == HANDED_ON)
        .values(outcome="deferred", detail="The relay was not reached, or did not take it.")
    )


def settle_as(conn: Connection, now: datetime, call: RelayCall, outcome: Outcome, same_rows: bool) -> State | None:
    """Settle it as the relay says that the master did; None: not now, because a worker is sending it or an older
    version waits."""
    lock_chain_of(conn, call.parcel.submission)
    row = conn.execute(select(Submission).where(Submission.seq == call.seq).with_for_update()).one()
    if row.state != State.QUEUED or row.blocked:
        return None
    lease = str(uuid.uuid4())
    conn.execute(
        update(Submission)
        .where(Submission.seq == call.seq)
        .values(state=State.SENDING, state_at=now, lease=lease, lease_owner=call.relay, lease_until=now, lease_s=0.0)
    )
    begun = {"seq": row.seq, "number": row.attempts + 1, "lease": lease, "worker": call.relay, "started_at": now}
    conn.execute(insert(Attempt), begun)
    conn.execute(update(Submission).where(Submission.seq == row.seq).values(attempts=Submission.attempts + 1))
    rows_digest = row.rows_digest if same_rows and isinstance(outcome, Conflict) else None
    (done,) = settle(conn, now, [Settlement(lease, row.seq, 0.0, outcome, rows_digest=rows_digest)])
    conn.execute(update(Handover).where(Handover.seq == row.seq).values(due_at=None))
    return done.state
