"""The rules of rows that come as they are: the API's, a bundle's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resultsq.domain.problem import Severity
from resultsq.domain.sheet import Finisher, Volunteer
from resultsq.kinds.results.checks import check_rows, listed


def row(position: int, athlete: str | None = None, time: str | None = None) -> Finisher:
    return Finisher(position=position, athlete=athlete, time=time)


def codes(*rows: Finisher) -> list[str]:
    return [problem.code for problem in check_rows(rows)]


def test_good_rows_have_no_problems_in_any_order() -> None:
    assert codes(row(2, None, "00:19:08"), row(1, "A1", "00:18:11"), row(3, "A3"), row(4, "A4", "00:19:08")) == []


def test_an_athlete_in_two_positions_blocks_with_both_places() -> None:
    [problem] = check_rows((row(1, "A1"), row(2), row(3, "A1")))

    assert (problem.code, problem.severity) == ("athlete-in-two-positions", Severity.BLOCKS)
    assert [(where.row, where.athlete, where.pointer) for where in problem.where] == [
        (1, "A1", "/finishers/0/athlete"),
        (3, "A1", "/finishers/2/athlete"),
    ]


@pytest.mark.parametrize(
    ("positions", "words"), [((2, 3), "position 1,"), ((1, 3), "position 2,"), ((1, 5), "positions 2 to 4,")]
)
def test_a_hole_blocks(positions: tuple[int, int], words: str) -> None:
    [problem] = check_rows(tuple(map(row, positions)))

    assert (problem.code, problem.severity) == ("position-missing", Severity.BLOCKS)
    assert words in problem.message


def test_an_endless_hole_is_one_problem() -> None:
    assert codes(row(1), row(10**12)) == ["position-missing"]


def test_a_position_twice_blocks_and_its_times_say_nothing() -> None:
    [problem] = check_rows((row(1, None, "00:20:00"), row(1, None, "00:21:00"), row(2, None, "00:20:30")))

    assert (problem.code, problem.severity) == ("position-twice", Severity.BLOCKS)
    assert [where.pointer for where in problem.where] == ["/finishers/0/position", "/finishers/1/position"]


def test_a_time_below_its_predecessor_warns_even_over_a_missing_one() -> None:
    [problem] = check_rows((row(1, None, "00:20:00"), row(2), row(3, None, "00:19:59"), row(4, None, "00:19:59")))

    assert (problem.code, problem.severity) == ("times-out-of-order", Severity.WARNS)
    assert (problem.where[0].row, problem.where[0].pointer) == (3, "/finishers/2/time")


def test_an_overlong_athlete_warns() -> None:
    assert codes(row(1, "A123456789"), row(2, "A12345678")) == ["overlong-athlete"]


def test_no_rows_and_too_many_rows_block() -> None:
    assert codes() == ["no-finishers"]
    assert codes(*map(row, range(1, 20_002))) == ["too-many-rows"]
    crowd = [Volunteer(athlete="A1", role="Marshal")] * 20_001
    assert [problem.where[0].pointer for problem in check_rows([row(1)], crowd)] == ["/volunteers"]


def test_things_are_listed_as_people_do() -> None:
    assert [listed([1]), listed([1, 2]), listed([1, 2, 3])] == ["1", "1 and 2", "1, 2 and 3"]
    assert listed(range(1, 101)) == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 90 more"


ATHLETES = st.sampled_from([None, "A1", "A2", "A3", "A123456789"])
TIMES = st.sampled_from([None, "00:18:00", "00:19:00"])


@given(st.lists(st.tuples(ATHLETES, TIMES), min_size=2, max_size=5))
def test_the_quick_look_finds_nothing_exactly_when_the_rules_find_nothing(
    rows: list[tuple[str | None, str | None]],
) -> None:
    in_order = [row(position, *values) for position, values in enumerate(rows, 1)]

    # the quick look takes rows in order only; backwards the rules themselves speak, and say the same
    assert sorted(codes(*in_order)) == sorted(codes(*reversed(in_order)))
