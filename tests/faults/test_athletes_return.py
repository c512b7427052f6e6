"""A worker of its own keeps the list of athletes: what changed in an outage is here soon after the link's return."""

import time
from collections.abc import Callable
from pathlib import Path

from resultsq.domain.athletes import Athlete
from resultsq.store.athletes import lookup
from tests.integration.masters.far import TOKENS, served
from tests.support.athletes import athletes, master_list, put
from tests.support.processes import Process
from tests.support.proxy import Proxy
from tests.support.relays import Relay
from tests.support.waiting import wait_until

WITHIN_S = 20.0
"""The promise is ten seconds; a busy machine has twice as many."""


def test_what_changed_in_an_outage_is_here_soon_after_the_links_return_and_after_the_results(
    sqlite_relay: Relay, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    relay = sqlite_relay

    def has(number: str) -> bool:
        with relay.database.read() as conn:
            return number in lookup.by_number(conn, [number])

    with master_list(tmp_path) as ledger, served(ledger) as port, Proxy(port) as link:
        put(ledger, athletes(300))
        environment = relay.environment(
            DATA_DIR=tmp_path / "worker",
            MASTER_URL=f"http://127.0.0.1:{link.port}",
            MASTER_TOKEN=TOKENS[0],
            ATHLETES="all",
        )
        start_process("worker", "--name", "w1", env=environment)
        wait_until(lambda: has("A1000300"), 60, "the whole list")
        link.refuse()
        relay.wait_for_link("down")
        put(ledger, [Athlete("A99", "Eva NEW")])
        relay.accept(20)
        link.restore()
        relay.wait_for_link("up")
        returned = time.monotonic()
        wait_until(lambda: has("A99"), 60, "the change")
        assert time.monotonic() - returned <= WITHIN_S
        assert relay.published() == 20, "results go first"
