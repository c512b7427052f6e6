"""The points of the chart: how many submissions came, were published and waited, step by step. Read only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, case, func, literal, literal_column, select

from resultsq.domain.submission import WAITING
from resultsq.store.engine import sql_time
from resultsq.store.engine.queue_tables import CEASED
from resultsq.store.engine.tables import Submission
from resultsq.store.views import state_counts


class Span(Enum):
    """What the chart shows up to now, and the step of its points. Steps are whole parts of a UTC day."""

    MINUTES = "10m", timedelta(minutes=10), timedelta(seconds=10)
    HOUR = "1h", timedelta(hours=1), timedelta(minutes=1)
    DAY = "24h", timedelta(hours=24), timedelta(minutes=10)
    MONTH = "30d", timedelta(days=30), timedelta(hours=6)

    def __init__(self, label: str, length: timedelta, step: timedelta) -> None:
        self.label, self.length, self.step = label, length, step


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the chart: how many were accepted and published in it, and how many waited at its end."""

    at: datetime
    accepted: int
    published: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Flow:
    """How many were accepted and published in each step, by its beginning; one in which none were is left out."""

    accepted: Mapping[datetime, int]
    published: Mapping[datetime, int]


def first_step(until: datetime, span: Span) -> datetime:
    """When the first step of a chart up to `until` begins."""
    return _floor(until, span.step) - span.length + span.step


def flow(conn: Connection, start: datetime, until: datetime, span: Span) -> Flow:
    """What came and what was published from `start` on, where a step begins, up to `until` and at it."""
    accepted = _in_steps(conn, Submission.accepted_at, start, until, span)
    return Flow(accepted, _in_steps(conn, Submission.published_at, start, until, span))


def series(
    conn: Connection, until: datetime, span: Span, waiting: int, flows: Sequence[Flow] | None = None
) -> list[Point]:
    """The points of the chart up to `until`, oldest first; the last step may not be over yet. How many waited is
    reckoned backwards from `waiting`, how many did at the end, by those that came and went since. `flows`: of the
    whole time, one after the other, where the caller has them."""
    last, start = _floor(until, span.step), first_step(until, span)
    flows = [flow(conn, start, until, span)] if flows is None else flows
    accepted = {at: number for one in flows for at, number in one.accepted.items()}
    published = {at: number for one in flows for at, number in one.published.items()}
    left = _gone_in_steps(conn, start, until, span)
    points: list[Point] = []
    at = last
    while at >= start:
        came, went = accepted.get(at, 0), published.get(at, 0)
        points.append(Point(at, came, went, max(0, waiting)))
        waiting += went + left.get(at, 0) - came
        at -= span.step
    return points[::-1]


def fitting_span(conn: Connection, now: datetime) -> Span:
    """What to show unasked: the last hour, or less of a node that has only just begun."""
    first = conn.execute(select(func.min(Submission.accepted_at))).scalar_one_or_none()
    return Span.MINUTES if first is not None and now - first < Span.MINUTES.length else Span.HOUR


def accepted_between(conn: Connection, start: datetime, end: datetime) -> int:
    """How many were accepted from `start` on and before `end`."""
    within = (Submission.accepted_at >= start, Submission.accepted_at < end)
    return conn.execute(select(func.count()).where(*within)).scalar_one()


def waiting_at(conn: Connection, at: datetime) -> int:
    """How many waited then."""
    came = Submission.accepted_at <= at
    each = state_counts.waiting_of_each_event().subquery()
    of_one = and_(Submission.published_at.is_(None), Submission.event_id == each.c.event_id)
    still = select(func.count()).where(of_one, came, Submission.state.in_(sorted(WAITING))).correlate(each)
    still = still.with_hint(Submission, "INDEXED BY ix_submissions_open", "sqlite")
    counts = (
        select(func.count()).where(Submission.published_at > at, came),
        select(func.count()).where(CEASED, Submission.state_at > at, came),
        select(func.coalesce(func.sum(still.scalar_subquery()), 0)).select_from(each),
    )
    return sum(int(conn.execute(one).scalar_one()) for one in counts)


def _floor(moment: datetime, step: timedelta) -> datetime:
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step


def _in_steps(conn: Connection, column: Any, start: datetime, until: datetime, span: Span) -> dict[datetime, int]:
    """How many rows have a time in each step from `start` to `until`, counted in the column's own index: a month of
    rows is not sorted into steps one by one."""
    step_s, first = int(span.step.total_seconds()), int(start.timestamp())
    steps = select(literal(first, BigInteger).label("at")).cte("steps", recursive=True)
    steps = steps.union_all(select(steps.c.at + step_s).where(steps.c.at + step_s <= int(until.timestamp())))
    ends = steps.c.at + step_s  # one upper bound: SQLite would compare each row with a second one
    to = case((ends > int(until.timestamp()), literal(until + _INSTANT)), else_=sql_time.moment(conn, ends))
    counted = select(func.count()).where(column >= sql_time.moment(conn, steps.c.at), column < to).correlate(steps)
    found = conn.execute(select(steps.c.at, counted.scalar_subquery()))
    return {datetime.fromtimestamp(at, UTC): count for at, count in found if count}


_INSTANT = timedelta(microseconds=1)


def _gone_in_steps(conn: Connection, start: datetime, until: datetime, span: Span) -> dict[datetime, int]:
    """How many ceased to wait in each step without being published."""
    length = int(span.step.total_seconds())
    step = (sql_time.since_1970(conn, Submission.state_at) // length).label("step")
    query = select(step, func.count()).where(CEASED, Submission.state_at >= start, Submission.state_at <= until)
    found = conn.execute(query.group_by(literal_column("step")))
    return {datetime.fromtimestamp(int(n) * length, UTC): count for n, count in found}
