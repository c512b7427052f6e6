"""Failed attempts by the way in which they failed. Read only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from resultsq.domain.submission import State
from resultsq.store.engine.tables import Attempt, Submission

COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Attempts that failed in the same way, counted up to one more than COUNTED. `now`: the submissions whose last
    attempt did, by state."""

    fingerprint: str
    attempts: int
    first_at: datetime
    last_at: datetime
    cause: str | None
    status: int | None
    detail: str | None
    now: Sequence["ErrorCarrier"]


@dataclass(frozen=True, slots=True)
class ErrorCarrier:
    """Submissions in one state whose last attempt failed like that. Their own fingerprint is what a filter takes."""

    state: State
    fingerprint: str
    count: int


def errors(conn: Connection) -> list[ErrorGroup]:
    """Failures by fingerprint, the latest first."""
    carriers: dict[str, list[ErrorCarrier]] = {}
    # in the order of ix_submissions_failed, which holds them all
    same = (Submission.fingerprint, Submission.cause, Submission.status, Submission.state)
    query = select(*same, func.count()).where(Submission.fingerprint.is_not(None)).group_by(*same)
    for fingerprint, cause, status, state, count in conn.execute(query):
        # written as an attempt writes its own
        key = f"{cause} {status or ''}".strip()
        carriers.setdefault(key, []).append(ErrorCarrier(State(state), str(fingerprint), count))
    groups = [_group(conn, one, carriers.get(one, ())) for one in _fingerprints(conn)]
    return sorted(groups, key=lambda group: group.last_at, reverse=True)


def _fingerprints(conn: Connection) -> Iterable[str]:
    """Each fingerprint once: a step in the index for each, however many attempts carry it."""
    found = ""
    while (
        following := conn.execute(select(func.min(Attempt.fingerprint)).where(Attempt.fingerprint > found)).scalar_one()
    ) is not None:
        yield following
        found = following


def _group(conn: Connection, fingerprint: str, now: Sequence[ErrorCarrier]) -> ErrorGroup:
    same = Attempt.fingerprint == fingerprint
    # one end of the index each: asked for both at once, SQLite would read all between
    first, last = (conn.execute(select(end(Attempt.ended_at)).where(same)).scalar_one() for end in (func.min, func.max))
    some = select(Attempt.fingerprint).where(same).limit(COUNTED + 1).subquery()
    count = conn.execute(select(func.count()).select_from(some)).scalar_one()
    assert first is not None and last is not None  # noqa: S101, PT018 - it was found in the index just now
    # at its time, not the last in order: PostgreSQL would look for it among all attempts, the newest first
    sample = conn.execute(
        select(Attempt.cause, Attempt.status, Attempt.detail).where(same, Attempt.ended_at == last).limit(1)
    ).one()
    return ErrorGroup(fingerprint, count, first, last, sample.cause, sample.status, sample.detail, now)
