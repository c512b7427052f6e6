"""The figures of the operators' overview. Read only; what counts many rows reads one index and no row.

`live_status` is what must be fresh each second or two; the other figures may be as old as they are dear.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from resultsq.domain.delays import Delays
from resultsq.domain.submission import NEEDS_A_PERSON, WAITING, State
from resultsq.store.engine import sql_time
from resultsq.store.engine.tables import MASTER, Attempt, Event, Outage, Submission
from resultsq.store.outbox import refusals, workers
from resultsq.store.views import mail_link, queries, relays, state_counts
from resultsq.store.views.mail_link import MailLink
from resultsq.store.views.queries import HoldView, LinkView

RATE_S = 60.0
"""The present rate counts the publications of as many seconds, or since the link's return."""

SLOW_START_S = 2.0
"""About what the careful first seconds after a return cost."""

RECENT = 50
CONCURRENCY = 8
"""Sheets on their way at once at full speed, for an estimate; the setting may differ."""

OUTAGES_SHOWN = 10
EVENTS_SHOWN = 15
AGE_BANDS_MIN = (5, 10, 20, 40, 80, 160, 320, 640)
"""Upper ends of the age columns in minutes, each twice the one before, as in Postfix's qshape."""


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
    waiting_by_kind: Mapping[str, int]
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
    mail: MailLink | None = None
    at_relays: int = 0

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


def live_status(conn: Connection, now: datetime) -> LiveStatus:
    """What the banner and the figures beside it say."""
    link = queries.link(conn)
    seen = workers.every(conn)
    found = state_counts.look(conn)
    return LiveStatus(
        at=now,
        counts=found.in_each_state(of_the_master=True),
        waiting_by_kind=found.waiting_by_kind(),
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
        mail=mail_link.look(conn, found),
        at_relays=relays.count_safe(conn),
    )


def needs_person(conn: Connection) -> list[NeedsPerson]:
    """What no amount of waiting heals, the largest group first."""
    number = func.count()
    query = (
        select(Submission.state, Submission.fingerprint, number)
        .where(Submission.state.in_(sorted(NEEDS_A_PERSON)), Submission.destination == MASTER)
        .group_by(Submission.state, Submission.fingerprint)
        .order_by(number.desc())
    )
    return [NeedsPerson(State(state), fingerprint or "", count) for state, fingerprint, count in conn.execute(query)]


_OF_MASTER = select(Outage).where(Outage.link == MASTER)


def outages(conn: Connection, since: datetime) -> list[OutageView]:
    """Outages that were going on at `since` or later, newest first."""
    over = Outage.ended_at.is_(None) | (Outage.ended_at >= since)
    rows = conn.execute(_OF_MASTER.where(over).order_by(Outage.began_at.desc()).limit(200))
    return [_outage(row) for row in rows]


def latest_outages(conn: Connection) -> list[OutageView]:
    """The last few, newest first."""
    rows = conn.execute(_OF_MASTER.order_by(Outage.began_at.desc()).limit(OUTAGES_SHOWN))
    return [_outage(row) for row in rows]


def delays(conn: Connection, since: datetime, until: datetime | None = None) -> Delays:
    """From accepted to published, of publications since then, and before `until`."""
    within = [Submission.published_at >= since]
    if until is not None:
        within.append(Submission.published_at < until)
    return sql_time.delays(conn, *within)


def waiting_by_age(conn: Connection, now: datetime) -> WaitingByAge:
    """Waiting submissions by age and event."""
    edges = [now - timedelta(minutes=minutes) for minutes in AGE_BANDS_MIN]
    found = {row.event_id: _bands(row) for row in conn.execute(_by_age(edges))}
    most = sorted(found, key=lambda event_id: (-sum(found[event_id]), event_id))[:EVENTS_SHOWN]
    slugs = {row.id: row.slug for row in conn.execute(select(Event.id, Event.slug).where(Event.id.in_(most)))}
    total = tuple(sum(column) for column in zip(*found.values(), strict=True)) or (0,) * (len(edges) + 1)
    return WaitingByAge(
        AgeRow("", total),
        [AgeRow(slugs[event_id], found[event_id]) for event_id in most],
        len(found) - len(most),
    )


def _bands(row: Any) -> tuple[int, ...]:
    """Of a row of `_by_age`; what is in none of its bands is older."""
    _, waiting, *bands = row
    return (*bands, int(waiting) - sum(bands))


def _by_age(edges: Sequence[datetime]) -> Select[Any]:
    """Of each event of which some wait, how many, and how many of them in each band. Each is a range of
    ix_submissions_open; what waits longer than all bands is never read."""
    each = state_counts.waiting_of_each_event().subquery()
    waits = and_(
        Submission.published_at.is_(None),
        Submission.event_id == each.c.event_id,
        Submission.state.in_(sorted(WAITING)),
    )
    bands = []
    for after, until in zip(edges, [None, *edges[:-1]], strict=True):
        within = [Submission.accepted_at > after] + ([] if until is None else [Submission.accepted_at <= until])
        band = select(func.count()).where(waits, *within).correlate(each)
        bands.append(band.with_hint(Submission, "INDEXED BY ix_submissions_open", "sqlite").scalar_subquery())
    return select(each.c.event_id, each.c.waiting, *bands)


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
    row = conn.execute(_OF_MASTER.order_by(Outage.began_at.desc()).limit(1)).first()
    if row is None or row.ended_at is None or link is None:
        return None if row is None else _outage(row)
    before = and_(Submission.seq <= row.last_seq, Submission.destination == MASTER)
    remaining = _remaining(conn, row.last_seq)
    caught_up_at = None
    if not remaining and row.delayed:
        # backwards from the newest: passes over those accepted since
        caught_up_at = conn.execute(
            select(Submission.published_at)
            .where(Submission.published_at >= row.ended_at, before)
            .order_by(Submission.published_at.desc())
            .limit(1)
        ).scalar_one_or_none()
    return OutageView(
        row.id, row.began_at, row.ended_at, row.cause, row.detail, row.probes, row.delayed, remaining, caught_up_at
    )  # fmt: skip


def _remaining(conn: Connection, last_seq: int) -> int:
    """How many wait for the master up to that one: all that wait, without those that came later. In one statement:
    what is accepted meanwhile is in both figures or in neither."""
    later = (
        select(func.count())
        .where(
            Submission.published_at.is_(None),
            Submission.destination == MASTER,
            Submission.state.in_(sorted(WAITING)),
            Submission.seq > last_seq,
        )
        .with_hint(Submission, "INDEXED BY ix_submissions_destination", "sqlite")
    )
    waiting = state_counts.waiting_for_master()
    return int(conn.execute(select(waiting.scalar_subquery() - later.scalar_subquery())).scalar_one())
