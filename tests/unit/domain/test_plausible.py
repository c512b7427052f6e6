"""What a run takes: both ends count, and the four bounds stand in order."""

from dataclasses import replace

import pytest

from resultsq.domain.plausible import FIVE_K, PRESETS, Plausible

FOUR = Plausible(first_least=20, first_most=30, shortest=10, longest=40)


@pytest.mark.parametrize(("seconds", "takes"), [(9, False), (10, True), (40, True), (41, False)])
def test_both_ends_are_times_that_a_run_takes(seconds: int, takes: bool) -> None:
    assert FOUR.takes(seconds) is takes


@pytest.mark.parametrize(
    ("changes", "sensible"),
    [
        ({}, True),
        ({"shortest": 0}, False),
        ({"shortest": 1}, True),
        ({"shortest": 20}, True),
        ({"shortest": 21}, False),
        ({"first_most": 21}, True),
        ({"first_most": 20}, False),
        ({"first_most": 40}, True),
        ({"first_most": 41}, False),
        ({"longest": 86_399}, True),
        ({"longest": 86_400}, False),
    ],
)
def test_the_bounds_make_sense_in_order_and_within_a_day(changes: dict[str, int], sensible: bool) -> None:
    assert replace(FOUR, **changes).makes_sense is sensible


def test_the_usual_runs_make_sense_and_the_juniors_is_the_shorter() -> None:
    assert set(PRESETS) == {"5k", "junior"}
    assert all(one.makes_sense for one in PRESETS.values())
    assert (FIVE_K.shortest, FIVE_K.first_least, FIVE_K.first_most, FIVE_K.longest) == (600, 720, 2700, 14_400)
    junior = PRESETS["junior"]
    assert (junior.shortest, junior.first_least, junior.first_most, junior.longest) == (360, 360, 1800, 7200)
