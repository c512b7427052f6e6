"""Two stopwatches: what is one finisher, at the edges of both distances, and a constant offset."""

import random

from hypothesis import given
from hypothesis import strategies as st

from resultsq.kinds.results.merge import merge, offset

TIMES = st.lists(st.integers(0, 300), max_size=40)


def merged(one: list[int], other: list[int]) -> list[str]:
    """`18` for a pair, `18a` and `18b` for a time of one watch alone."""
    marks = {(True, True): "", (True, False): "a", (False, True): "b"}
    return [f"{press.seconds}{marks[press.one is not None, press.other is not None]}" for press in merge(one, other)]


def test_equal_times_are_one_finisher() -> None:
    assert merged([10, 20, 20, 30], [10, 20, 20, 30]) == ["10", "20", "20", "30"]


def test_a_pair_has_the_smaller_time_when_the_watches_differ_by_a_second() -> None:
    assert merged([10, 50], [11, 49]) == ["10", "49"]


def test_times_are_two_finishers_when_they_differ_by_two_seconds_among_matched_ones() -> None:
    # not neighbours, or the rule of twenty-five seconds would join them
    assert merged([100, 200, 201], [102, 200]) == ["100", "200", "201a"]
    assert merged([10, 100, 102], [10, 100]) == ["10", "100", "102a"]


def test_the_nearer_time_is_taken_when_the_earlier_watch_has_it_next() -> None:
    assert merged([10, 11], [11]) == ["10a", "11"]
    assert merged([11], [10, 11]) == ["10b", "11"]
    assert merged([10, 11, 90], [11, 90]) == ["10a", "11", "90"]


def test_both_are_pairs_when_the_later_watch_has_another_time_near_by() -> None:
    assert merged([10, 11], [11, 12]) == ["10", "11"]
    assert merged([10, 11], [11, 11]) == ["10", "11"]
    assert merged([10, 11], [11, 13]) == ["10a", "11", "13b"]


def test_the_next_time_is_no_better_when_it_is_as_late_or_falls() -> None:
    assert merged([10, 12], [11, 12]) == ["10", "12"]
    assert merged([10, 9], [11, 9]) == ["10", "9"]


def test_neighbours_of_different_watches_are_one_when_at_most_25_s_apart() -> None:
    assert merged([10, 100, 200], [10, 125, 200]) == ["10", "100", "200"]
    assert merged([10, 125, 200], [10, 100, 200]) == ["10", "100", "200"]


def test_neighbours_of_different_watches_are_two_when_26_s_apart() -> None:
    assert merged([10, 100, 200], [10, 126, 200]) == ["10", "100a", "126b", "200"]


def test_neighbours_of_one_watch_stay_two_when_close() -> None:
    assert merged([10, 100, 105, 200], [10, 200]) == ["10", "100a", "105a", "200"]


def test_a_time_is_joined_once_when_three_neighbours_are_close() -> None:
    assert merged([10, 100, 200], [10, 110, 120, 200]) == ["10", "100", "120b", "200"]


def test_a_matched_time_is_no_partner_when_it_stands_between() -> None:
    assert merged([100, 110], [110, 120]) == ["100a", "110", "120b"]


def test_a_falling_time_stays_in_its_place_when_both_have_it() -> None:
    assert merged([10, 30, 20, 40], [10, 30, 20, 40]) == ["10", "30", "20", "40"]


def test_one_watch_alone_is_all_when_the_other_is_empty() -> None:
    assert merged([10, 20], []) == ["10a", "20a"]
    assert merged([], [10]) == ["10b"]


@given(TIMES, TIMES)
def test_no_press_is_lost_or_doubled_when_any_lists_are_merged(one: list[int], other: list[int]) -> None:
    presses = list(merge(one, other))

    assert [press.one for press in presses if press.one is not None] == list(range(len(one)))
    assert [press.other for press in presses if press.other is not None] == list(range(len(other)))
    for press in presses:
        mine = [one[press.one]] if press.one is not None else []
        theirs = [other[press.other]] if press.other is not None else []
        assert press.seconds == min(mine + theirs)


@given(TIMES, TIMES)
def test_the_watches_may_change_places_when_they_are_merged(one: list[int], other: list[int]) -> None:
    mirrored = [(press.seconds, press.other, press.one) for press in merge(other, one)]

    assert [tuple(press) for press in merge(one, other)] == mirrored


def spread(count: int) -> list[int]:
    """Times whose gaps are all different enough to be told apart."""
    return [900 + 7 * index + (index * index) % 5 for index in range(count)]


def test_a_constant_offset_is_found_when_one_watch_was_started_late() -> None:
    times = spread(60)

    assert offset([time + 13 for time in times], times) == 13
    assert offset(times, [time + 13 for time in times]) == -13


def test_a_constant_offset_is_found_when_the_event_was_the_largest_ever() -> None:
    rng = random.Random(7)
    times = sorted(round(rng.gauss(1800, 500)) for _ in range(6204))
    missed = [time + rng.choice((17, 17, 17, 18)) for time in times if rng.random() > 0.01]

    assert offset(missed, times) == 17
    assert offset([time - 17 for time in missed], times) == 0


def test_there_is_no_offset_when_the_watches_agree() -> None:
    assert offset(spread(60), spread(60)) == 0
    assert offset(spread(60), spread(57)) == 0


def test_the_offset_is_found_when_presses_were_missed() -> None:
    times = spread(100)
    missed = [time + 30 for index, time in enumerate(times) if index % 4]

    assert offset(missed, times) == 30
    assert offset(times, missed) == -30


def test_the_offset_is_found_when_one_watch_stopped_half_way() -> None:
    assert offset([time + 9 for time in spread(100)[:50]], spread(100)) == 9


def test_a_difference_is_no_offset_when_it_occurs_too_seldom() -> None:
    times = spread(60)
    mostly_apart = [time + 13 if index < 12 else time + 100 * index for index, time in enumerate(times)]

    assert offset(mostly_apart, times) == 0


def test_a_difference_is_an_offset_when_half_of_the_times_have_it() -> None:
    times = [1000 + 100 * index for index in range(20)]

    def shifted(count: int) -> list[int]:
        return [time + 13 if index < count else time + 100 * index * index for index, time in enumerate(times)]

    assert offset(shifted(10), times) == 13
    assert offset(shifted(9), times) == 0


def test_no_offset_wins_when_it_makes_as_many_equal() -> None:
    assert offset([100, 200], [100, 205]) == 0


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=60), st.integers(-100, 100))
def test_the_offset_makes_at_least_as_many_equal_as_none_when_lists_are_shifted(times: list[int], by: int) -> None:
    shifted = [time + by for time in times]
    found = offset(shifted, times)

    assert sorted(time - found for time in shifted) == sorted(times)
