"""A node in the simulation: its database, its workers as processes that die and freeze, and what its database does."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from resultsq.delivery.lane import Lane, LaneStart
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.destinations import MASTER
from resultsq.domain.errors import StoreFull, StoreUnavailable, StoreUnsure
from resultsq.store.engine.session import Database
from resultsq.store.engine.write_metrics import Work
from tests.simulate.network import TOKEN, URL, Network, VirtualLines
from tests.simulate.scheduler import Machine, Scheduler, VirtualClock, VirtualThreads

CEILING = 4
SWEEP_S = 1.0

T = TypeVar("T")


class Disk:
    """What befalls writers. `fail_share`: of how many writes something becomes; `away`: all fail."""

    def __init__(self, scheduler: Scheduler, met: Counter[str]) -> None:
        self.scheduler = scheduler
        self.met = met
        self.fail_share = 0.0
        self.away = False

    def before(self) -> str:
        """A turn of the others; then what is to become of this write.

        :raises StoreUnavailable: nothing is written"""
        random = self.scheduler.random
        self.scheduler.park(random.random() * 0.002)
        if self.away:
            raise StoreUnavailable("The database is locked.")
        if random.random() >= self.fail_share:
            return "well"
        fault = random.choice(["locked", "full disk", "unsure", "unsure, and not written"])
        self.met[fault] += 1
        if fault == "locked":
            raise StoreUnavailable("The database is locked.")
        if fault == "full disk":
            raise StoreFull("There is no room on the disk.")
        if fault == "unsure, and not written":
            raise StoreUnsure("The answer to a COMMIT was lost.")
        return fault

    def after(self, fault: str) -> None:
        """It is written, and a process may die before it learns so.

        :raises StoreUnsure: nobody knows"""
        self.scheduler.park(self.scheduler.random.random() * 0.002)
        if fault == "unsure":
            raise StoreUnsure("The answer to a COMMIT was lost.")


class SteppedDatabase(Database):
    """The node's database as one process has it open: others have their turns before and after each write."""

    def __init__(self, url: str, disk: Disk) -> None:
        super().__init__(url)
        self._disk = disk

    def write(self, work: Callable[[Connection], T], what: Work = "other") -> T:
        fault = self._disk.before()
        value = super().write(work, what)
        self._disk.after(fault)
        return value


class Worker:
    """A worker process and its successors under one name."""

    def __init__(self, name: str, node: "VirtualNode") -> None:
        self.name = name
        self._node = node
        self.machine = Machine(name)
        self._lane: Lane | None = None

    def start(self) -> None:
        """Begin in a new process. It tries until the database lets it."""
        self.machine = machine = Machine(self.name)
        self._lane = None
        self._node.scheduler.spawn(machine, lambda: self._start(machine))

    def _start(self, machine: Machine) -> None:
        node = self._node
        threads = VirtualThreads(node.scheduler, machine)
        master = HttpMaster(URL, TOKEN, clock=node.clock, lines=VirtualLines(node.network), threads=threads)
        start = LaneStart(node.open(), node.clock, self.name, SWEEP_S, threads, node.scheduler.random.random)
        lane = Lane(MASTER, master, CEILING, "credentials", start, lambda _returned: lane.dispatcher.wake())
        while True:
            try:
                lane.start()
                break
            except StoreUnavailable:  # a supervisor starts a worker anew that could not begin
                node.scheduler.sleep(1.0)
        self._lane = lane

    def kill(self) -> None:
        """kill -9: nothing of it runs again."""
        self.machine.alive = False

    def ring(self) -> None:
        if self.machine.alive and self._lane is not None:
            self._lane.dispatcher.wake()


class VirtualNode:
    """One database, two workers."""

    def __init__(self, scheduler: Scheduler, path: Path, network: Network) -> None:
        self.scheduler = scheduler
        self.clock = VirtualClock(scheduler)
        self.network = network
        self.disk = Disk(scheduler, network.met)
        self._url = f"sqlite:///{path}"
        self._opened: list[SteppedDatabase] = []
        self.workers = [Worker(f"w{number}", self) for number in (1, 2)]

    def open(self) -> SteppedDatabase:
        self._opened.append(database := SteppedDatabase(self._url, self.disk))
        return database

    def ring(self) -> None:
        """Most rings are heard, and by one worker."""
        if self.scheduler.random.random() < 0.8:
            self.scheduler.random.choice(self.workers).ring()

    def close(self) -> None:
        for one in self._opened:
            one.close()
