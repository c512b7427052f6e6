"""The timer of what is not delivery: it asks for a task where there is anything to do, and loses none of them."""

from collections.abc import Callable

import pytest

from resultsq.delivery.periodic import UNHEARD, PeriodicTask, Timer
from resultsq.domain.errors import StoreUnavailable
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW


class Broker:
    """Takes tasks, or does not."""

    def __init__(self, takes: bool = True) -> None:
        self.takes = takes
        self.asked: list[str] = []

    def ask(self, name: str, _expires_s: float) -> bool:
        self.asked.append(name)
        return self.takes


def looked(broker: Broker, *periodic_tasks: PeriodicTask, seconds: int = 1) -> Timer:
    """A timer that has looked once a second."""
    clock = ManualClock(NOW)
    timer = Timer(periodic_tasks, clock, broker.ask)
    for _ in range(seconds):
        clock.advance(1)
        timer.look()
    return timer


def nothing() -> None:
    """Of a task that is not done here."""


def test_a_task_is_asked_for_only_where_there_is_anything_to_do() -> None:
    broker = Broker()
    looked(broker, PeriodicTask("idle", 1, nothing, lambda: False), PeriodicTask("busy", 1, nothing, lambda: True))
    assert broker.asked == ["busy"]


def test_a_chore_is_looked_at_when_its_time_has_come() -> None:
    broker = Broker()
    looked(broker, PeriodicTask("often", 1, nothing), PeriodicTask("seldom", 2, nothing), seconds=UNHEARD)
    assert (broker.asked.count("often"), broker.asked.count("seldom")) == (UNHEARD, 1)


def test_a_chore_is_done_here_when_the_broker_does_not_take_it() -> None:
    done: list[str] = []
    looked(Broker(takes=False), PeriodicTask("one", 1, lambda: done.append("one")))
    assert done == ["one"]


def test_a_chore_is_done_here_when_tasks_of_it_are_taken_and_never_heard() -> None:
    done: list[str] = []
    looked(Broker(), PeriodicTask("one", 1, lambda: done.append("one")), seconds=UNHEARD + 1)
    assert done == ["one"]


def _unavailable() -> bool:
    raise StoreUnavailable


def _broken() -> bool:
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(("due", "asked"), [(_unavailable, []), (_broken, ["one", "one"])])
def test_the_timer_goes_on_when_it_cannot_be_looked_whether_there_is_anything_to_do(
    due: Callable[[], bool], asked: list[str]
) -> None:
    broker = Broker()
    looked(broker, PeriodicTask("one", 1, nothing, due), PeriodicTask("other", 1, nothing), seconds=2)
    assert [name for name in broker.asked if name == "one"] == asked
    assert broker.asked.count("other") == 2


def test_a_task_that_arrives_each_time_is_left_to_the_broker() -> None:
    done: list[str] = []
    clock, broker = ManualClock(NOW), Broker()
    timer = Timer([PeriodicTask("one", 5.0, lambda: done.append("one"))], clock, broker.ask)
    for _ in range(3 * UNHEARD):
        clock.advance(5.0)
        timer.look()
        timer.heard("one")
    assert (done, len(broker.asked)) == ([], 3 * UNHEARD)
    for _ in range(UNHEARD):
        clock.advance(5.0)
        timer.look()
    assert done == []
    clock.advance(4.9)
    timer.look()
    assert done == [], "its time has not come"
    clock.advance(0.1)
    timer.look()
    assert done == ["one"]
