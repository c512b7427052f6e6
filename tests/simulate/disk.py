"""The node's database in the simulation: writes fail, and others have their turns before and after each."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from resultsq.domain.errors import StoreFull, StoreUnavailable, StoreUnsure
from resultsq.store.engine.session import Database
from resultsq.store.engine.write_metrics import Work
from tests.simulate.plan import Plan
from tests.simulate.scheduler import Scheduler

T = TypeVar("T")


class Disk:
    """What befalls writers. `fail_share`: of how many writes something becomes; `away`: why all fail, if they do."""

    def __init__(self, plan: Plan, scheduler: Scheduler, met: Counter[str]) -> None:
        self.plan = plan
        self.scheduler = scheduler
        self.met = met
        self.fail_share = 0.0
        self.away = ""

    def before(self) -> str:
        """A turn of the others; then what is to become of this write.

        :raises StoreUnavailable: nothing is written"""
        random = self.scheduler.random
        self.scheduler.park(random.random() * 0.002)
        if self.away:
            self._fail(self.away)
        if random.random() >= self.fail_share:
            return "well"
        fault = random.choice(["locked", "full disk", "unsure", "unsure and not written"])
        if not self.plan.has(fault):
            return "well"
        self.met[fault] += 1
        if fault != "unsure":
            self._fail(fault)
        return fault

    def _fail(self, fault: str) -> None:
        if fault == "full disk":
            raise StoreFull("There is no room on the disk.")
        if fault == "unsure and not written":
            raise StoreUnsure("The answer to a COMMIT was lost.")
        raise StoreUnavailable(f"The database is {fault}.")

    def after(self, fault: str) -> None:
        """It is written, and a process may die before it learns so.

        :raises StoreUnsure: nobody knows"""
        self.scheduler.park(self.scheduler.random.random() * 0.002)
        if fault == "unsure":
            raise StoreUnsure("The answer to a COMMIT was lost.")


class SteppedDatabase(Database):
    """The node's database as one process has it open: others have their turns before and after each write. Each morning
    has a `disk` of its own, and `audit` is told what each claim returned, before anything else runs."""

    disk: Disk
    audit: Callable[[str, object], None]

    def __init__(self, plain: Database, process: str) -> None:
        super().__init__(plain.url.render_as_string())
        self.engine = plain.engine  # one for all: their connections and compiled statements are made once
        self._plain = plain
        self._process = process

    def _write_sqlite(self, work: Callable[[Connection], T]) -> T:
        return self._plain._write_sqlite(work)  # nobody waits within a transaction, so one connection writes for all

    def write(self, work: Callable[[Connection], T], what: Work = "other") -> T:
        fault = self.disk.before()
        value = super().write(work, what)
        if what == "claim":
            self.audit(self._process, value)
        self.disk.after(fault)
        return value
