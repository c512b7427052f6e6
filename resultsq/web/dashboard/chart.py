"""The chart, drawn on the server as SVG. Colours are classes (static/admin/admin.css): light and dark follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from resultsq.domain import cldr
from resultsq.store.views.chart_points import Point, Span
from resultsq.store.views.overview_data import OutageView

WIDTH, HEIGHT = 720, 250
_LEFT, _RIGHT = 56, 8


class _Panel(NamedTuple):
    top: int
    bottom: int


WAITING, FLOW = _Panel(10, 115), _Panel(140, 222)


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class ChartReading:
    """What the chart says of one step: shown where the pointer is, or by arrow keys. `x` and `width` are its column."""

    x: float
    width: float
    at: datetime
    until: datetime
    time: str
    waiting: int
    accepted: int
    published: int


@dataclass(frozen=True, slots=True)
class Band:
    """An outage: its shaded range, and its label."""

    x: float
    width: float
    began_at: datetime
    ended_at: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws: paths in the view box WIDTH × HEIGHT."""

    waiting: str
    accepted: str
    published: str
    bands: Sequence[Band]
    readings: Sequence[ChartReading]
    zone: str
    across: Sequence[Tick]
    up_waiting: Sequence[Tick]
    up_flow: Sequence[Tick]
    most_waiting: int
    accepted_count: int
    published_count: int


@dataclass(frozen=True, slots=True)
class Away:
    """Outages within a time: how many, how long in all, and the longest."""

    count: int
    total_s: float
    longest_s: float


def away(outages: Sequence[OutageView], start: datetime, now: datetime) -> Away:
    """The parts of `outages` that lie between `start` and `now`."""
    lengths = [(min(one.ended_at or now, now) - max(one.began_at, start)).total_seconds() for one in outages]
    lengths = [length for length in lengths if length > 0]
    return Away(len(lengths), sum(lengths), max(lengths, default=0.0))


def draw(points: Sequence[Point], outages: Sequence[OutageView], span: Span, zone: tzinfo) -> Chart:
    """The chart of `points`, at least two of them."""
    start, end = points[0].at, points[-1].at + span.step

    def x(at: datetime) -> float:
        part = (at - start) / (end - start)
        return round(_LEFT + min(1.0, max(0.0, part)) * (WIDTH - _LEFT - _RIGHT), 1)

    tallest = _round_up(max(point.waiting for point in points))
    busiest = _round_up(max(max(point.accepted, point.published) for point in points))
    over = [(x(point.at + span.step), _y(point.waiting, tallest, WAITING)) for point in points]
    area = f"M{_LEFT},{WAITING.bottom}L{_LEFT},{over[0][1]}L{_line(over)}L{over[-1][0]},{WAITING.bottom}Z"
    return Chart(
        waiting=area,
        accepted="M" + _line([(x(p.at + span.step / 2), _y(p.accepted, busiest, FLOW)) for p in points]),
        published="M" + _line([(x(p.at + span.step / 2), _y(p.published, busiest, FLOW)) for p in points]),
        bands=[
            Band(
                x(one.began_at),
                max(1.5, round(x(one.ended_at or end) - x(one.began_at), 1)),
                one.began_at,
                one.ended_at,
                one.cause,
            )
            for one in outages
            if (one.ended_at or end) > start
        ],
        readings=[
            ChartReading(
                x(point.at),
                round(x(point.at + span.step) - x(point.at), 1),
                point.at,
                point.at + span.step,
                _clock(point.at.astimezone(zone), span),
                point.waiting,
                point.accepted,
                point.published,
            )
            for point in points
        ],
        zone=str(zone),
        across=[Tick(x(at), text) for at, text in _times(start, end, span, zone)],
        up_waiting=_figures(tallest, WAITING),
        up_flow=_figures(busiest, FLOW),
        most_waiting=max(point.waiting for point in points),
        accepted_count=sum(point.accepted for point in points),
        published_count=sum(point.published for point in points),
    )


def _line(places: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x},{y}" for x, y in places)


def _y(value: int, most: int, panel: _Panel) -> float:
    return round(panel.bottom - value / most * (panel.bottom - panel.top), 1)


def _round_up(most: int) -> int:
    """The next of 4, 10, 20, 40, 100, …: a scale that halves evenly and jumps seldom."""
    size = 1
    while True:
        for factor in (4, 10, 20):
            if most <= factor * size:
                return factor * size
        size *= 10


def _figures(most: int, panel: _Panel) -> list[Tick]:
    return [Tick(_y(value, most, panel), cldr.number(value)) for value in (0, most // 2, most)]


def _clock(at: datetime, span: Span) -> str:
    clock = f"{at:%H:%M:%S}" if span is Span.MINUTES else f"{at:%H:%M}"
    return f"{cldr.short_day(at, with_year=False)} {clock}" if span is Span.MONTH else clock


def _times(start: datetime, end: datetime, span: Span, zone: tzinfo) -> list[tuple[datetime, str]]:
    every = {
        Span.MINUTES: timedelta(minutes=2),
        Span.HOUR: timedelta(minutes=10),
        Span.DAY: timedelta(hours=4),
        Span.MONTH: timedelta(days=5),
    }[span]
    local = start.astimezone(zone)
    at = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if span is not Span.MONTH:
        at += (local - at) // every * every
    found = []
    while at < end:
        # the label needs room on both sides
        if start + (end - start) * 0.02 <= at <= end - (end - start) * 0.03:
            found.append((at, cldr.short_day(at, with_year=False) if span is Span.MONTH else f"{at:%H:%M}"))
        at += every
    return found
