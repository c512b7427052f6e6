"""What is not delivery: cleaning up, alerts, messages. Each chore is an ordinary Celery task that the worker's
own timer asks for; where the broker does not take the task, the timer does the chore itself. To ask for one and to take
it from the queue costs more than a look whether there is anything to do."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import StoreUnavailable

LOOK_S = 1.0
UNHEARD = 3
"""A chore that was asked for so often, and reached nobody here, is done all the same: a broker may take tasks and hand
out none. Where other workers did it, it is done once more."""

_log = logs.get("chores")


@dataclass(frozen=True, slots=True)
class Chore:
    """`do` may be called by several workers at once and at any time; it must not mind. `due`: whether there is anything
    to do; it only looks."""

    name: str
    every_s: float
    do: Callable[[], None]
    due: Callable[[], bool] = lambda: True


class Timer:
    """Asks for each chore when it is due, by the monotonic clock. `ask` hands a chore's name to the broker and
    says whether it was taken."""

    def __init__(self, chores: Sequence[Chore], clock: Clock, ask: Callable[[str, float], bool]) -> None:
        self._chores = chores
        self._clock = clock
        self._ask = ask
        self._unheard = dict.fromkeys((chore.name for chore in chores), 0)
        self._due = {chore.name: clock.monotonic() + chore.every_s for chore in chores}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A chore under way ends by itself."""
        self._stopped.set()

    def heard(self, name: str) -> None:
        """The chore is being done here."""
        self._unheard[name] = 0

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Ask for each chore whose time has come, and that has anything to do."""
        for chore in self._chores:
            if self._clock.monotonic() < self._due[chore.name]:
                continue
            self._due[chore.name] = self._clock.monotonic() + chore.every_s
            if not _has_work(chore):
                continue
            self._unheard[chore.name] += 1
            if self._unheard[chore.name] > UNHEARD or not self._ask(chore.name, chore.every_s):
                self.heard(chore.name)
                carry_out(chore)


def _has_work(chore: Chore) -> bool:
    try:
        return chore.due()
    except StoreUnavailable:  # the store has logged why
        return False
    except Exception:  # noqa: BLE001 - who cannot look does the work, and meets there what is wrong
        _log.exception("chore.not_looked", chore=chore.name)
        return True


def carry_out(chore: Chore) -> None:
    """Do it; what goes wrong is told in the log, and the next time is tried again."""
    try:
        chore.do()
    except StoreUnavailable as error:  # the store has logged why, with a line a second at most
        _log.debug("chore.put_off", chore=chore.name, cause=error.cause)
    except Exception:  # noqa: BLE001 - a chore that fails must not end the timer that the others hang on
        _log.exception("chore.failed", chore=chore.name)
