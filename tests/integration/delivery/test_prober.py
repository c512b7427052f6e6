"""The prober: who probes and how often at once, and what becomes of a probe that cannot be started or meets a fault."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from resultsq.clock import SystemClock
from resultsq.delivery.masters import open_master
from resultsq.delivery.masters.database import DatabaseMaster
from resultsq.delivery.prober import Prober
from resultsq.domain.link import PROBES_AT_ONCE, LinkState
from resultsq.domain.ports import Master, ProbeAnswer
from resultsq.store.engine.tables import Comparison, Link
from resultsq.store.outbox import links
from tests.support.nodes import StoreNode, migrated
from tests.support.waiting import wait_until

MORE_S = 1.2
"""Longer than the prober takes to look at a link that is up, several times over."""


class Hanging(DatabaseMaster):
    """A master whose probes do not come back before they are let go."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "a token", clock=SystemClock())
        self.begun = 0
        self.let_go = threading.Event()

    def probe(self) -> ProbeAnswer:
        self.begun += 1
        self.let_go.wait(30)
        return super().probe()


class Faulty(DatabaseMaster):
    """A make of master with a fault."""

    mended = False

    def probe(self) -> ProbeAnswer:
        if not self.mended:
            raise KeyError("a fault of ours")
        return super().probe()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StoreNode]:
    with closing(migrated(f"sqlite:///{tmp_path / 'store.db'}")) as database:
        node = StoreNode(database)
        node.now = SystemClock().now()
        node.probe()
        yield node


@contextmanager
def probing(node: StoreNode, master: Master) -> Iterator[None]:
    prober = Prober(node.database, master, SystemClock(), "w1", 8, lambda _: None)
    prober.start()
    try:
        yield
    finally:
        prober.stop()


def call_for_one(node: StoreNode) -> None:
    """A probe is due."""
    due = update(Link).values(next_probe_at=SystemClock().now())
    node.database.write(lambda conn: conn.execute(due))


def test_a_few_probes_at_most_are_under_way_and_what_cannot_be_started_takes_no_place(
    node: StoreNode, tmp_path: Path
) -> None:
    master = Hanging(f"sqlite:///{tmp_path / 'master.db'}")
    failed: list[object] = []
    event.listen(node.database.engine, "handle_error", lambda context: failed.append(context.original_exception))

    def wait_for(begun: int) -> None:
        def there() -> bool:
            call_for_one(node)
            return master.begun >= begun

        wait_until(there, 30, f"probe {begun}")

    with closing(master), probing(node, master):
        wait_for(PROBES_AT_ONCE - 1)
        trigger = "CREATE TRIGGER a_fault BEFORE UPDATE OF probes ON links BEGIN SELECT RAISE(ABORT, 'no'); END"
        node.database.write(lambda conn: conn.exec_driver_sql(trigger))
        begun = master.begun
        call_for_one(node)
        wait_until(lambda: failed, 30, "one that cannot be started")
        assert master.begun == begun
        node.database.write(lambda conn: conn.exec_driver_sql("DROP TRIGGER a_fault"))
        wait_for(PROBES_AT_ONCE)
        until = time.monotonic() + MORE_S
        while time.monotonic() < until:
            call_for_one(node)
            time.sleep(0.1)
        assert master.begun == PROBES_AT_ONCE
        master.let_go.set()
        wait_for(PROBES_AT_ONCE + 1)


def test_a_probe_that_meets_a_fault_of_ours_says_so_of_the_link_until_it_is_mended(
    node: StoreNode, tmp_path: Path
) -> None:
    with closing(Faulty(f"sqlite:///{tmp_path / 'master.db'}", "a token", clock=SystemClock())) as master:
        call_for_one(node)
        with probing(node, master):
            wait_until(lambda: node.link().cause == "surprise", 30, "what the link says")
            assert node.link().state != LinkState.UP
            master.mended = True
            wait_until(lambda: node.link().state == LinkState.UP, 30, "the link's return")


def test_a_worker_that_is_not_the_prober_starts_no_probe(node: StoreNode, tmp_path: Path) -> None:
    master = Hanging(f"sqlite:///{tmp_path / 'master.db'}")
    now = SystemClock().now()
    assert node.database.write(lambda conn: links.take_prober(conn, now, "another")).mine
    call_for_one(node)
    with closing(master), probing(node, master):
        time.sleep(MORE_S)
        master.let_go.set()
    assert master.begun == 0
    assert node.link().prober == "another"


def test_a_worker_that_is_not_the_prober_writes_nothing_to_learn_it(node: StoreNode, tmp_path: Path) -> None:
    now = SystemClock().now()
    assert node.database.write(lambda conn: links.take_prober(conn, now, "another")).mine
    with closing(Hanging(f"sqlite:///{tmp_path / 'master.db'}")) as master, node.database.alone():
        assert Prober(node.database, master, SystemClock(), "w1", 8, lambda _: None)._look() is None


def test_a_probe_writes_down_what_the_master_says_that_it_has(node: StoreNode, tmp_path: Path) -> None:
    call_for_one(node)
    with closing(open_master(f"sqlite:///{tmp_path / 'master.db'}", "a token", clock=SystemClock())) as master:
        latest = master.probe().latest
        assert latest is not None

        def counts() -> list[int | None]:
            with node.database.read() as conn:
                return list(conn.execute(select(Comparison.latest_count)).scalars())

        with probing(node, master):
            wait_until(lambda: counts() == [latest.count], 30, "what the master has")
