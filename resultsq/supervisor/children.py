"""The processes of a node: started, started again when they die, and ended in order.

Each runs in a process group of its own, so that Ctrl-C reaches the supervisor alone and it decides the order of
ending. The children end with the supervisor however it ends: our own watch a pipe that only the supervisor holds
open (cli/parent_pipe.py), the broker asks the kernel for the signal.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, ClassVar

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import SettingsError

SCHEMA = "schema"
"""The child that makes the tables and the first account, and ends."""

DEMO = "demo"
"""The child that fills a demo's database, and ends."""

BAD_SETTINGS = 2
"""Exit status of a command whose settings make no sense: starting it again would not help."""

AGAIN_S, AGAIN_MAX_S = 0.1, 2.0
"""A child that died is started again after the first; one that dies at once, after up to the second."""

LIVED_S = 10.0
UNSHOWN_LINES = 20
"""How many lines of a quiet child are kept, to be shown when it fails."""

_log = logs.get("up")


class Child:
    """One process, started again when it dies; or run `once`, and then it may speak on our standard output.

    A `quiet` one's lines are shown only when it has failed, and then the last of them."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        inherited: Sequence[int],
        once: bool = False,
        quiet: bool = False,
    ) -> None:
        self.name = name
        self.done = False
        self._once = once
        self._command = command
        self._env = env
        self._inherited = inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._due = float("-inf")
        self._failures = 0
        self._unshown: deque[bytes] | None = deque(maxlen=UNSHOWN_LINES) if quiet else None
        self._reader: threading.Thread | None = None

    def tend(self, now: float) -> int | None:
        """Start it if it is due; `now` is monotonic. The exit status of one that has just ended, else None."""
        if self._process is None:
            if now >= self._due and not self.done:
                self._start(now)
            return None
        status = self._process.poll()
        if status is not None:
            self.end(0)
            self._show_last_lines()
            if self._once:
                self.done = True
                return status
            self._failures = 0 if now - self._started > LIVED_S else self._failures + 1
            again_s = min(AGAIN_S * 2**self._failures, AGAIN_MAX_S)
            self._due = now + again_s
            _log.warning("child.died", child=self.name, status=status, again_s=again_s)
        return status

    def end(self, grace_s: float) -> None:
        """End it: in good order within `grace_s`, else at once, with all that it started."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            _log.warning("child.killed", child=self.name, after_s=grace_s)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _start(self, now: float) -> None:
        self._started = now
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=None if self._once else subprocess.PIPE,
            stderr=subprocess.PIPE if self._once else subprocess.STDOUT,
            pass_fds=self._inherited,
            start_new_session=True,
        )
        output = self._process.stdout or self._process.stderr
        take = self._show if self._unshown is None else self._unshown.append
        self._reader = threading.Thread(target=_read, args=(output, take), daemon=True)
        self._reader.start()

    def _show_last_lines(self) -> None:
        if self._unshown is None or self._reader is None:
            return
        self._reader.join(1.0)  # it ends with the child's output
        while self._unshown:
            self._show(self._unshown.popleft())

    def _show(self, line: bytes) -> None:
        """Write a line of the child to our standard error, with the child's name."""
        with suppress(OSError, ValueError):  # no reader is left: the child must not block for that
            sys.stderr.buffer.write(b"%-6s | %s\n" % (self.name.encode(), line.rstrip(b"\n")))
            sys.stderr.buffer.flush()


def _read(output: IO[bytes], take: Callable[[bytes], None]) -> None:
    with output:
        for line in output:
            take(line)


class Supervisor:
    """The children, from the first start to the end of them all."""

    ENDING: ClassVar[Sequence[str]] = (SCHEMA, DEMO, "web", "worker", "broker", "master")
    """In this order, so that a process ends before those that it calls."""

    ENDING_S: ClassVar[float] = 4.0
    RESERVED_S: ClassVar[float] = 0.4
    """How long all may take, and what of it a child must leave to each that ends after it."""

    def __init__(self, clock: Clock, lock: int) -> None:
        self._clock = clock
        self._lock = lock
        self._children: dict[str, Child] = {}
        self._parent_pipe, self._held = os.pipe()

    def start(self, name: str, *arguments: str, env: Mapping[str, str], once: bool = False) -> None:
        """Start one of the product's own commands."""
        command = [sys.executable, "-m", "resultsq", "--parent-pipe", str(self._parent_pipe), *arguments]
        self._add(Child(name, command, env, (self._parent_pipe, self._lock), once))

    def start_foreign(self, name: str, *command: str, quiet: bool) -> None:
        """Start a program that knows nothing of us: it becomes `command` after asking the kernel to end it with us."""
        watcher = [sys.executable, "-I", "-S", "-c", _ENDS_WITH_PARENT, str(os.getpid())]
        self._add(Child(name, [*watcher, *command], os.environ, (self._lock,), quiet=quiet))

    def _add(self, child: Child) -> None:
        self._children[child.name] = child
        child.tend(self._clock.monotonic())

    def has_done(self, name: str) -> bool:
        """Whether the child that was to be run once has ended well."""
        return self._children[name].done

    def tend(self) -> None:
        """Restart the processes that died.

        :raises SettingsError: a child says that its settings make no sense, or failed at its one task"""
        for child in self._children.values():
            status = child.tend(self._clock.monotonic())
            if status == BAD_SETTINGS or (status and child.done):
                raise SettingsError(f"The process “{child.name}” cannot do its work; it says why above.")

    def end(self) -> None:
        """End them all, one after the other."""
        give_up = self._clock.monotonic() + self.ENDING_S
        running = [name for name in self.ENDING if name in self._children]
        for after, name in zip(range(len(running) - 1, -1, -1), running, strict=True):
            self._children[name].end(max(0.0, give_up - self._clock.monotonic() - after * self.RESERVED_S))
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
