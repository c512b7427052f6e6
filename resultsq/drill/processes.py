"""The rehearsal's stage: a temporary folder and the real processes in it, all of which end with it.

Each process is a group of its own whose log is in the folder, and holds one end of a pipe to its parent: however the
rehearsal ends, kill -9 included, the pipe closes and the processes go. Nothing of the caller's node is touched:
neither its settings, nor its database, nor its broker.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self, Unpack

import resultsq
from resultsq.clock import Clock
from resultsq.domain.errors import ResultsqError
from resultsq.domain.i18n import gettext
from resultsq.drill.postgres import Identity
from resultsq.settings import PREFIX

END_S = 5.0
"""How long a process has to end in good order before it is killed."""

START_S = 60.0
LOOK_EVERY_S = 0.05
_TAIL = 12


_ENDS_WITH_PARENT = 'exec 3<&0; (read -r _ <&3; kill -9 0) & exec "$@" </dev/null 3<&-'
"""The program is put in the shell's place; a reader of the pipe stays beside it and ends the group."""


class RehearsalFailed(ResultsqError):
    """The rehearsal could not be carried out, so it says nothing about the results."""


class ProcessGroup:
    """Starts processes and ends them; a context manager. Then `folder` is removed, unless `keep` was called, and each
    folder that was given to `remove_at_end`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keep = False
        self._removed: list[Path] = []

    def __enter__(self) -> Self:
        self._handlers = {number: signal.getsignal(number) for number in _ENDINGS} if _in_main_thread() else {}
        for number in self._handlers:
            signal.signal(number, _leave)
        self.folder = Path(tempfile.mkdtemp(prefix="resultsq-drill-"))
        self._parent_pipe, self._held = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        hasty = signal.signal(signal.SIGINT, signal.SIG_IGN) if self._handlers else None  # ending takes seconds at most
        try:
            self._end()
        finally:
            os.close(self._held)
            os.close(self._parent_pipe)
            for folder in self._removed:
                self._remove(folder)
            if not self._keep:
                shutil.rmtree(self.folder, ignore_errors=True)
            if self._handlers:
                signal.signal(signal.SIGINT, hasty)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def remove_at_end(self, folder: Path) -> None:
        """Remove this folder when all processes have ended."""
        self._removed.append(folder)

    def _remove(self, folder: Path) -> None:
        """A database's processes are in groups of their own: they end a moment after the one that was killed, and a
        file that one of them makes meanwhile keeps its folder."""
        deadline = self.clock.monotonic() + END_S
        shutil.rmtree(folder, ignore_errors=True)
        while folder.exists() and self.clock.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self) -> None:
        """Leave the folder, with the processes' logs, for a closer look."""
        self._keep = True

    def start(self, name: str, *arguments: str | Path, **settings: object) -> None:
        """Start a command of this product, with these settings and no others."""
        environ = {f"{PREFIX}{key.upper()}": str(value) for key, value in settings.items()}
        command = [sys.executable, "-m", "resultsq", "--parent-pipe", str(self._parent_pipe), *arguments]
        self._start(name, command, {**_clean_environ(), **environ}, subprocess.DEVNULL)

    def start_foreign(self, name: str, command: Sequence[str], **as_whom: Unpack[Identity]) -> None:
        """Start a program that knows nothing of lifelines, as ourselves or `as_whom`."""
        self._start(name, ["sh", "-c", _ENDS_WITH_PARENT, "sh", *command], _clean_environ(), self._parent_pipe, as_whom)

    def end(self, name: str) -> None:
        """End this process as a machine does that is switched off: it is not asked."""
        process = self._processes.pop(name)
        _signal_group(process, signal.SIGKILL)
        process.wait()

    def pids(self) -> dict[str, int]:
        """The processes by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def _start(
        self,
        name: str,
        command: Sequence[str | Path],
        environ: Mapping[str, str],
        stdin: int,
        as_whom: Identity | None = None,
    ) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - a command of our own
                command,
                cwd=self.folder,
                env=environ,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._parent_pipe],
                start_new_session=True,  # Ctrl-C is for the rehearsal, which then ends the others in order
                **(as_whom or {}),
            )

    def wait(self, seconds: float) -> None:
        """Let time pass, in which no process may end.

        :raises RehearsalFailed: one did"""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            self.check()
            time.sleep(min(left, LOOK_EVERY_S))

    def wait_for(self, what: str, ready: Callable[[], bool], timeout_s: float = START_S) -> None:
        """Wait until `ready`.

        :raises RehearsalFailed: it did not become so, or a process ended"""
        until = self.clock.monotonic() + timeout_s
        while not ready():
            if self.clock.monotonic() > until:
                raise RehearsalFailed(
                    "\n".join(
                        (
                            gettext("{what} did not come within {number} s.", what=what, number=f"{timeout_s:.0f}"),
                            self._tails(),
                        )
                    )
                )
            self.wait(LOOK_EVERY_S)

    def wait_while_it_moves(self, done: Callable[[], bool], progress: Callable[[], int], stalled_s: float) -> None:
        """Wait until `done`, or until `progress` has been the same for `stalled_s` seconds."""
        seen, moved_s = progress(), self.clock.monotonic()
        while not done() and self.clock.monotonic() - moved_s < stalled_s:
            self.wait(LOOK_EVERY_S)
            if (now_seen := progress()) != seen:
                seen, moved_s = now_seen, self.clock.monotonic()

    def check(self) -> None:
        """See that all that was started still runs.

        :raises RehearsalFailed: with the last lines of the log of the one that does not"""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RehearsalFailed(
                    "\n".join(
                        (
                            gettext("The {name} ended with status {status}.", name=name, status=process.returncode),
                            self._tail(name),
                        )
                    )
                )

    def _tails(self) -> str:
        return "\n".join(self._tail(name) for name in self._processes)

    def _tail(self, name: str) -> str:
        lines = (self.folder / f"{name}.log").read_text("utf-8", errors="replace").splitlines()[-_TAIL:]
        return "\n".join([f"── {name} ──", *lines])

    def _end(self) -> None:
        """SIGTERM to all in the reverse order of their start, then SIGKILL to whatever group is left."""
        deadline = self.clock.monotonic() + END_S
        for process in reversed(self._processes.values()):
            _signal_group(process, signal.SIGTERM)
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):  # killed below, with whatever else is left of its group
                process.wait(max(0.0, deadline - self.clock.monotonic()))
            _signal_group(process, signal.SIGKILL)
            process.wait()


_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # no process is left in it; macOS says it the second way
        os.killpg(process.pid, number)


def _clean_environ() -> dict[str, str]:
    """This environment without this product's settings and without proxies, which loopback needs none of."""
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("RESULTSQ_") and not key.lower().endswith("_proxy")
    }
    home = Path(resultsq.__file__).parent.parent
    if home != Path(sysconfig.get_path("purelib")):  # a checkout that is not installed is found by its path
        environ["PYTHONPATH"] = os.pathsep.join([str(home), *filter(None, [environ.get("PYTHONPATH")])])
    return environ
