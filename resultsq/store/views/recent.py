"""The last attempts at the master, whatever they came to. Read only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from resultsq.store.engine.tables import Attempt, Event, Submission


@dataclass(frozen=True, slots=True)
class RecentAttempt:
    """One attempt that has ended. `outcome` is accepted, deferred, rejected, conflict, … ; `cause` why, in one word."""

    ended_at: datetime | None
    event: str
    date: str
    version: int
    kind: str
    outcome: str | None
    cause: str | None
    status: int | None
    duration_s: float | None


def attempts(conn: Connection, most: int) -> list[RecentAttempt]:
    """The last that ended, newest first."""
    query = (
        select(
            Attempt.ended_at,
            Event.slug,
            Submission.date,
            Submission.version,
            Submission.kind,
            Attempt.outcome,
            Attempt.cause,
            Attempt.status,
            Attempt.duration_s,
        )
        .join(Submission, Submission.seq == Attempt.seq)
        .join(Event, Event.id == Submission.event_id)
        .where(Attempt.ended_at.is_not(None))
        .order_by(Attempt.ended_at.desc())
        .limit(most)
    )
    return [RecentAttempt(*row) for row in conn.execute(query)]
