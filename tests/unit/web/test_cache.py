"""What is remembered, and for how long."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from resultsq.web.cache import TTLCache
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2013, 12, 7, 9, tzinfo=UTC))


def test_an_answer_is_looked_up_again_when_its_time_is_over(clock: ManualClock) -> None:
    memory: TTLCache[str, int] = TTLCache(clock, life_s=3)
    answers: Iterator[int] = iter(range(10))
    assert [memory.get("a", lambda: next(answers)) for _ in range(3)] == [0, 0, 0]
    assert memory.get("b", lambda: next(answers)) == 1
    clock.advance(2.9)
    assert memory.get("a", lambda: next(answers)) == 0
    clock.advance(0.1)
    assert memory.get("a", lambda: next(answers)) == 2


def test_nothing_is_looked_up_again_at_once_when_there_was_nothing(clock: ManualClock) -> None:
    memory: TTLCache[str, int | None] = TTLCache(clock, life_s=3)
    assert memory.get("a", lambda: None) is None
    assert memory.get("a", lambda: 1) == 1


def test_a_failure_is_not_remembered_when_a_look_up_fails(clock: ManualClock) -> None:
    memory: TTLCache[str, int] = TTLCache(clock, life_s=3)
    with pytest.raises(ZeroDivisionError):
        memory.get("a", lambda: 1 // 0)
    assert memory.get("a", lambda: 1) == 1


def test_no_more_is_kept_than_was_said_when_many_ask(clock: ManualClock) -> None:
    memory: TTLCache[int, int] = TTLCache(clock, life_s=1000, most=10)
    for number in range(1000):
        memory.get(number, lambda number=number: number)  # type: ignore[misc]
        assert len(memory._kept) <= 10
    assert memory.get(999, lambda: -1) == 999
