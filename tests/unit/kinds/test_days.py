"""The chosen day itself: one that is long ago is asked about, and the day that was probably meant is offered."""

from datetime import date, timedelta

import pytest

from resultsq.domain.problem import Fix, Problem
from resultsq.kinds.results.days import CHOOSE_DAY, LONG_AGO_DAYS, long_ago, with_days_of_files
from resultsq.kinds.results.rules import NO_FINISHERS, OTHER_DAY

TODAY = date(2026, 3, 14)


def offered(problem: Problem) -> list[str]:
    """The days that its fixes choose."""
    return [str(fix.arguments["date"]) for fix in problem.fixes if fix.action == CHOOSE_DAY]


def test_a_year_ago_is_no_problem_and_a_day_more_is() -> None:
    longest = TODAY - timedelta(days=LONG_AGO_DAYS)
    assert long_ago(longest, TODAY) == ()
    [problem] = long_ago(longest - timedelta(days=1), TODAY)
    assert problem.code == "day-long-ago"
    assert [fix.action for fix in problem.fixes] == [CHOOSE_DAY, "as-given"]


@pytest.mark.parametrize(
    ("day", "meant"),
    [
        (date(2016, 3, 14), ["2026-03-14"]),  # today
        (date(2016, 3, 7), ["2026-03-07"]),
        (date(2016, 12, 24), ["2025-12-24"]),  # this year's is still to come
        (date(2016, 2, 29), []),  # neither this year nor the last has one
    ],
)
def test_the_same_day_of_the_newest_year_is_offered(day: date, meant: list[str]) -> None:
    [problem] = long_ago(day, TODAY)
    assert offered(problem) == meant


def test_the_day_that_the_files_name_is_offered_in_place_of_a_guess() -> None:
    [old] = long_ago(date(2016, 3, 7), TODAY)
    theirs = Fix(action=CHOOSE_DAY, label="It was another day", arguments={"date": "2026-02-28"})
    of_files = OTHER_DAY.broken([], [theirs], files="a", day="b", chosen="c")
    other = NO_FINISHERS.broken([], [])
    better, kept, untouched = with_days_of_files([old, of_files, other])
    assert offered(better) == ["2026-02-28"]
    assert [fix.action for fix in better.fixes] == [CHOOSE_DAY, "as-given"]
    assert (kept, untouched) == (of_files, other)
    assert with_days_of_files([old, other]) == [old, other], "the files name none"
