"""Everything that delivers to one destination, in one worker. Lanes share the database and the bell alone: no result
waits for a mail."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from resultsq.clock import Clock
from resultsq.delivery.dispatch import Dispatcher
from resultsq.delivery.prober import Prober
from resultsq.domain.ports import Destination
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links
from resultsq.threads import SystemThreads, Threads


@dataclass(frozen=True, slots=True)
class LaneStart:
    """What each lane is made with."""

    database: Database
    clock: Clock
    worker: str
    sweep_s: float
    threads: Threads = field(default_factory=SystemThreads)
    draw: Callable[[], float] = random.random


class Lane:
    """What delivers to one destination: its dispatcher and its prober."""

    def __init__(
        self,
        name: str,
        far_side: Destination,
        ceiling: int,
        credentials: str,
        start: LaneStart,
        link_changed: Callable[[bool], None],
    ) -> None:
        self.name, self._far_side, self._ceiling, self._credentials = name, far_side, ceiling, credentials
        database, clock, worker = start.database, start.clock, start.worker
        self._database, self._clock = database, clock
        self.dispatcher = Dispatcher(
            database, far_side, clock, worker, ceiling, start.sweep_s, name, start.threads, start.draw
        )
        self._prober = Prober(database, far_side, clock, worker, ceiling, link_changed, name, start.threads, start.draw)

    def start(self) -> None:
        """Deliver from now on."""

        def prepare(conn: Connection) -> None:
            links.ensure(conn, self._clock.now(), self._ceiling, self.name)
            links.credentials_changed(conn, self._credentials, self.name)

        self._database.write(prepare)
        self.dispatcher.start()
        self._prober.start()

    def stop(self) -> None:
        """Stop in good order, within a few seconds."""
        self._prober.stop()
        self.dispatcher.stop()
        self._far_side.close()
