"""What a worker takes from the queue: leases. Claiming costs the same however many wait."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.outbox.states import move
from resultsq.store.stepped import LEASE_SLACK_S, latest, passed
from resultsq.store.tables import Attempt, Event, Hold, Payload, Submission, UtcDateTime

REFUSED_WAIT_S = 60.0
"""While the master refuses our credentials one submission is tried each minute (upload contract)."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One submission in a courier's hands, with all that the courier needs; its row and its attempt's row
    are committed before the courier sees it."""

    lease: str
    seq: int
    submission: str
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
    """How long a lease lasts: longer than the call can (20 s and its compressed bytes at 4 kB/s; sheets
    compress to less than a third), so that a lease outlives its courier's call."""
    return 25.0 + size / 12_000


def in_flight(conn: Connection, now: datetime) -> tuple[int, list[int]]:
    """How many leases run, and the seqs of those that have run out. A lease that ends further ahead than
    it is long was written before the clock was set back: it counts as run out."""
    running, ended = 0, []
    for row in conn.execute(_OUT):
        if passed(row.lease_until, row.lease_s, now, LEASE_SLACK_S):
            ended.append(row.seq)
        else:
            running += 1
    return running, ended


_OUT = select(Submission.seq, Submission.lease_until, Submission.lease_s).where(Submission.state == State.SENDING)


def claim(conn: Connection, now: datetime, worker: str, room: int, return_seq: int, turns: int) -> list[Lease]:
    """Lease up to `room` submissions: one that was accepted after the link's last return (`return_seq`) for
    one from before, so that neither waits for the other; within each, in order."""
    if room <= 0:
        return []
    asked = {
        "now": now,
        "refused_until": latest(now, REFUSED_WAIT_S),
        "return_seq": return_seq,
        "room": room,
    }
    old, fresh, again = (conn.execute(query, asked).all() for query in (_OLD, _FRESH, _AGAIN))
    backlog = list(_in_turn(again, old))
    chosen: list[Row[Any]] = []
    refused: set[int] = set()
    for row in _in_turn(fresh, backlog) if turns % 2 else _in_turn(backlog, fresh):
        if len(chosen) == room:
            break
        if row.event_id in refused:
            continue
        if row.refused_at is not None:
            refused.add(row.event_id)
        chosen.append(row)
    if refused:
        next_at = now + timedelta(seconds=REFUSED_WAIT_S)
        conn.execute(update(Event).where(Event.id.in_(refused)).values(refused_next_at=next_at))
    return _lease(conn, now, worker, chosen) if chosen else []


def _candidates(*where: Any) -> Any:
    """Claimable rows by one range of ix_submissions_due. Built once: a claim is made for every few sheets."""
    now, refused_until = bindparam("now", type_=UtcDateTime()), bindparam("refused_until", type_=UtcDateTime())
    held = select(Hold.id).where(
        Hold.released_at.is_(None),
        or_(Hold.release_at.is_(None), Hold.release_at > now),
        Hold.scope == "event",
        Hold.event_id == Submission.event_id,
    )
    return (
        select(
            Submission.seq,
            Submission.id,
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
            Event.slug,
            Event.refused_at,
        )
        .join(Event, Event.id == Submission.event_id)
        .where(
            Submission.state == State.QUEUED,
            Submission.blocked.is_(False),
            Submission.hold_id.is_(None),
            *where,
            # one a minute; a time further ahead than that was written before the clock was set back
            or_(Event.refused_at.is_(None), Event.refused_next_at <= now, Event.refused_next_at > refused_until),
            ~held.exists(),
        )
        # by all of the index: PostgreSQL does not see that what is NULL everywhere needs no order
        .order_by(Submission.hold_id, Submission.next_attempt_at, Submission.seq)
        .limit(bindparam("room"))
        .with_for_update(skip_locked=True, of=Submission)
    )


_NEVER_PUT_OFF = Submission.next_attempt_at.is_(None)
_OLD = _candidates(_NEVER_PUT_OFF, Submission.seq <= bindparam("return_seq"))
_FRESH = _candidates(_NEVER_PUT_OFF, Submission.seq > bindparam("return_seq"))
_AGAIN = _candidates(Submission.next_attempt_at <= bindparam("now", type_=UtcDateTime()))


def _in_turn(one: Sequence[Row[Any]], other: Sequence[Row[Any]]) -> Iterable[Row[Any]]:
    """One of the first for one of the second; the rest of the longer one behind."""
    for pair in zip(one, other, strict=False):
        yield from pair
    shorter = min(len(one), len(other))
    yield from one[shorter:]
    yield from other[shorter:]


def _lease(conn: Connection, now: datetime, worker: str, rows: list[Row[Any]]) -> list[Lease]:
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
    bodies = {row.seq: row.body for row in conn.execute(_BODIES, {"seqs": [row.seq for row in rows]})}
    return [
        Lease(
            lease=names[row.seq],
            seq=row.seq,
            submission=row.id,
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


def void_leases(conn: Connection, now: datetime, worker: str) -> int:
    """A worker has just started under this name: whatever the name still holds died with the one before."""
    seqs = list(
        conn.execute(
            select(Submission.seq).where(Submission.state == State.SENDING, Submission.lease_owner == worker)
        ).scalars()
    )
    reclaim(conn, now, seqs)
    return len(seqs)


def reclaim(conn: Connection, now: datetime, seqs: Sequence[int]) -> None:
    """Back to the queue with attempts whose end nobody knows; the next one asks the master for a receipt."""
    if not seqs:
        return
    leases = select(Submission.lease).where(Submission.seq.in_(seqs))
    conn.execute(
        update(Attempt)
        .where(Attempt.lease.in_(leases), Attempt.ended_at.is_(None))
        .values(
            ended_at=now,
            outcome="unknown",
            cause=Cause.WORKER_GONE,
            fingerprint=Cause.WORKER_GONE,
            detail="The worker stopped with this submission in hand; the next attempt asks the master about it.",
        )
    )
    move(conn, now, seqs, State.QUEUED, in_doubt=True, next_attempt_at=None, cause=Cause.WORKER_GONE)


def release_from_link(conn: Connection) -> None:
    """The link is back: whoever waits for anything but the master's own word waits no longer. Touches only
    those that were in a courier's hands when it went."""
    conn.execute(
        update(Submission)
        .where(
            Submission.state == State.QUEUED,
            Submission.blocked.is_(False),
            Submission.hold_id.is_(None),  # what is held waits for nothing else once it is released
            Submission.next_attempt_at.is_not(None),
            Submission.wait_for != "master",
        )
        .values(next_attempt_at=None, wait_for=None, failures=0)
    )


def mend_stepped_clock(conn: Connection, now: datetime) -> int:
    """A wait that ends further ahead than it is long was written before the clock was set back: it is over."""
    waiting = conn.execute(
        select(Submission.seq, Submission.next_attempt_at, Submission.wait_s).where(
            Submission.state == State.QUEUED,
            Submission.blocked.is_(False),
            Submission.hold_id.is_(None),
            Submission.next_attempt_at > now,
        )
    )
    over = [row.seq for row in waiting if row.next_attempt_at > latest(now, row.wait_s)]
    for start in range(0, len(over), 500):
        conn.execute(
            update(Submission).where(Submission.seq.in_(over[start : start + 500])).values(next_attempt_at=None)
        )
    return len(over)
