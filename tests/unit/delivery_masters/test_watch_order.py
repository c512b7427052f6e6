"""Calls that are ended together are ended in the order in which they began, so that a seed is one morning."""

from contextlib import ExitStack
from datetime import UTC, datetime

from resultsq.delivery.masters.watch import Call, Watch, Wire
from tests.support.manual_clock import ManualClock


class NotedWire(Wire):
    """Notes its end."""

    def __init__(self, name: int, cut: list[int]) -> None:
        self._name, self._cut = name, cut

    def moved(self) -> tuple[int, float] | None:
        return None

    def cut(self) -> None:
        self._cut.append(self._name)

    def close(self) -> None:
        return None


def test_silent_calls_are_ended_in_the_order_in_which_they_began() -> None:
    clock, cut = ManualClock(datetime(2013, 12, 7, tzinfo=UTC)), list[int]()
    watch = Watch(clock, lambda: None)
    with ExitStack() as stack:
        calls: list[Call] = [stack.enter_context(watch.call(60.0, 1.0)) for _ in range(30)]
        for name, call in enumerate(calls):
            call.attach(NotedWire(name, cut))
        clock.advance(2.0)
        assert watch.abort_stalled(clock.monotonic()) == len(calls)
    watch.close()
    assert cut == list(range(len(calls)))
