"""Leases: a worker's right to send a submission, for a while. Claiming costs the same however many wait."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, insert, select, update

from resultsq.domain.clock_steps import LEASE_SLACK_S, passed
from resultsq.domain.dispatch_plan import Queue
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.engine.personal import opened
from resultsq.store.engine.tables import MASTER, Attempt, Payload, Submission
from resultsq.store.engine.whole import is_whole
from resultsq.store.outbox import candidates
from resultsq.store.outbox.aside import DAMAGED, NO_KIND, NO_SHEET, cannot_go, put_aside
from resultsq.store.outbox.chains import ACCOMPANIED, follow_on, step_over
from resultsq.store.outbox.refusals import tried
from resultsq.store.outbox.states import MAY_HAVE_LEFT, lock_all, move


@dataclass(frozen=True, slots=True)
class Lease:
    """One submission to send, with all that a sender needs. Its row and its attempt's row are committed before a sender
    gets it."""

    lease: str
    seq: int
    submission: str
    kind: str
    event: str
    date: str
    body: bytes
    digest: str
    base: str | None
    in_doubt: bool
    attempt: int
    failures: int
    silences: int
    request_id: str


def lease_s(size: int) -> float:
    """How long a lease lasts: longer than the call can (20 s and its bytes at 4 kB/s), so that a lease outlives its
    sender's call. What travels is packed and smaller, but by how much depends on the sheet."""
    return 25.0 + size / 4_000


def claim(
    conn: Connection,
    now: datetime,
    worker: str,
    free_slots: int,
    epoch: int,
    turns: int,
    queue: Queue,
    kinds: Collection[str] | None = None,
    trial: bool = False,
    destination: str = MASTER,
) -> tuple[list[Lease], int]:
    """Lease up to `free_slots` submissions: one that was accepted after the link's last return (in this `epoch`) for
    one from before, so that neither waits for the other; within each, round by round. The last round of the epoch that
    was claimed from, too, or 0. `kinds` are those that can be sent, and one of another is put aside; None: whatever
    comes. `trial`: where none may go, the first of those that wait for the link or by themselves."""
    if free_slots <= 0:
        return [], 0
    found = candidates.of(conn, now, free_slots, epoch, turns, queue, trial, destination)
    backlog = list(_in_turn(found.again, found.old))
    chosen: list[Row[Any]] = []
    refused: set[tuple[str, int]] = set()
    for why in (NO_SHEET, NO_KIND):
        put_aside(conn, now, [row.seq for row in (*backlog, *found.fresh) if cannot_go(row, kinds) == why], why)
    for row in _in_turn(found.fresh, backlog) if turns % 2 else _in_turn(backlog, found.fresh):
        if len(chosen) == free_slots:
            break
        if (row.kind, row.event_id) in refused or cannot_go(row, kinds):
            continue
        if row.refused_at is not None:
            refused.add((row.kind, row.event_id))
        chosen.append(row)
    tried(conn, now, refused)
    last = _last_round(chosen, epoch)
    return (_lease(conn, now, worker, chosen) if chosen else []), last


def claim_these(
    conn: Connection, now: datetime, worker: str, seqs: Sequence[int], destination: str = MASTER
) -> list[Lease]:
    """Lease these, those of them that may go."""
    rows = [row for row in candidates.these(conn, now, seqs, destination) if row.sheet is not None]
    _last_round(rows, 0)  # as a claim does
    return _lease(conn, now, worker, rows) if rows else []


def _last_round(rows: Sequence[Row[Any]], epoch: int) -> int:
    rounds = [(row.epoch, int(row.round)) for row in rows]
    return max((number for its_epoch, number in rounds if its_epoch == epoch), default=0)


def _in_turn(one: Sequence[Row[Any]], other: Sequence[Row[Any]]) -> Iterable[Row[Any]]:
    """One of the first for one of the second; the rest of the longer one behind."""
    for pair in zip(one, other, strict=False):
        yield from pair
    shorter = min(len(one), len(other))
    yield from one[shorter:]
    yield from other[shorter:]


def _lease(conn: Connection, now: datetime, worker: str, rows: Sequence[Row[Any]]) -> list[Lease]:
    bodies = _bodies(conn, now, rows)
    rows = [row for row in rows if row.seq in bodies]
    if not rows:
        return []
    names = {row.seq: str(uuid.uuid4()) for row in rows}
    conn.execute(
        _TAKE,
        [
            {
                "_seq": row.seq,
                "_now": now,
                "_lease": names[row.seq],
                "_owner": worker,
                "_until": now + timedelta(seconds=lease_s(row.size)),
                "_length": lease_s(row.size),
            }
            for row in rows
        ],
    )
    conn.execute(
        _BEGIN_ATTEMPT,
        [
            {"seq": row.seq, "number": row.attempts + 1, "lease": names[row.seq], "worker": worker, "started_at": now}
            for row in rows
        ],
    )
    return [
        Lease(
            lease=names[row.seq],
            seq=row.seq,
            submission=row.id,
            kind=row.kind,
            event=row.slug,
            date=row.date,
            body=bodies[row.seq],
            digest=row.digest,
            base=row.base,
            in_doubt=row.in_doubt,
            attempt=row.attempts + 1,
            failures=row.failures,
            silences=row.silences,
            request_id=row.request_id,
        )
        for row in rows
    ]


