"""The other roads: what leaves in a bundle, what comes in one, and what the master's own list says.

An exported submission stays in the queue: whichever road is first publishes it, and the master's unique id makes
the other one a repetition."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from resultsq.domain.outcome import Receipt
from resultsq.domain.submission import NEEDS_A_PERSON, State
from resultsq.store.outbox.chains import give_up_place, place_on, waits
from resultsq.store.outbox.endings import publish_by_receipt
from resultsq.store.outbox.states import find, lock_chain, move
from resultsq.store.tables import Attempt, Chain, Event, Payload, Submission

EXPORTED = "exported"
LISTED_AFTER = timedelta(minutes=1)
"""What was published since the list was asked for is not in it, and not lost."""


@dataclass(frozen=True, slots=True)
class Parted:
    """A submission as it travels in a bundle: everything that another node needs to go on with it."""

    id: str
    kind: str
    event: str
    date: str
    base: str | None
    digest: str
    rows_digest: str
    finishers: int
    submitted_by: str
    accepted_at: datetime
    body: bytes


def export(
    conn: Connection, now: datetime, states: Iterable[State], road: str, after: int = 0, most: int = 500
) -> tuple[list[Parted], int]:
    """The next of the waiting submissions behind the seq `after`, in order, and the last one's seq; each gets
    an attempt whose end is unknown, for from now on nobody can say what the master has."""
    rows = conn.execute(
        select(Submission, Event.slug, Payload.body)
        .join(Event, Event.id == Submission.event_id)
        .join(Payload, Payload.seq == Submission.seq)
        .where(Submission.state.in_(list(states)), Submission.seq > after)
        .order_by(Submission.seq)
        .limit(most)
        .with_for_update(of=Submission)  # as it is when nobody withdraws, supersedes or settles it any more
    ).all()
    if rows:
        conn.execute(
            insert(Attempt),
            [
                {
                    "seq": row.seq,
                    "number": row.attempts + 1,
                    "lease": str(uuid.uuid4()),
                    "worker": road,
                    "started_at": now,
                    "ended_at": now,
                    "duration_s": 0.0,
                    "outcome": "unknown",
                    "cause": EXPORTED,
                    "fingerprint": EXPORTED,
                    "detail": "Written into a bundle; the next attempt asks the master whether it came by that road.",
                }
                for row in rows
            ],
        )
        conn.execute(
            update(Submission)
            .where(Submission.seq.in_([row.seq for row in rows]))
            .values(in_doubt=True, attempts=Submission.attempts + 1)
        )
    parted = [
        Parted(
            row.id,
            row.kind,
            row.slug,
            row.date,
            row.base,
            row.digest,
            row.rows_digest,
            row.finishers,
            row.submitted_by,
            row.accepted_at,
            bytes(row.body),
        )
        for row in rows
    ]
    return parted, rows[-1].seq if rows else after


def adopt(conn: Connection, now: datetime, parted: Parted, event_id: int) -> bool:
    """Take in another node's submission under its own id; False: it is here already. It is in doubt from the
    start, for the other node may have sent it.

    It goes on top of what its own base names, and of nothing else that is here: what is on its way goes first, and
    where the master then has another version than the base, a person decides."""
    if find(conn, Submission.id == parted.id) is not None:
        return False
    chain = lock_chain(conn, parted.kind, event_id, parted.date)
    below = and_(Submission.chain_id == chain.id, Submission.id == parted.base)
    corrected = find(conn, below, lock=True) if parted.base is not None else None
    if corrected is not None and corrected.state in NEEDS_A_PERSON:
        give_up_place(conn, now, corrected)
    place = place_on(conn, chain.id, parted.base)
    seq = conn.execute(
        insert(Submission).returning(Submission.seq),
        {
            "id": parted.id,
            "kind": parted.kind,
            "chain_id": chain.id,
            "event_id": event_id,
            "date": parted.date,
            "version": chain.versions + 1,
            "state": State.QUEUED,
            "state_at": now,
            "digest": parted.digest,
            "rows_digest": parted.rows_digest,
            "size": len(parted.body),
            "finishers": parted.finishers,
            "submitted_by": parted.submitted_by,
            "accepted_at": now,
            "base": place.base,
            "blocked": place.blocked or waits(conn, chain.id),
            "corrects": parted.base,
            "in_doubt": True,
        },
    ).scalar_one()
    conn.execute(insert(Payload), {"seq": seq, "body": parted.body})
    conn.execute(update(Chain).where(Chain.id == chain.id).values(head=parted.id, versions=chain.versions + 1))
    return True


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What comparing with the master's list changed."""

    settled: int  # waited here, and the master has it
    lost: int  # published here, and the master has it no more: queued again
    different: int  # the same id with another digest: for a person


def reconcile(conn: Connection, now: datetime, receipts: Sequence[Receipt], since: datetime) -> Reconciled:
    """Bring this node in line with the master's list: `receipts` must be all of them since then, and `now` a
    moment before they were asked for."""
    listed = {receipt.submission: receipt for receipt in receipts}
    ours: list[Row[Any]] = []
    ids = list(listed)
    for start in range(0, len(ids), 500):
        ours += conn.execute(select(Submission).where(Submission.id.in_(ids[start : start + 500]))).all()
    different = [row for row in ours if listed[row.id].digest != row.digest]
    waiting = [row for row in ours if row.state == State.QUEUED and listed[row.id].digest == row.digest]
    publish_by_receipt(conn, now, [(row, listed[row.id]) for row in waiting])
    lost = [
        row
        for row in conn.execute(
            select(Submission)
            .where(
                Submission.state.in_((State.PUBLISHED, State.CORRECTED)),
                Submission.received_at >= since,
                Submission.published_at < now - LISTED_AFTER,
                Submission.published_as == Submission.id,
            )
            .order_by(Submission.seq)
        )
        if row.id not in listed
    ]
    gone = {row.id for row in lost}
    for row in lost:
        move(conn, now, [row.seq], State.QUEUED, blocked=row.base in gone, in_doubt=True, next_attempt_at=None)
        conn.execute(  # a correction that waits on top of it goes after it
            update(Submission)
            .where(Submission.chain_id == row.chain_id, Submission.base == row.id, Submission.state == State.QUEUED)
            .values(blocked=True)
        )
    return Reconciled(len(waiting), len(lost), len(different))
