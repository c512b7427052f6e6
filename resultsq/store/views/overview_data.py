"""The figures of the operators' overview. Read only; what counts many rows reads one index and no row.

`live_status` is what must be fresh each second or two; the other figures may be as old as they are dear.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, case, func, literal, literal_column, or_, select

from resultsq.domain.delays import Delays
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State
from resultsq.store.engine import sql_time
from resultsq.store.engine.tables import Attempt, Event, Outage, Submission
from resultsq.store.outbox import refusals, workers
from resultsq.store.views import queries
from resultsq.store.views.queries import HoldView, LinkView

RATE_S = 60.0
"""The present rate is what was published in as many seconds, or since the link's return."""

SLOW_START_S = 2.0
"""About what the careful first seconds after a return cost."""

RECENT = 50
CONCURRENCY = 8
"""Sheets on their way at once at full speed, for an estimate; the setting may differ."""

COUNTED = 10_000
OUTAGES_SHOWN = 10
EVENTS_SHOWN = 15
AGE_BANDS_MIN = (5, 10, 20, 40, 80, 160, 320, 640)
"""Upper ends of the age columns in minutes, each twice the one before, as in Postfix's qshape."""


class Span(Enum):
    """What the chart shows up to now, and the step of its points. Steps are whole parts of a UTC day."""

    MINUTES = "10m", timedelta(minutes=10), timedelta(seconds=10)
    HOUR = "1h", timedelta(hours=1), timedelta(minutes=1)
    DAY = "24h", timedelta(hours=24), timedelta(minutes=10)
    MONTH = "30d", timedelta(days=30), timedelta(hours=6)

    def __init__(self, label: str, length: timedelta, step: timedelta) -> None:
        self.label, self.length, self.step = label, length, step


@dataclass(frozen=True, slots=True)
class OutageView:
    """An absence of the link or the master. `delayed`: waiting when it ended; `remaining`: of those, now;
    `caught_up_at`: when the last of them was published."""

    id: int
    began_at: datetime
    ended_at: datetime | None
    cause: str
    detail: str | None
    probes: int
    delayed: int
    remaining: int = 0
    caught_up_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The state of things now. `link` None: no worker has ever run here. `held` of those that wait are kept by a
    hold. `rate` is published per second; `usual_rate` what the master took of late at full speed, None: unknown."""

    at: datetime
    counts: Mapping[State, int]
    held: int
    oldest_waiting_at: datetime | None
    link: LinkView | None
    holds: Sequence[HoldView]
    workers_alive: int
    refused_events: Sequence[str]
    rate: float
    usual_rate: float | None
    last: OutageView | None
    groups: Sequence["NeedsPerson"]

    @property
    def waiting(self) -> int:
        return sum(self.counts[state] for state in WAITING)

    @property
    def needs_person(self) -> int:
        return sum(self.counts[state] for state in NEEDS_A_PERSON)

    @property
    def to_send(self) -> int:
        """Those that wait and are not held."""
        return max(0, self.waiting - self.held)

    @property
    def drain_s(self) -> float | None:
        """Seconds until all that is not held is out, at the present rate or else at the usual one; None: unknown."""
        rate = self.rate if self.rate > 0 else self.usual_rate
        return None if not rate else self.to_send / rate

    @property
    def return_s(self) -> float | None:
        """Seconds from the link's return until all that is not held is out; None: unknown."""
        return None if not self.usual_rate else SLOW_START_S + self.to_send / self.usual_rate

    @property
    def destination_hold(self) -> HoldView | None:
        return next((hold for hold in self.holds if hold.scope == "destination"), None)


