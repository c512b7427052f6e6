"""One computation for everybody: how often, and what the others see meanwhile."""

import threading
from collections.abc import Iterator

import pytest

from resultsq.web.single_flight import SingleFlightCache
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(100))


def test_a_value_is_computed_once_when_many_ask_within_its_life(clock: ManualClock, numbers: Iterator[int]) -> None:
    shared = SingleFlightCache(clock)
    assert [shared.get("k", 2.0, lambda: next(numbers))[0] for _ in range(5)] == [0] * 5
    clock.advance(1.5)
    assert shared.get("k", 2.0, lambda: next(numbers)) == (0, 1.5)
    clock.advance(0.6)
    assert shared.get("k", 2.0, lambda: next(numbers)) == (1, 0.0)


def test_a_dear_value_is_kept_twenty_times_as_long_as_it_took(clock: ManualClock, numbers: Iterator[int]) -> None:
    shared = SingleFlightCache(clock)

    def dear() -> int:
        clock.advance(1.0)
        return next(numbers)

    assert shared.get("k", 2.0, dear)[0] == 0
    clock.advance(19.5)
    assert shared.get("k", 2.0, dear) == (0, 20.5)
    clock.advance(0.6)
    assert shared.get("k", 2.0, dear)[0] == 1


def test_the_value_before_is_given_when_another_thread_is_computing(clock: ManualClock) -> None:
    shared = SingleFlightCache(clock)
    shared.get("k", 1.0, lambda: "old")
    clock.advance(2.0)
    computing, go = threading.Event(), threading.Event()

    def slow() -> str:
        computing.set()
        assert go.wait(60)
        return "new"

    thread = threading.Thread(target=shared.get, args=("k", 1.0, slow))
    thread.start()
    try:
        assert computing.wait(60)
        assert shared.get("k", 1.0, lambda: "never") == ("old", 2.0)
    finally:
        go.set()
        thread.join(10)
    assert shared.get("k", 1.0, lambda: "never")[0] == "new"


def test_a_failure_is_told_and_asked_again_when_a_computation_fails(clock: ManualClock) -> None:
    shared = SingleFlightCache(clock)
    with pytest.raises(ZeroDivisionError):
        shared.get("k", 1.0, lambda: 1 // 0)
    assert shared.get("k", 1.0, lambda: 7)[0] == 7
