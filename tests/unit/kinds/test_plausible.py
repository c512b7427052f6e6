"""Whether other ways to read times would make them what a run takes."""

from resultsq.domain.plausible import FIVE_K
from resultsq.kinds.results.plausible import readings


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
