"""A day is judged alike for a draft and for a program's call."""

from datetime import date, timedelta

import pytest

from resultsq.app import event_day
from resultsq.domain.errors import InputRefused, SheetRefused
from resultsq.store.admin.events import EventRow
from resultsq.store.engine.session import Database
from tests.support.nodes import NOW, StoreNode

TODAY = NOW.date()
DAY_S = 86_400.0
DAYS = (-800, -367, -366, -1, 0, 2, 400)
"""From today; none is tomorrow, which is allowed to a program alone."""


class Team:
    """Chooses an event's day on a node whose clock is so far behind, by the master's word."""

    def __init__(self, database: Database, off_s: float = 0.0) -> None:
        self.node = StoreNode(database)
        self.node.probe(master_time_offset_s=off_s)
        self.event = EventRow(1, "bushy", "Bushy parkrun", "Europe/London", "GB", shows_results=True)

    def judged_for_program(self, day: date) -> list[str]:
        try:
            return [one.code for one in event_day.calendar_of(self.node.database, NOW).judge(day)]
        except SheetRefused:
            return ["refused"]

    def judged_for_draft(self, day: date, *confirmed: str) -> list[str]:
        with self.node.database.read() as conn:
            try:
                event_day.demand_past(conn, self.event, day, NOW)
            except InputRefused:
                return ["refused"]
            return [one.code for one in event_day.problems(conn, self.event, day.isoformat(), NOW, confirmed)]


@pytest.mark.parametrize(
    ("off_s", "long_ago", "to_come"),
    [
        (0.0, 2, "refused"),
        (3 * DAY_S, 2, "date-to-come"),
        (500 * DAY_S, 2, "date-to-come"),
        (-100 * DAY_S, 1, "refused"),  # a clock that runs ahead makes no day older
        (-500 * DAY_S, 0, "refused"),
    ],
)
def test_a_day_is_judged_alike(sqlite_store: Database, off_s: float, long_ago: int, to_come: str) -> None:
    """`long_ago`: how many of the first days are."""
    team, days = Team(sqlite_store, off_s), [TODAY + timedelta(days=days) for days in DAYS]
    expected = [["day-long-ago"]] * long_ago + [[]] * (5 - long_ago) + [[to_come]] * 2
    assert [team.judged_for_program(day) for day in days] == expected
    assert [team.judged_for_draft(day) for day in days] == expected


def test_tomorrow_is_allowed_to_a_program_alone(sqlite_store: Database) -> None:
    team, tomorrow = Team(sqlite_store), TODAY + timedelta(days=1)
    assert (team.judged_for_draft(tomorrow), team.judged_for_program(tomorrow)) == (["refused"], [])


def test_a_draft_whose_day_is_to_come_by_a_clock_set_back_has_no_problem(sqlite_store: Database) -> None:
    """It was chosen by the clock before."""
    team = Team(sqlite_store)
    with sqlite_store.read() as conn:
        assert [*event_day.problems(conn, team.event, "2013-12-10", NOW, ())] == []


def test_a_day_long_ago_is_no_problem_of_a_draft_when_it_is_confirmed(sqlite_store: Database) -> None:
    team, day = Team(sqlite_store), date(2011, 12, 7)
    assert team.judged_for_draft(day) == ["day-long-ago"]
    assert team.judged_for_draft(day, "day-long-ago") == []