def _bodies(conn: Connection, now: datetime, rows: Sequence[Row[Any]]) -> dict[int, bytes]:
    """What is to be sent, by `seq`. What the disk has spoiled is put aside, and is not among them."""
    kept = {row.seq: row.body for row in conn.execute(_BODIES, {"seqs": [row.seq for row in rows]})}
    bodies = {row.seq: opened(conn, kept[row.seq], row.id) for row in rows}
    damaged = [row.seq for row in rows if not is_whole(bodies[row.seq], row.digest)]
    put_aside(conn, now, damaged, DAMAGED)
    return {seq: body for seq, body in bodies.items() if seq not in damaged}


_TAKE = (
    update(Submission)
    .where(Submission.seq == bindparam("_seq"), Submission.state == State.QUEUED)
    .values(
        state=State.SENDING,
        state_at=bindparam("_now"),
        lease=bindparam("_lease"),
        lease_owner=bindparam("_owner"),
        lease_until=bindparam("_until"),
        lease_s=bindparam("_length"),
        attempts=Submission.attempts + 1,
    )
)
_BEGIN_ATTEMPT = insert(Attempt)
_BODIES = select(Payload.seq, Payload.body).where(Payload.seq.in_(bindparam("seqs", expanding=True)))


def void_leases(conn: Connection, now: datetime, worker: str, destination: str = MASTER) -> int:
    """A worker has just started under this name: whatever the name still holds died with the one before."""
    seqs = list(conn.execute(_SEQS_HELD_BY, {"owner": worker, "destination": destination}).scalars())
    reclaim(conn, now, seqs)
    return len(seqs)


_HELD_BY = and_(
    Submission.state == State.SENDING,
    Submission.destination == bindparam("destination"),
    Submission.lease_owner == bindparam("owner"),
)
_SEQS_HELD_BY = select(Submission.seq).where(_HELD_BY)
_LEASES_HELD_BY = select(Submission.lease).where(_HELD_BY)


def leased(conn: Connection, destination: str = MASTER) -> Sequence[int]:
    """The seqs of all that workers hold; nothing else of their rows is read."""
    sending = and_(Submission.state == State.SENDING, Submission.destination == destination)
    held = select(Submission.seq).where(sending).order_by(Submission.seq)
    return conn.execute(held).scalars().all()


def unknown_leases(conn: Connection, worker: str, known: Collection[str], destination: str = MASTER) -> list[str]:
    """Leases that this worker does not know of: the answer to the COMMIT that made them was lost."""
    held = conn.execute(_LEASES_HELD_BY, {"owner": worker, "destination": destination}).scalars()
    return [lease for lease in held if lease and lease not in known]


def take_back(conn: Connection, now: datetime, seqs: Sequence[int]) -> None:
    """Look whether the leases of these have run out, and take them back whether they have or not."""
    for row in conn.execute(select(Submission.lease_until, Submission.lease_s).where(Submission.seq.in_(seqs))):
        passed(row.lease_until, row.lease_s, now, LEASE_SLACK_S)
    still = select(Submission.seq).where(Submission.seq.in_(seqs), Submission.state == State.SENDING)
    reclaim(conn, now, conn.execute(still).scalars().all())


def release_leases(conn: Connection, now: datetime, leases: Sequence[str]) -> None:
    """Undo the claim of prefetched leases that were never begun. A lease that ran out is left alone."""
    if not leases:
        return
    own = and_(Submission.lease.in_(leases), Submission.state == State.SENDING)
    lock_all(conn, own)
    columns = (Submission.seq, Submission.chain_id, Submission.in_doubt, ACCOMPANIED)
    locked = select(*columns).where(own).order_by(Submission.seq).with_for_update(of=Submission)
    rows = conn.execute(locked).all()
    move(conn, now, [row.seq for row in rows], State.QUEUED, attempts=Submission.attempts - 1)
    conn.execute(delete(Attempt).where(Attempt.lease.in_(leases), Attempt.ended_at.is_(None)))
    for row in rows:
        if row.accompanied and not row.in_doubt:
            step_over(conn, now, row.chain_id, row.seq)
            follow_on(conn, row.chain_id)


def note_departure(conn: Connection, submission: str, lease: str) -> bool:
    """The bytes of a leased submission are about to leave for a destination that gives no receipts: from the commit on
    it is in doubt. False: the lease is another worker's by now, and the bytes must stay here."""
    held = and_(Submission.id == submission, Submission.lease == lease, Submission.state == State.SENDING)
    return conn.execute(update(Submission).where(held).values(in_doubt=True)).rowcount == 1


def reclaim(conn: Connection, now: datetime, seqs: Sequence[int]) -> None:
    """Back to the queue with attempts whose end is unknown; the next one asks the master for a receipt."""
    if not seqs:
        return
    # as they are now: one may have been settled by the master's own list since it was looked for
    sent = and_(Submission.seq.in_(seqs), Submission.state == State.SENDING)
    seqs = conn.execute(select(Submission.seq).where(sent).order_by(Submission.seq).with_for_update()).scalars().all()
    leases = select(Submission.lease).where(Submission.seq.in_(seqs))
    conn.execute(
        update(Attempt)
        .where(Attempt.lease.in_(leases), Attempt.ended_at.is_(None))
        .values(
            ended_at=now,
            outcome="unknown",
            cause=Cause.WORKER_GONE,
            fingerprint=Cause.WORKER_GONE,
            detail="The worker stopped with this submission in hand, so the end of this attempt is not known.",
        )
    )
    move(conn, now, seqs, State.QUEUED, in_doubt=MAY_HAVE_LEFT, next_attempt_at=None, cause=Cause.WORKER_GONE)
