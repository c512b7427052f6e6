"""Processes that are forked from one that has loaded all they need, as `up` forks its own: to load takes one to two
seconds of processor time, and a run of all tests starts hundreds.

What comes of it is a process like any other: a session, an environment, an output and a folder of its own, `main()` of
its program from the first line to the interpreter's end. kill -9 ends it. Only the loading is not its own, so a test
whose subject is the start itself has a new Python (`Process(…, afresh=True)`).

`python -m tests.support.nursery DESCRIPTOR` is the process that loads and forks. It has one thread, for a fork loses
the others. It ends, and ends all that it forked, when the other side of its socket is closed.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

PRODUCT, MASTER = "resultsq.cli", "tests.support.masters"
"""Modules with a `main()`."""

_COMMANDS = ("up", "web", "worker", "master", "drill", "doctor")
"""The product's commands that are loaded: what the others load is among it, or little."""

_BESIDE = ("celery.bin.worker", "psycopg", "sqlalchemy.dialects.postgresql.psycopg", "resultsq.watch.messenger")
"""What they load while they work."""

_MOST_BYTES = 100_000


class Nursling:
    """A forked process, for those who started it: what `subprocess.Popen` offers of it."""

    def __init__(self, pid: int, status: int) -> None:
        """`status`: the end of a pipe on which its exit status comes."""
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._turn = threading.Lock()

    def poll(self) -> int | None:
        with self._turn:
            if self.returncode is None and select.select([self._status], [], [], 0)[0]:
                told = os.read(self._status, 20)
                os.close(self._status)
                self.returncode = int(told) if told else -signal.SIGKILL  # the nursery was killed, and all with it
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.poll() is None and timeout != 0:
            select.select([self._status], [], [], timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and is about to be heard of
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that forks, from the first start to `close`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment`: what it sees while it loads."""
        self._environment = dict(environment)
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None, *, out: int,
        err: int,
    ) -> Nursling:  # fmt: skip
        """`main()` of this module in a process of its own, which writes to these descriptors."""
        asked = {"module": module, "arguments": list(arguments), "environment": dict(environment),
                 "folder": str(folder or Path.cwd())}  # fmt: skip
        with self._turn:
            ours = self._socket or self._open()
            heard, told = os.pipe()
            try:
                socket.send_fds(ours, [json.dumps(asked).encode()], [out, err, told])
            finally:
                os.close(told)
            answer = ours.recv(20)
        if not answer:
            raise RuntimeError("The nursery has ended.")
        return Nursling(int(answer), heard)

    def close(self) -> None:
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait(20)
            self._socket = None

    def _open(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.nursery", str(theirs.fileno())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._socket = ours
        return ours


# in the process that forks


class _Asked:
    """A process that is wanted."""

    def __init__(self, message: bytes, descriptors: Sequence[int]) -> None:
        told: dict[str, Any] = json.loads(message)
        self.out, self.err, self.status = descriptors
        self.module: str = told["module"]
        self._arguments: list[str] = told["arguments"]
        self._environment: dict[str, str] = told["environment"]
        self._folder: str = told["folder"]

    def become(self) -> None:
        """Be it, as far as that is a matter of the process."""
        os.setsid()
        os.dup2(self.out, 1)
        os.dup2(self.err, 2)
        for path in list(Path("/proc/self/fd").iterdir()):  # the socket, and what the others have
            if (number := int(path.name)) > 2:
                with suppress(OSError):
                    os.close(number)
        os.chdir(self._folder)
        os.environ.clear()
        os.environ.update(self._environment)
        time.tzset()
        tempfile.tempdir = None
        sys.argv = [self.module, *self._arguments]


def _load() -> None:
    """All that is run here, and nothing that has begun."""
    from resultsq.cli import commands
    from resultsq.wakeup import load_client
    from tests.support import routes

    context = commands.make_context("resultsq", ["up"], resilient_parsing=True)
    gc.disable()
    for name in _COMMANDS:
        commands.get_command(context, name)
        gc.disable()
    load_client()
    for module in (MASTER, *_BESIDE):
        importlib.import_module(module)
    routes.compile_all()
    gc.collect()
    gc.freeze()  # a garbage collection that wrote to it would copy it
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork would lose the other threads"


def _forked(ours: socket.socket) -> _Asked:
    """Fork what is asked for, and tell how each ended. It comes back in those that were forked."""
    statuses: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    usual = signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([ours.fileno(), woken], [], [])
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 4096)
            while statuses and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                with suppress(BrokenPipeError):  # nobody waits for it any more
                    os.write(statuses[pid], str(os.waitstatus_to_exitcode(status)).encode())
                os.close(statuses.pop(pid))
        if ours.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(ours, _MOST_BYTES, 3)
        if not message:
            _end(statuses)
        asked = _Asked(message, descriptors)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, usual)
            return asked
        os.close(asked.out)
        os.close(asked.err)
        statuses[pid] = asked.status
        ours.send(str(pid).encode())


def _end(pids: Mapping[int, int]) -> NoReturn:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    sys.exit()


def _main() -> None:
    ours = socket.socket(fileno=int(sys.argv[1]))
    _load()
    asked = _forked(ours)
    ours.detach()
    asked.become()
    importlib.import_module(asked.module).main()


if __name__ == "__main__":
    _main()
