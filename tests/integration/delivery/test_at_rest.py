"""What a worker asks of its database and of the network while it can do nothing."""

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from resultsq.clock import SystemClock
from resultsq.delivery import dispatch
from resultsq.delivery.dispatch import Dispatcher
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.delivery.prober import Prober
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import links
from tests.support.nodes import CEILING
from tests.support.relays import Relay
from tests.support.services import HOST, free_port
from tests.support.waiting import wait_until


@contextmanager
def asked(database: Database) -> Iterator[list[str]]:
    """The statements of the prober."""
    found: list[str] = []

    def hear(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


def test_the_prober_looks_and_writes_once_for_each_probe_while_the_link_is_down(sqlite_relay: Relay) -> None:
    relay, database = sqlite_relay, Database(sqlite_relay.url)
    relay.node.probe()
    # nothing listens there, and each answer is the same
    master = HttpMaster(f"http://{HOST}:{free_port()}", "secret", clock=SystemClock())
    prober = Prober(database, master, SystemClock(), "w1", CEILING, lambda _: None)
    relay.database.write(lambda conn: links.suspect(conn, SystemClock().now()))
    prober.start()
    relay.wait_for_link("down")
    wait_until(lambda: relay.node.link().probes >= 3, what="the first probes of the outage")
    with asked(database) as statements:
        began, probes = time.monotonic(), relay.node.link().probes
        wait_until(lambda: relay.node.link().probes >= probes + 4, what="four probes")
        took_s, seen = time.monotonic() - began, relay.node.link().probes - probes
    prober.stop()
    master.close()
    database.close()
    looks = [one for one in statements if one.startswith("SELECT") and "FROM links" in one]
    assert took_s >= 2.5, "one a second"
    writes = [one for one in statements if one.startswith("UPDATE")]
    assert len(looks) <= seen + 2, "its start and the end of the one before are one look"
    assert len(writes) <= 2 * (seen + 2), "one for the link and one for the outage"


@contextmanager
def dispatching(relay: Relay, sweep_s: float) -> Iterator[list[str]]:
    """The statements of a dispatcher whose link is down from the start, with three that wait."""
    database = Database(relay.url)
    master = HttpMaster(f"http://{HOST}:{relay.proxy.port}", "relay-secret", clock=SystemClock())
    relay.node.probe()
    relay.accept(3)
    relay.node.probe(Cause.REFUSED)
    dispatcher = Dispatcher(database, master, SystemClock(), "w1", CEILING, sweep_s)
    with asked(database) as statements:
        dispatcher.start()
        try:
            yield statements
        finally:
            dispatcher.stop()
            master.close()
            database.close()


def cycles(statements: list[str]) -> int:
    return sum("FROM holds" in one and "lease_until" in one for one in statements)


def test_between_cycles_a_worker_only_looks_whether_the_link_is_back(
    sqlite_relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "REST_S", 600.0)
    with dispatching(sqlite_relay, 0.05) as statements:
        wait_until(lambda: sum(one.startswith("SELECT links.state") for one in statements) >= 20, what="twenty looks")
        assert cycles(statements) == 1, "the first"
        sqlite_relay.node.probe()
        sqlite_relay.wait_until_published(3)


def test_a_lease_that_ran_out_is_taken_back_while_the_link_is_down(
    sqlite_relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "REST_S", 0.2)
    relay = sqlite_relay
    with dispatching(relay, 0.05) as statements:
        wait_until(lambda: cycles(statements), what="a cycle")
        past = SystemClock().now() - timedelta(minutes=10)
        dead = {"lease": "dead", "lease_owner": "w2", "lease_until": past, "lease_s": 60.0, "state": State.SENDING}
        relay.database.write(lambda conn: conn.execute(update(Submission).where(Submission.seq == 1).values(**dead)))
        wait_until(lambda: relay.node.count(state=State.QUEUED) == 3, what="the lease's end")


def test_a_probe_into_a_silence_wakes_no_thread_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    select = selectors.DefaultSelector.select

    def heard(self: selectors.DefaultSelector, timeout: float | None = None) -> object:
        waits.append(timeout or 0.0)
        return select(self, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", heard)
    with socket.socket() as full, ExitStack() as queue:
        full.bind((HOST, 0))
        full.listen(0)
        for _ in range(3):  # more than the system keeps for it: the next ones are not answered
            one = queue.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        limits = CallTimeouts(probe_s=1.0)
        master = HttpMaster(f"http://{HOST}:{full.getsockname()[1]}", "", clock=SystemClock(), limits=limits)
        answer = master.probe()
        master.close()
    assert answer.cause is Cause.TIMEOUT
    assert len(waits) == 1
