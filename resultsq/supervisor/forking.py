"""Our own processes are forked from the supervisor, which has loaded what they run: they begin at once, and what was
loaded is in memory once for all of them. One that died is forked anew from the same untouched parent.

On Linux alone: elsewhere the system's own libraries do not survive a fork, so a new Python loads everything again.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

FORKS = sys.platform == "linux"
_ASKED_TO_END = (signal.SIGTERM, signal.SIGINT)


class Running(Protocol):
    """A process that was started. Its group is its own and bears its number."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Its exit status, or None while it runs; -9 where signal 9 has ended it."""

    def wait(self) -> int:
        """Until it ends; its exit status."""


@dataclass(frozen=True, slots=True)
class OwnCommands:
    """The command line, as far as the supervisor needs it: `load` what commands need, `run` one in this process."""

    load: Callable[[Sequence[str]], None]
    run: Callable[[Sequence[str]], None]


class _Forked:
    def __init__(self, name: str, become: Callable[[], None]) -> None:
        self._process = get_context("fork").Process(target=become, name=name)
        # a signal that comes before the child has let go of our handlers would be lost
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED_TO_END)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED_TO_END)
        assert self._process.pid is not None  # noqa: S101 - it has been started
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0


def fork(
    name: str, run: Callable[[], None], env: Mapping[str, str], kept: Sequence[int], out: int | None, err: int
) -> Running:
    """`run` in a process of its own. Of our open files it has `kept`; it writes to `out` (None: to ours) and `err`."""
    ours = {int(path.name) for path in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *kept}

    def become() -> None:
        os.setsid()
        for number in _ASKED_TO_END:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED_TO_END)
        Path("/proc/self/comm").write_text(f"resultsq-{name}")  # what `top` and `pstree` show
        os.dup2(err, 2)
        if out is not None:
            os.dup2(out, 1)
        for descriptor in ours:  # their owners are on our parent's stack, which nothing here goes back to
            with suppress(OSError):
                os.close(descriptor)
        os.environ.clear()
        os.environ.update(env)
        run()

    return _Forked(name, become)


def spawn(command: Sequence[str], env: Mapping[str, str], kept: Sequence[int], out: int | None, err: int) -> Running:
    """A program in a process of its own, in the same way."""
    return subprocess.Popen(  # noqa: S603 - our own command
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        pass_fds=kept,
        start_new_session=True,
    )
