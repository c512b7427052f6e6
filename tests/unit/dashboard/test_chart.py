"""The chart: everything stays inside its frame, and outages lie where they were."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from resultsq.store.views.chart_points import Point, Span
from resultsq.store.views.overview_data import OutageView
from resultsq.web.dashboard import chart

NOON = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)


def points(span: Span, waiting: int = 0, flow: int = 0) -> list[Point]:
    count = span.length // span.step
    return [Point(NOON + span.step * (n - count), flow, flow, waiting) for n in range(count)]


def places(path: str) -> list[tuple[float, float]]:
    pairs = path.replace("M", "").replace("Z", "").split("L")
    return [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in pairs)]


@pytest.mark.parametrize("span", Span)
@pytest.mark.parametrize(("waiting", "flow"), [(0, 0), (1, 1), (12_345, 1), (0, 99_999_999)])
def test_nothing_leaves_the_frame_when_figures_are_small_or_large(span: Span, waiting: int, flow: int) -> None:
    drawn = chart.draw(points(span, waiting, flow), [], span, ZoneInfo("Europe/London"))
    for path in (drawn.waiting, drawn.accepted, drawn.published):
        for x, y in places(path):
            assert 0 <= x <= chart.WIDTH
            assert 0 <= y <= chart.HEIGHT


@pytest.mark.parametrize("span", Span)
def test_times_stand_apart_when_they_are_written(span: Span) -> None:
    drawn = chart.draw(points(span), [], span, ZoneInfo("Australia/Perth"))
    at = [tick.at for tick in drawn.across]
    assert len(at) >= 4
    assert all(later - earlier > 50 for earlier, later in pairwise(at))


def test_an_outage_is_shaded_where_it_was_when_it_began_before_the_chart_or_goes_on() -> None:
    def outage(began_min: float, ended_min: float | None) -> OutageView:
        ended = None if ended_min is None else NOON - timedelta(minutes=ended_min)
        return OutageView(1, NOON - timedelta(minutes=began_min), ended, "timeout", None, 1, 0)

    drawn = chart.draw(
        points(Span.HOUR), [outage(10, None), outage(90, 45), outage(200, 100)], Span.HOUR, ZoneInfo("UTC")
    )  # fmt: skip
    going_on, before = drawn.bands
    minute = (chart.WIDTH - 64) / 60
    assert going_on.x == pytest.approx(56 + 50 * minute, abs=0.2)
    assert going_on.width == pytest.approx(10 * minute, abs=0.3)
    assert before.x == pytest.approx(56)
    assert before.width == pytest.approx(15 * minute, abs=0.3)


def test_outages_are_counted_only_within_the_time_that_is_shown() -> None:
    minute = timedelta(minutes=1)

    def outage(began: int, ended: int | None) -> OutageView:
        end = None if ended is None else NOON - ended * minute
        return OutageView(1, NOON - began * minute, end, "timeout", None, 1, 0)

    start = NOON - 60 * minute
    assert chart.away([], start, NOON) == chart.Away(0, 0.0, 0.0)
    shown = [outage(200, 100), outage(70, 50), outage(20, 15), outage(2, None)]
    assert chart.away(shown, start, NOON) == chart.Away(3, 60.0 * (10 + 5 + 2), 600.0)
