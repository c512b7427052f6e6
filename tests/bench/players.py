"""Who takes part in a contest: resultsq, and each peer that is installed."""

import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol, Self

from tests.bench import work
from tests.bench.machine import tree
from tests.bench.ours import Ours
from tests.bench.report import OURS
from tests.bench.work import Job
from tests.support.processes import Process
from tests.support.services import PostgreSQL, Valkey


class Player(AbstractContextManager["Player"], Protocol):
    """Made for one contest, with services of its own."""

    @property
    def name(self) -> str: ...

    @property
    def pids(self) -> list[int]:
        """The workers' root processes that live."""

    def submit(self, made: Sequence[Job]) -> None:
        """Hand the sheets over, durably."""

    def start(self) -> None:
        """Start a worker with 8 at once."""

    def unaccounted(self, missing: Sequence[str]) -> int | None:
        """How many of those that are not at the master are not waiting either; None: it cannot be told."""


class Resultsq:
    def __init__(self, master_url: str) -> None:
        self.name = OURS
        self._master_url = master_url

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            broker = stack.enter_context(Valkey())
            self.node = stack.enter_context(Ours(folder, self._master_url, broker_url=broker.url))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def pids(self) -> list[int]:
        return self.node.pids

    def submit(self, made: Sequence[Job]) -> None:
        self.node.submit(made)

    def start(self) -> None:
        self.node.start_workers()

    def unaccounted(self, missing: Sequence[str]) -> int:
        return len(set(missing) - self.node.waiting())


class Peer:
    """:raises ImportError: it is not installed"""

    def __init__(self, module: str, master_url: str) -> None:
        self._module: Any = importlib.import_module(f"tests.bench.peers.{module}")
        self.name: str = self._module.NAME
        self._name = module
        self._master_url = master_url
        self._workers: list[Process] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            if self._module.NEEDS == "postgresql":
                server = stack.enter_context(PostgreSQL(durable=True))
                broker = stack.enter_context(server.database()).replace("+psycopg", "")
            else:
                broker = stack.enter_context(Valkey()).url  # flushed to the disk at each write: as durable as ours
            self._env = {"BENCH_BROKER": broker, "RQ_REDIS_URL": broker, "BENCH_MASTER": self._master_url}
            self._run()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._workers if worker.running]

    def submit(self, made: Sequence[Job]) -> None:
        work.write(self._folder / "jobs", list(made))
        self._run(str(self._folder / "jobs"))

    def _run(self, *file: str) -> None:
        """Prepare, or send the jobs of a file."""
        with Process(self._name, *file, program=(sys.executable, "-m", "tests.bench.peers"), env=self._env) as run:
            assert run.wait(300) == 0, str(run)

    def start(self) -> None:
        program = (sys.executable, "-m", *self._module.WORKER)
        self._workers.append(self._stack.enter_context(Process(program=program, env=self._env)))

    def unaccounted(self, missing: Sequence[str]) -> None:
        return None


def kill(player: Player) -> None:
    """kill -9 of its worker and all that it started, as a power cut would."""
    for pid in [one for root in player.pids for one in tree(root)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def made(name: str, link_port: int) -> Player:
    """The player of this name at the link's port.

    :raises ImportError: it is not installed"""
    url = f"http://127.0.0.1:{link_port}"
    return Resultsq(url) if name == OURS else Peer(name, url)
