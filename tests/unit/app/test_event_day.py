"""A day is judged alike for a draft and for a program's call."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from resultsq.app import event_day
from resultsq.app.event_day import Calendar
from resultsq.domain.errors import InputRefused, SheetRefused
from resultsq.store.admin.events import EventRow
from resultsq.store.views import queries

NOW = datetime(2013, 12, 7, 12, tzinfo=UTC)
DAY_S = 86_400.0
DAYS = (-800, -367, -366, -1, 0, 2, 400)
"""From today; none is tomorrow, which is allowed to a program alone."""
CONN: Any = None


def judged_for_program(day: date, off_s: float) -> list[str]:
    try:
        return [one.code for one in Calendar(NOW.date(), lambda: off_s).judge(day)]
    except SheetRefused:
        return ["refused"]


def judged_for_draft(event: EventRow, day: date, confirmed: frozenset[str] = frozenset()) -> list[str]:
    try:
        event_day.demand_past(CONN, event, day, NOW)
    except InputRefused:
        return ["refused"]
    return [one.code for one in event_day.problems(CONN, event, day.isoformat(), NOW, confirmed)]


@pytest.fixture
def event() -> EventRow:
    return EventRow(1, "bushy", "Bushy parkrun", "Europe/London", "GB", shows_results=True)


@pytest.mark.parametrize("off_s", [0.0, 3 * DAY_S, 500 * DAY_S, -500 * DAY_S])
def test_a_day_is_judged_alike(monkeypatch: pytest.MonkeyPatch, event: EventRow, off_s: float) -> None:
    monkeypatch.setattr(queries, "clock_off_s", lambda conn, now: off_s)
    days = [NOW.date() + timedelta(days=days) for days in DAYS]
    assert [judged_for_draft(event, day) for day in days] == [judged_for_program(day, off_s) for day in days]


def test_tomorrow_is_allowed_to_a_program_alone(monkeypatch: pytest.MonkeyPatch, event: EventRow) -> None:
    monkeypatch.setattr(queries, "clock_off_s", lambda conn, now: 0.0)
    tomorrow = NOW.date() + timedelta(days=1)
    assert (judged_for_draft(event, tomorrow), judged_for_program(tomorrow, 0.0)) == (["refused"], [])


def test_a_draft_whose_day_is_to_come_by_a_clock_set_back_has_no_problem(
    monkeypatch: pytest.MonkeyPatch, event: EventRow
) -> None:
    """It was chosen by the clock before."""
    monkeypatch.setattr(queries, "clock_off_s", lambda conn, now: 0.0)
    assert [*event_day.problems(CONN, event, "2013-12-10", NOW, ())] == []


def test_a_day_long_ago_is_no_problem_of_a_draft_when_it_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, event: EventRow
) -> None:
    monkeypatch.setattr(queries, "clock_off_s", lambda conn, now: 0.0)
    day = date(2011, 12, 7)
    assert judged_for_draft(event, day) == ["day-long-ago"]
    assert judged_for_draft(event, day, frozenset({"day-long-ago"})) == []
