"""The lines on growth: the slope is the exponent, and what grows is missed."""

import pytest

from tests.bench import growth

SIZES = growth.SIZES


@pytest.mark.parametrize(("power", "met"), [(0.0, True), (0.05, True), (0.5, False), (1.0, False)])
def test_the_slope_is_the_exponent_and_what_grows_is_a_fault(power: float, met: bool) -> None:
    costs = {size: 2.0 * (size / SIZES[0]) ** power for size in SIZES}
    assert growth.slope_of(costs) == pytest.approx(power)
    result = growth.told("accept: SQLite", costs, short=False)
    assert result.met is met
    assert result.figures["at_1,000_ms"] == 2.0


def test_memory_is_told_in_megabytes() -> None:
    told = growth.told("memory of a worker: SQLite", dict.fromkeys(SIZES, 90.0), short=False)
    assert told.figures["at_1,000,000_mb"] == 90.0
    assert told.figures["slope"] == pytest.approx(0.0)
