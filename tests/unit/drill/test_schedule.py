"""The roads of an outage."""

import random

import pytest

from resultsq.drill.link import LinkMode, Outage, schedule
from resultsq.drill.outage import SENDING
from resultsq.drill.teams import spread


@pytest.mark.parametrize("outage", ["hole", "refuse"])
def test_the_link_is_away_throughout_when_it_does_not_flap(outage: Outage) -> None:
    assert list(schedule(outage, 20.0, random.Random(1))) == [(LinkMode(outage), 20.0)]


@pytest.mark.parametrize("seed", range(50))
def test_the_link_comes_and_goes_and_is_away_at_the_end_when_it_flaps(seed: int) -> None:
    spells = list(schedule("flap", 20.0, random.Random(seed)))
    roads = [mode for mode, _ in spells]

    assert sum(seconds for _, seconds in spells) == pytest.approx(20.0)
    assert set(roads) == set(LinkMode)
    assert roads[0] is not LinkMode.PASS
    assert roads[-1] is not LinkMode.PASS
    assert spells[-1][1] == 5.0


@pytest.mark.parametrize("backlog", [1, 2, 10, 60])
def test_the_last_team_sends_while_a_flapping_link_stays_away(backlog: int) -> None:
    for seed in range(50):
        *flapping, last = schedule("flap", 20.0, random.Random(seed))
        assert sum(spell_s for _, spell_s in flapping) < spread(backlog, SENDING * 20.0)[-1] < 20.0
        assert last[0] is not LinkMode.PASS
