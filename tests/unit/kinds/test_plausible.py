"""Whether other ways to read times would make them what a run takes."""

import pytest

from resultsq.domain.plausible import FIVE_K
from resultsq.kinds.results.plausible import TimeReading, outliers, readings, stuck


def ways(*times: int) -> list[str]:
    return [one.way for one in readings(times, FIVE_K)]


def test_times_that_are_sixty_times_too_long_are_minutes_and_seconds() -> None:
    assert "minutes" in ways(*[FIVE_K.shortest * 60] * 4)


def test_times_that_are_too_short_are_no_longer_ones() -> None:
    assert ways(*[FIVE_K.shortest - 1] * 4) == []


def test_one_odd_time_among_many_is_no_reason_to_read_all_of_them_anew() -> None:
    assert ways(*[1200] * 9, 20 * 3600) == []


def test_times_as_they_should_be_need_no_other_way() -> None:
    assert ways(FIVE_K.shortest, 1200, FIVE_K.longest) == []


def test_times_are_read_anew_when_half_of_them_are_impossible_and_not_when_fewer_are() -> None:
    assert ways(1200, 1200, 72_000, 72_000) == ["minutes"]
    assert ways(1200, 1200, 1200, 72_000, 72_000) == []


def test_only_times_that_are_too_long_are_read_as_shorter_ones() -> None:
    [way] = readings([FIVE_K.longest, 72_000], FIVE_K)

    assert way.words() == "minutes and seconds"
    assert way.of([FIVE_K.longest, FIVE_K.longest + 60], FIVE_K) == [FIVE_K.longest, FIVE_K.longest // 60 + 1]
    assert TimeReading("since", 32_400).words() == "times of day, with the start at 09:00"


def test_one_time_of_a_day_or_more_is_a_reason_to_read_all_of_them_anew() -> None:
    assert ways(*[1200] * 9, 24 * 3600) == ["minutes"]
    assert ways(*[1200] * 9, 24 * 3600 - 1) == []


def test_a_rest_of_seconds_tells_hundredths_from_minutes() -> None:
    assert ways(1051 * 60, 2000 * 60) == ["minutes"]
    assert ways(1051 * 60, 2000 * 60 + 1) == ["hundredths"]


def starts(*times: int) -> list[int]:
    return [one.start for one in readings(times, FIVE_K) if one.way == "since"]


def test_a_start_is_at_a_full_or_half_hour_before_the_first_finisher_could_be_there() -> None:
    nine = 9 * 3600
    assert starts(nine + FIVE_K.first_least, nine + 3000) == [nine, nine - 1800]
    assert starts(nine + FIVE_K.first_least - 1, nine + 3000) == [nine - 1800]
    assert starts(nine + FIVE_K.first_most - 1800, nine + 3000) == [nine, nine - 1800]
    assert starts(nine + FIVE_K.first_most - 1799, nine + 3000) == [nine]


def test_a_start_is_none_when_the_last_would_have_run_too_long_or_past_midnight() -> None:
    nine, eleven = 9 * 3600, 23 * 3600
    assert starts(nine + 1500, nine + FIVE_K.longest) == [nine]
    assert starts(nine + 1500, nine + FIVE_K.longest + 1) == []
    assert starts(eleven + 1500, 24 * 3600 - 1) == [eleven]
    assert starts(eleven + 1500, 24 * 3600) == []


def test_the_way_that_gives_the_likeliest_first_finisher_comes_first() -> None:
    ten = 10 * 3600
    assert ways(ten + 1200, ten + 2000) == ["since", "hundredths"], "as hundredths the first took 10:20"
    assert ways(17 * 3600 + 1860, 17 * 3600 + 3600)[0] == "minutes", "both would do"


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ((500, 1100), []),
        ((500, 1101), [0]),
        ((499, 1100), [0]),
        ((10_801, 14_401), []),
        ((10_800, 14_401), [1]),
        ((1200, 20_000, 20_100), []),
        ((1200, 20_000, 30_000), [1, 2]),
        ((1200, 20_000, 30_000, 20_100), [1, 2]),
        ((1200, 500, 1300), []),
        ((500,), []),
    ],
)
def test_a_single_time_is_odd_when_it_is_far_from_both_its_neighbours(times: tuple[int, ...], found: list[int]) -> None:
    """Ten minutes below what a run takes, an hour above; one that falls is told as that."""
    assert outliers(times, FIVE_K) == found


def test_five_equal_times_in_a_row_are_stuck_and_four_are_none() -> None:
    assert stuck([1, *[2] * 5, *[3] * 4, *[4] * 6]) == [(1, 5), (10, 15)]
    assert stuck([]) == []
