"""Work beside delivery: cleaning up, alerts, comparisons. Each periodic task is an ordinary Celery task that the
worker's own timer sends to the broker. Where the broker does not take it, the timer does the work itself. It looks
first whether there is anything to do, because a look costs less than a message."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import StoreUnavailable

LOOK_S = 1.0
UNHEARD = 3
"""A broker may take messages and deliver none. After so many messages that did not arrive here, the timer does the
task itself; where another worker did it, it is done once more."""

_log = logs.get("periodic tasks")


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """`do` is safe to call at any time and by several workers at once. `due`: whether there is anything to do; it
    changes nothing."""

    name: str
    every_s: float
    do: Callable[[], None]
    due: Callable[[], bool] = lambda: True


class Timer:
    """Asks for each task when it is due, by the monotonic clock. `ask` sends a task's name to the broker; its result:
    whether the broker took it."""

    def __init__(self, periodic_tasks: Sequence[PeriodicTask], clock: Clock, ask: Callable[[str, float], bool]) -> None:
        self._periodic_tasks = periodic_tasks
        self._clock = clock
        self._ask = ask
        self._unheard = dict.fromkeys((task.name for task in periodic_tasks), 0)
        self._due = {task.name: clock.monotonic() + task.every_s for task in periodic_tasks}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="periodic tasks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A task under way ends by itself."""
        self._stopped.set()

    def heard(self, name: str) -> None:
        """The task is being done here."""
        self._unheard[name] = 0

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Ask for each task whose time has come, and that has anything to do."""
        for task in self._periodic_tasks:
            if self._clock.monotonic() < self._due[task.name]:
                continue
            self._due[task.name] = self._clock.monotonic() + task.every_s
            if not _has_work(task):
                continue
            self._unheard[task.name] += 1
            if self._unheard[task.name] > UNHEARD or not self._ask(task.name, task.every_s):
                self.heard(task.name)
                carry_out(task)


def _has_work(task: PeriodicTask) -> bool:
    try:
        return task.due()
    except StoreUnavailable:  # the store has logged why
        return False
    except Exception:  # noqa: BLE001 - then do the work, which reports the fault
        _log.exception("task.not_looked", task=task.name)
        return True


def carry_out(task: PeriodicTask) -> None:
    """Do it; a failure is logged, and the task is tried again when it is next due."""
    try:
        task.do()
    except StoreUnavailable as error:  # the store has logged why, with a line a second at most
        _log.debug("task.put_off", task=task.name, cause=error.cause)
    except Exception:  # noqa: BLE001 - a task that fails must not end the timer that the others hang on
        _log.exception("task.failed", task=task.name)
