"""The processes of a node: started, started again when they die, and ended in order.

Each runs in a process group of its own, so that Ctrl-C reaches the supervisor alone and it decides the order of
ending. The children end with the supervisor however it ends: our own watch a pipe that only the supervisor holds
open (cli/parent_pipe.py), the broker asks the kernel for the signal.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.supervisor.forking import FORKS, OwnCommands, Running, fork, spawn
from resultsq.supervisor.lines import ChildLines, Output

SCHEMA = "schema"
"""The child that makes the tables and the first account, and ends."""

DEMO = "demo"
"""The child that fills a demo's database, and ends."""

BAD_SETTINGS = 2
"""Exit status of a command whose settings make no sense: starting it again would not help."""

AGAIN_S, AGAIN_MAX_S = 0.1, 2.0
"""A child that died is started again after the first; one that dies at once, after up to the second."""

LIVED_S = 10.0
LOOK_S = 0.02
"""How often it is looked whether a child that was told to end has ended."""

LAST_LINES_S = 1.0

_log = logs.get("up")

Start = Callable[[int | None, int], Running]
"""Starts a process that writes to these descriptors; None: to our standard output."""


class Child:
    """One process, started again when it dies; or run `once`, and then it may speak on our standard output.

    A `quiet` one's lines are shown only when it has failed, and then the last of them."""

    def __init__(self, name: str, start: Start, lines: ChildLines, once: bool = False, quiet: bool = False) -> None:
        self.name = name
        self.done = False
        self._once = once
        self._quiet = quiet
        self._start_process = start
        self._lines = lines
        self._process: Running | None = None
        self._output: Output | None = None
        self._started = self._due = float("-inf")
        self._failures = 0

    def tend(self, now: float) -> int | None:
        """Start it if it is due; `now` is monotonic. The exit status of one that has just ended, else None."""
        if self._process is None:
            if now >= self._due and not self.done:
                self._start(now)
            return None
        status = self._process.poll()
        if status is not None:
            self._gone(failed=True)
            if self._once:
                self.done = True
                return status
            self._failures = 0 if now - self._started > LIVED_S else self._failures + 1
            again_s = min(AGAIN_S * 2**self._failures, AGAIN_MAX_S)
            self._due = now + again_s
            _log.warning("child.died", child=self.name, status=status, again_s=again_s)
        return status

    def end(self, clock: Clock, grace_s: float) -> None:
        """End it: in good order within `grace_s`, else at once, with all that it started."""
        if self._process is None:
            return
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
        give_up = clock.monotonic() + grace_s
        while self._process.poll() is None and clock.monotonic() < give_up:
            self._lines.pass_on(LOOK_S)
        if self._process.poll() is None:
            _log.warning("child.killed", child=self.name, after_s=grace_s)
            os.kill(self._process.pid, signal.SIGKILL)
        self._gone(failed=False)

    def _gone(self, failed: bool) -> None:
        """It has ended, or is about to; and so does all that it started."""
        assert self._process is not None  # noqa: S101 - one that runs
        assert self._output is not None  # noqa: S101 - has both
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._lines.finish(self._output, LAST_LINES_S, failed)
        self._process = self._output = None

    def _start(self, now: float) -> None:
        self._started = now
        self._output = self._lines.follow(self.name, self._quiet)
        self._process = self._start_process(None if self._once else self._output.sink, self._output.sink)
        self._output.started()


class Supervisor:
    """The children, from the first start to the end of them all."""

    ENDING: ClassVar[Sequence[str]] = (SCHEMA, DEMO, "web", "worker", "broker", "master")
    """In this order, so that a process ends before those that it calls."""

    ENDING_S: ClassVar[float] = 4.0
    RESERVED_S: ClassVar[float] = 0.4
    """How long all may take, and what of it a child must leave to each that ends after it."""

    def __init__(self, clock: Clock, lock: int, own_commands: OwnCommands) -> None:
        self._clock = clock
        self._lock = lock
        self._own_commands = own_commands
        self._lines = ChildLines(clock)
        self._children: dict[str, Child] = {}
        self._parent_pipe, self._held = os.pipe()

    def start(self, name: str, *arguments: str, env: Mapping[str, str], once: bool = False) -> None:
        """Start one of the product's own commands."""
        words = ["--parent-pipe", str(self._parent_pipe), *arguments]
        kept = (self._parent_pipe, self._lock)

        def process(out: int | None, err: int) -> Running:
            if FORKS:
                return fork(name, lambda: self._own_commands.run(words), env, kept, out, err)
            return spawn([sys.executable, "-m", "resultsq", *words], env, kept, out, err)

        self._add(Child(name, process, self._lines, once))

    def start_foreign(self, name: str, *command: str, quiet: bool) -> None:
        """Start a program that knows nothing of us: it becomes `command` after asking the kernel to end it with us."""
        watched = [sys.executable, "-I", "-S", "-c", _ENDS_WITH_PARENT, str(os.getpid()), *command]
        kept = (self._lock,)
        self._add(Child(name, lambda out, err: spawn(watched, os.environ, kept, out, err), self._lines, quiet=quiet))

    def load(self, *commands: str) -> None:
        """Load what these commands need, so that those started from now on have it."""
        if FORKS:
            self._own_commands.load(commands)

    def _add(self, child: Child) -> None:
        self._children[child.name] = child
        child.tend(self._clock.monotonic())

    def has_done(self, name: str) -> bool:
        """Whether the child that was to be run once has ended well."""
        return self._children[name].done

    def tend(self, for_s: float) -> None:
        """Pass on what the processes write for so long, and restart those that died.

        :raises SettingsError: a child says that its settings make no sense, or failed at its one task"""
        self._lines.pass_on(for_s)
        for child in self._children.values():
            status = child.tend(self._clock.monotonic())
            if status == BAD_SETTINGS or (status and child.done):
                raise SettingsError(
                    gettext("The process “{name}” cannot do its work; it says why above.", name=child.name)
                )

    def end(self) -> None:
        """End them all, one after the other."""
        give_up = self._clock.monotonic() + self.ENDING_S
        running = [name for name in self.ENDING if name in self._children]
        for after, name in zip(range(len(running) - 1, -1, -1), running, strict=True):
            grace_s = max(0.0, give_up - self._clock.monotonic() - after * self.RESERVED_S)
            self._children[name].end(self._clock, grace_s)
            _log.info("child.ended", child=name)
        os.close(self._held)
        os.close(self._parent_pipe)


_ENDS_WITH_PARENT = """
import ctypes, os, sys
parent, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: its data is in its append-only file
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""
