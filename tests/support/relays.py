"""A relay under test: its database, a link with a switch to another master, and workers in this process."""

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import select

from resultsq import settings_sources
from resultsq.clock import Clock, SystemClock
from resultsq.delivery.app import Delivery
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import workers
from tests.history.check import Finding, judge
from tests.support.histories import Promises, chain_of, history
from tests.support.nodes import StoreNode, migrated
from tests.support.processes import OtherMaster
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until

DAYS = [f"{year}-{month:02}-{day:02}" for year in range(2000, 2013) for month in range(1, 13) for day in range(1, 29)]


def at_once(puts: Iterable[dict[str, Any]], work_s: float, until: float = float("inf")) -> int:
    """The most PUTs, of those begun until then, that the master worked on together. It notices the end of one
    some time after its answer has left, so each counts for its work alone."""
    begun = [put["began"] for put in puts if put["began"] < until]
    changes = [(began, 1) for began in begun] + [(began + work_s, -1) for began in begun]
    return max(itertools.accumulate(change for _, change in sorted(changes)))


class Relay:
    """Real time, real sockets. `node` is its team's and its observer's view; `master` what it publishes to."""

    def __init__(self, url: str, master: OtherMaster) -> None:
        self.url = url
        self.master = master
        self.proxy = Proxy(master.port)
        self._stack = ExitStack()
        self._days = iter(DAYS)
        self.promised: Promises = {}

    def __enter__(self) -> Self:
        self._stack.enter_context(self.proxy)
        self.database = migrated(self.url)
        self._stack.callback(self.database.close)
        self.node = StoreNode(self.database)
        self.node.now = SystemClock().now()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def environment(self, **more: str | Path) -> dict[str, str]:
        """The settings of its processes; `more` by the names of the fields, in capitals."""
        values = {
            "DATABASE_URL": self.url,
            "MASTER_URL": f"http://127.0.0.1:{self.proxy.port}",
            "MASTER_TOKEN": "relay-secret",
            **more,
        }
        return {f"RESULTSQ_{name}": str(value) for name, value in values.items()}

    def settings(self, **more: str) -> Settings:
        return settings_sources.load(self.environment(**more)).settings

    def token(self, event: str) -> str:
        """A team's token."""
        return self.database.write(
            lambda conn: tokens.issue(conn, self.node.now, "a test", Role.TEAM, self.node.events[event])
        )

    @contextmanager
    def worker(self, name: str = "w1", clock: Clock | None = None, /, **more: str) -> Iterator[Delivery]:
        """A worker of this name, with a database pool of its own as another process would have."""
        database = Database(self.url)
        delivery = Delivery(self.settings(**more), database, clock or SystemClock(), name)
        delivery.start()
        try:
            yield delivery
        finally:
            delivery.stop()
            database.close()

    def accept(self, count: int = 1, event: str = "bushy", rows: int = 5) -> list[str]:
        """So many first versions, each of a day of its own; their ids."""
        self.node.now = SystemClock().now()
        made = [self.node.entry(event, rows, date=next(self._days)) for _ in range(count)]
        told = self.database.write(lambda conn: [outbox.accept(conn, self.node.now, one) for one in made])
        for entry, acknowledged in zip(made, told, strict=True):
            self.promised[acknowledged.id] = chain_of(event, entry.date), acknowledged.digest
        return [one.id for one in told]

    def broken_promises(self) -> list[Finding]:
        """What the judge finds when all faults are over."""
        return judge(history(self.promised, self.master.commits(), self.database))

    # what is seen

    def wait_for_link(self, state: str, timeout_s: float = 30.0) -> None:
        wait_until(lambda: self.node.link().state == state and not self.node.link().suspect, timeout_s, f"link {state}")

    def workers(self) -> set[str]:
        """The names of those that have said that they live."""
        with self.database.read() as conn:
            return {name for name, *_ in workers.every(conn)}

    def published(self) -> int:
        return self.node.count(state=State.PUBLISHED) + self.node.count(state=State.CORRECTED)

    def wait_until_published(self, count: int, timeout_s: float = 60.0) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        wait_until(lambda: self.published() >= count, timeout_s, f"publication of {count}")
        return time.monotonic() - began

    def puts(self) -> Sequence[dict[str, Any]]:
        found: Sequence[dict[str, Any]] = self.master.report()["puts"]
        return found

    def assert_all_there_once(self, submissions: Sequence[str]) -> None:
        """The master has these and no others, with the bytes that were accepted, and gave each one receipt."""
        receipts = self.master.receipts()
        assert set(receipts) == set(submissions)
        with self.database.read() as conn:
            rows = conn.execute(select(Submission.id, Submission.digest, Submission.state)).all()
        for row in rows:
            if row.id in receipts:
                assert receipts[row.id]["digest"] == row.digest
                assert row.state in {State.PUBLISHED, State.CORRECTED}
        if set(submissions) == self.promised.keys():  # none came by another road
            assert self.broken_promises() == []
