"""A Saturday's timetable and roads."""

import random

import pytest

from resultsq.drill import timetable
from resultsq.drill.link import LinkMode
from resultsq.drill.timetable import MORNING_S


@pytest.mark.parametrize("compressed", [1.0, 60.0])
def test_everybody_sends_within_the_morning_and_most_in_its_middle_when_it_is_compressed(compressed: float) -> None:
    times = sorted(timetable.timetable(random.Random(7), 2_500, compressed))

    assert len(times) == 2_500
    assert times[0] >= 0
    assert times[-1] < MORNING_S / compressed
    around_ten = sum(145 * 60 <= at_s * compressed <= 225 * 60 for at_s in times)  # 09:40 to 11:00
    assert 0.6 < around_ten / 2_500 < 0.8


@pytest.mark.parametrize("seed", range(20))
def test_the_link_is_silent_then_flaps_then_stays_away_when_the_morning_passes(seed: int) -> None:
    spells = list(timetable.link_modes(random.Random(seed), 60.0))
    roads = [mode for mode, _ in spells]

    assert sum(seconds for _, seconds in spells) == pytest.approx(MORNING_S / 60)
    assert roads[0] is LinkMode.HOLE
    assert roads.count(LinkMode.PASS) >= 3
    assert roads[-1] is LinkMode.REFUSE
    assert spells[-1][1] == pytest.approx(80)


def test_half_of_the_corrections_wait_for_the_return_when_many_are_drawn() -> None:
    rng = random.Random(7)
    after = [timetable.corrected_after(rng, 60.0) for _ in range(1_000)]
    soon = [seconds for seconds in after if seconds is not None]

    assert 400 < len(soon) < 600
    assert max(soon) == timetable.BACK_S / 60
    assert 8 < sum(soon) / len(soon) < 12
