"""Submissions that were put off: their waits end when the link is back, or when the clock was set back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from resultsq.domain.clock_steps import latest
from resultsq.domain.destinations import MASTER
from resultsq.domain.submission import State
from resultsq.store.engine.tables import Submission


def release_from_link(conn: Connection, destination: str = MASTER) -> None:
    """The link is back: end all waits but those that the master asked for. Touches only
    those that were in a sender's hands when it went."""
    conn.execute(
        update(Submission)
        .where(
            Submission.state == State.QUEUED,
            Submission.blocked.is_(False),
            Submission.hold_id.is_(None),  # a held one waits for nothing else once it is released
            Submission.destination == destination,
            Submission.next_attempt_at.is_not(None),
            Submission.wait_for != "master",
        )
        .values(next_attempt_at=None, wait_for=None, failures=0)
    )


def mend_stepped_clock(conn: Connection, now: datetime, destination: str = MASTER) -> int:
    """A wait that ends further ahead than it is long was written before the clock was set back: it is over."""
    over = _too_long(conn, now, *_put_off(now, destination))
    for start in range(0, len(over), 500):
        conn.execute(
            update(Submission).where(Submission.seq.in_(over[start : start + 500])).values(next_attempt_at=None)
        )
    return len(over)


def put_off(conn: Connection, now: datetime, destination: str = MASTER) -> Sequence[int]:
    """The seqs of all that wait for a time to come; nothing else of their rows is read."""
    return conn.execute(select(Submission.seq).where(*_put_off(now, destination))).scalars().all()


def waits_too_long(conn: Connection, now: datetime, seqs: Sequence[int]) -> Sequence[int]:
    """Those of these whose wait ends further ahead than it is long."""
    return _too_long(conn, now, Submission.seq.in_(seqs))


def _put_off(now: datetime, destination: str) -> tuple[Any, ...]:
    return (
        Submission.state == State.QUEUED,
        Submission.blocked.is_(False),
        Submission.hold_id.is_(None),
        Submission.destination == destination,
        Submission.next_attempt_at > now,
    )


def _too_long(conn: Connection, now: datetime, *where: Any) -> list[int]:
    columns = (Submission.seq, Submission.next_attempt_at, Submission.wait_s)
    return [
        row.seq for row in conn.execute(select(*columns).where(*where)) if row.next_attempt_at > latest(now, row.wait_s)
    ]