@dataclass(frozen=True, slots=True)
class NeedsPerson:
    """So many in one state for one reason, the latest of them since `last_at`."""

    state: State
    fingerprint: str
    count: int


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the chart: what came and went in it, and how many waited at its end."""

    at: datetime
    accepted: int
    published: int
    waiting: int


@dataclass(frozen=True, slots=True)
class AgeRow:
    """How many of an event wait, by age: one figure for each band of AGE_BANDS_MIN and one for older."""

    event: str
    bands: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.bands)


@dataclass(frozen=True, slots=True)
class WaitingByAge:
    """Who waits how long. `rows` are the events with most waiting; `others` is how many events are left out."""

    total: AgeRow
    rows: Sequence[AgeRow]
    others: int


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


def live_status(conn: Connection, now: datetime) -> LiveStatus:
    """What the banner and the figures beside it say."""
    link = queries.link(conn)
    seen = workers.every(conn)
    return LiveStatus(
        at=now,
        counts=queries.counts(conn),
        held=queries.held(conn, now),
        oldest_waiting_at=queries.oldest_waiting_at(conn),
        link=link,
        holds=queries.holds(conn, now),
        workers_alive=sum((now - at).total_seconds() < workers.ALIVE_S for _, _, at in seen),
        refused_events=refusals.refused_events(conn),
        rate=_rate(conn, now, link),
        usual_rate=_usual_rate(conn, link),
        last=_last_outage(conn, link),
        groups=needs_person(conn),
    )


def needs_person(conn: Connection) -> list[NeedsPerson]:
    """What no amount of waiting heals, the largest group first."""
    number = func.count()
    query = (
        select(Submission.state, Submission.fingerprint, number)
        .where(Submission.state.in_(sorted(NEEDS_A_PERSON)))
        .group_by(Submission.state, Submission.fingerprint)
        .order_by(number.desc())
    )
    return [NeedsPerson(State(state), fingerprint or "", count) for state, fingerprint, count in conn.execute(query)]


def outages(conn: Connection, since: datetime) -> list[OutageView]:
    """Outages that were going on at `since` or later, newest first."""
    over = Outage.ended_at.is_(None) | (Outage.ended_at >= since)
    rows = conn.execute(select(Outage).where(over).order_by(Outage.began_at.desc()).limit(200))
    return [_outage(row) for row in rows]


def latest_outages(conn: Connection) -> list[OutageView]:
    """The last few, newest first."""
    rows = conn.execute(select(Outage).order_by(Outage.began_at.desc()).limit(OUTAGES_SHOWN))
    return [_outage(row) for row in rows]


def series(conn: Connection, until: datetime, span: Span, waiting: int) -> list[Point]:
    """The points of the chart up to `until`, oldest first; the last step may not be over yet. How many waited is
    reckoned backwards from `waiting`, how many did at the end, by what came and went since."""
    last = _floor(until, span.step)
    start = last - span.length + span.step
    accepted = _in_steps(conn, Submission.accepted_at, start, until, span)
    published = _in_steps(conn, Submission.published_at, start, until, span)
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


def waiting_at(conn: Connection, at: datetime) -> int:
    """How many waited then."""
    later = select(func.count()).where(Submission.published_at > at, Submission.accepted_at <= at)
    left_later = and_(Submission.state.in_(sorted(GONE | NEEDS_A_PERSON)), Submission.state_at > at)
    not_yet = select(func.count()).where(
        Submission.published_at.is_(None),
        Submission.accepted_at <= at,
        or_(Submission.state.in_(sorted(WAITING)), left_later),
    )
    return conn.execute(later).scalar_one() + conn.execute(not_yet).scalar_one()


def delays(conn: Connection, since: datetime, until: datetime | None = None) -> Delays:
    """From accepted to published, of what was published since then, and before `until`."""
    within = [Submission.published_at >= since]
    if until is not None:
        within.append(Submission.published_at < until)
    return sql_time.delays(conn, *within)


def waiting_by_age(conn: Connection, now: datetime) -> WaitingByAge:
    """Age × event of what waits."""
    edges = [now - timedelta(minutes=minutes) for minutes in AGE_BANDS_MIN]
    band = case(
        *[(Submission.accepted_at > edge, literal_column(str(n))) for n, edge in enumerate(edges)],
        else_=literal_column(str(len(edges))),
    ).label("band")
    query = (
        select(Submission.event_id, band, func.count())
        # the first condition is the index's own (ix_submissions_open)
        .where(Submission.published_at.is_(None), Submission.state.in_(sorted(WAITING)))
        .group_by(Submission.event_id, literal_column("band"))
    )
    found: dict[int, list[int]] = {}
    for event_id, n, count in conn.execute(query):
        found.setdefault(event_id, [0] * (len(edges) + 1))[int(n)] = count
    most = sorted(found, key=lambda event_id: (-sum(found[event_id]), event_id))[:EVENTS_SHOWN]
    slugs = {row.id: row.slug for row in conn.execute(select(Event.id, Event.slug).where(Event.id.in_(most)))}
    total = tuple(sum(column) for column in zip(*found.values(), strict=True)) or (0,) * (len(edges) + 1)
    return WaitingByAge(
        AgeRow("", total),
        [AgeRow(slugs[event_id], tuple(found[event_id])) for event_id in most],
        len(found) - len(most),
    )


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


def _rate(conn: Connection, now: datetime, link: LinkView | None) -> float:
    since = now - timedelta(seconds=RATE_S)
    if link is not None and link.returned_at is not None and since < link.returned_at <= now:
        since = link.returned_at
    count = conn.execute(select(func.count()).where(Submission.published_at > since)).scalar_one()
    return count / max(1.0, (now - since).total_seconds())


def _usual_rate(conn: Connection, link: LinkView | None) -> float | None:
    """What the master takes per second at full speed: as many at once as the window allows, each for as long as the
    latest attempts took that it accepted."""
    latest = select(Attempt.outcome, Attempt.duration_s).where(Attempt.ended_at.is_not(None))
    rows = conn.execute(latest.order_by(Attempt.ended_at.desc()).limit(RECENT)).all()
    took = [row.duration_s for row in rows if row.outcome == "accepted" and row.duration_s]
    return None if not took or link is None else CONCURRENCY * len(took) / sum(took)


def _outage(row: Any) -> OutageView:
    return OutageView(
        row.id, row.began_at, row.ended_at, row.cause, row.detail, row.probes, row.delayed
    )  # fmt: skip


def _last_outage(conn: Connection, link: LinkView | None) -> OutageView | None:
    """The present outage, or the last one with how far its backlog has gone out."""
    row = conn.execute(select(Outage).order_by(Outage.began_at.desc()).limit(1)).first()
    if row is None or row.ended_at is None or link is None:
        return None if row is None else _outage(row)
    before = Submission.seq <= row.last_seq
    remaining = conn.execute(
        select(func.count()).where(Submission.state.in_(sorted(WAITING)), before)
    ).scalar_one()  # fmt: skip
    caught_up_at = None
    if not remaining and row.delayed:
        # backwards from the newest: passes over what was accepted since
        caught_up_at = conn.execute(
            select(Submission.published_at)
            .where(Submission.published_at >= row.ended_at, before)
            .order_by(Submission.published_at.desc())
            .limit(1)
        ).scalar_one_or_none()
    return OutageView(
        row.id, row.began_at, row.ended_at, row.cause, row.detail, row.probes, row.delayed, remaining, caught_up_at
    )  # fmt: skip


# steps


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
    gone = Submission.state.in_(sorted(GONE | NEEDS_A_PERSON))
    query = select(step, func.count()).where(gone, Submission.state_at >= start, Submission.state_at <= until)
    found = conn.execute(query.group_by(literal_column("step")))
    return {datetime.fromtimestamp(int(n) * length, UTC): count for n, count in found}
