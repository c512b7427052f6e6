"""Before a page shows the link's state: ask for a probe where the last one is old.

An idle link is probed each 30 s, so its state may be that old. Every view of the link asks for a newer probe,
and shows when the master was last heard where none comes."""

import time
from contextlib import suppress

from resultsq.clock import Clock
from resultsq.domain.errors import StoreUnavailable
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links
from resultsq.store.views import queries

LOOKS = 30
LOOK_S = 0.1


def ask(database: Database, clock: Clock) -> bool:
    """Ask for a probe where the last one is old; whether one may be waited for. Nothing is awaited here, and nothing is
    written where no worker probes."""
    with suppress(StoreUnavailable):  # the caller's own look at the link reports it
        with database.read() as conn:
            link = queries.link(conn)
            if link is None or link.fresh(clock.now()):
                return False
            lives, to_ask = links.askable(conn, clock.now())
        if to_ask:
            database.write(lambda conn: links.ask_for_probe(conn, clock.now()))
        return lives
    return False


def listen(database: Database, clock: Clock) -> None:
    """The same, and wait for its answer, for 3 s at most."""
    waits = ask(database, clock)
    for _ in range(LOOKS if waits else 0):
        time.sleep(LOOK_S)
        with database.read() as conn:
            link = queries.link(conn)
        if link is None or link.fresh(clock.now()):
            return
