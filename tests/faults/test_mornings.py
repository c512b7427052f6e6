"""Mornings under seeds keep every promise, a seed is the same morning each time, and planted faults are found."""

from pathlib import Path

import pytest

from tests.simulate.morning import run, template
from tests.simulate.planted import PLANTED

SEEDS = 20
ONCE_STUCK = 1054
"""A hold whose commit was unsure stayed in force after the last fault."""


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("store"))


def test_every_promise_is_kept_whatever_the_seed_does(empty_store: Path) -> None:
    ended = [run(seed, empty_store) for seed in (*range(SEEDS), ONCE_STUCK)]
    assert [one.line for one in ended if one.findings] == []
    assert sum((one.counts for one in ended[1:]), ended[0].counts)["a worker is killed"] > 0, "there were faults"


def test_a_seed_is_the_same_morning_each_time(empty_store: Path) -> None:
    first, again, other = run(1, empty_store), run(1, empty_store), run(2, empty_store)
    assert (first.digest, first.steps) == (again.digest, again.steps)
    assert first.digest != other.digest


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str, empty_store: Path) -> None:
    with PLANTED[fault]():
        assert any(run(seed, empty_store).findings for seed in range(SEEDS))
