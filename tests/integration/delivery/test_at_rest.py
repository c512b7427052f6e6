"""What a worker asks its database while it can do nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from resultsq.clock import SystemClock
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.prober import Prober
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links
from tests.support.far_side import far_side, reset
from tests.support.nodes import CEILING
from tests.support.relays import Relay
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


def test_the_prober_looks_once_for_each_probe_while_the_link_is_down(sqlite_relay: Relay) -> None:
    relay, database = sqlite_relay, Database(sqlite_relay.url)
    relay.node.probe()
    with far_side(reset) as port:
        master = HttpMaster(f"http://127.0.0.1:{port}", "secret", clock=SystemClock())
        prober = Prober(database, master, SystemClock(), "w1", CEILING, lambda _: None)
        relay.database.write(lambda conn: links.suspect(conn, SystemClock().now()))
        prober.start()
        relay.wait_for_link("down")
        with asked(database) as statements:
            began, probes = time.monotonic(), relay.node.link().probes
            wait_until(lambda: relay.node.link().probes >= probes + 4, what="four probes")
            took_s, seen = time.monotonic() - began, relay.node.link().probes - probes
        prober.stop()
        master.close()
    database.close()
    looks = [one for one in statements if one.startswith("SELECT") and "FROM links" in one]
    assert took_s >= 2.5, "one a second"
    assert len(looks) <= 4 * seen + 2, "one look finds that it is due; its start and its end look once more each"
