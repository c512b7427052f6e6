"""A resultsq node under measurement: its database, and worker processes that are started, watched and killed."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Row, func, select

from resultsq.clock import SystemClock
from resultsq.domain import sheet
from resultsq.domain.sheet import rows_digest
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from resultsq.store.admin import holding
from resultsq.store.engine.tables import Link, Submission
from resultsq.store.outbox import Entry, links, workers
from tests.bench.work import EVENTS, Job
from tests.support.nodes import StoreNode, migrated
from tests.support.processes import Process
from tests.support.waiting import wait_until

_CHUNK = 250


def _accept(conn: Connection, now: datetime, entries: Sequence[Entry]) -> None:
    for entry in entries:
        outbox.accept(conn, now, entry)


class Ours:
    """`url`: of the node's database; `master_url`: what its workers publish to; `events`: the slugs of its events.
    `broker_url` empty: they sweep. `afresh`: each worker loads what it runs itself, as where it has a container of its
    own."""

    def __init__(
        self,
        folder: Path,
        master_url: str,
        url: str = "",
        broker_url: str = "",
        *,
        events: Sequence[str] = EVENTS,
        afresh: bool = False,
    ) -> None:
        self.url = url or f"sqlite:///{folder / 'resultsq.db'}"
        self.workers: list[Process] = []
        self._folder = folder
        self._master_url = master_url
        self._broker_url = broker_url
        self._events = events
        self._afresh = afresh
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.database = migrated(self.url)
        self._stack.callback(self.database.close)
        self.node = StoreNode(self.database, self._events)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "RESULTSQ_DATA_DIR": str(self._folder),
            "RESULTSQ_DATABASE_URL": self.url,
            "RESULTSQ_BROKER_URL": self._broker_url,
            "RESULTSQ_MASTER_URL": self._master_url,
            "RESULTSQ_MASTER_TOKEN": "bench",
        }

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self.workers if worker.running]

    def start_workers(self, count: int = 1) -> None:
        """Returns when each has begun to deliver. One that takes the place of a dead one has its name, as it would."""
        names = [f"bench-{len(self.pids) + number}" for number in range(count)]
        began = SystemClock().now()
        for name in names:
            env = {**self.environment, "RESULTSQ_WORKER_NAME": name}
            self.workers.append(self._stack.enter_context(Process("worker", env=env, afresh=self._afresh)))
        wait_until(lambda: set(names) <= self._alive(began), 30, "the workers' first sign of life")
        wait_until(lambda: not self.link().suspect, 30, "the first probe's answer")

    def _alive(self, since: datetime) -> set[str]:
        with self.database.read() as conn:
            # a name ends in the id of the data folder
            return {name.rpartition("-")[0] for name, _, seen_at in workers.every(conn) if seen_at >= since}

    def submit(self, made: Sequence[Job]) -> None:
        """Accept them, as the API would."""
        for start in range(0, len(made), _CHUNK):
            entries = [self.entry(job) for job in made[start : start + _CHUNK]]
            self.database.write(partial(_accept, now=SystemClock().now(), entries=entries))

    def submit_messages(self, count: int, event: str) -> None:
        """The same with messages of an event."""
        now, messages = SystemClock().now().replace(microsecond=0), KINDS["messages"]
        said = {"event": event, "subject": "A flood", "text": "Nobody is to do anything."}
        for start in range(0, count, _CHUNK):
            entries = [
                replace(
                    messages.prepare(said, submission=str(uuid.uuid4()), submitted_by=event, submitted_at=now),
                    event_id=self.node.events[event],
                )
                for _ in range(min(_CHUNK, count - start))
            ]
            self.database.write(partial(_accept, now=now, entries=entries))

    def hold(self) -> int:
        """Hold the destination."""
        return self.database.write(
            lambda conn: holding.place_hold(conn, SystemClock().now(), "bench", None, "a measurement", None)
        )

    def release(self, hold: int) -> None:
        self.database.write(lambda conn: holding.release_hold(conn, SystemClock().now(), "bench", hold))

    def entry(self, job: Job) -> Entry:
        """What the API would make of it."""
        return Entry(
            "results", self.node.events[job.event], job.date, job.body, sheet.digest(job.body),
            rows_digest(job.finishers, ()), len(job.finishers), job.event, id=job.id,
        )  # fmt: skip

    # what is seen

    def published(self) -> int:
        query = select(func.count()).select_from(Submission).where(Submission.state == State.PUBLISHED)
        with self.database.read() as conn:
            return int(conn.execute(query).scalar_one())

    def waiting(self) -> set[str]:
        """The ids that the node itself knows to be on their way."""
        query = select(Submission.id).where(Submission.state.in_([State.QUEUED, State.SENDING]))
        with self.database.read() as conn:
            return set(conn.execute(query).scalars())

    def link(self) -> Row[Any]:
        """The link's row."""
        with self.database.read() as conn:
            return conn.execute(select(Link)).one()

    def suspect(self) -> None:
        """As if a call had met trouble: a probe is due at once, and not at the end of its half minute."""
        self.database.write(lambda conn: links.suspect(conn, SystemClock().now()))
