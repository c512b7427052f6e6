"""What is recorded: the product's own store accepts sheets, alone and together, corrects and withdraws them, claims and
settles them. What is said above the disk are the events of a history (tests/history)."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from sqlalchemy import event, select

from resultsq import sqlite
from resultsq.domain.outcome import Accepted, Deferred, Outcome
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Event as EventRow
from resultsq.store.outbox import Entry, Lease
from tests.power.below import Recorder, Step
from tests.power.cuts import Image
from tests.support.nodes import EVENTS, NOW, StoreNode, accepted, lost, migrated, unsent

ROUNDS = 5
TOGETHER = 3
"""So many teams hand in at once: their writes share a commit."""

CHECKPOINT_PAGES = 100
"""A checkpoint comes after so many pages: SQLite's thousand would be one in a hundred sheets."""

DAYS = tuple(f"2013-12-{day:02}" for day in range(1, 29))


class Ledger:
    """The master: what it committed, in its order, and the head of each event and date."""

    def __init__(self, commits: Sequence[Mapping[str, Any]] = ()) -> None:
        self.revisions: dict[str, int] = {}
        self.heads: dict[str, str] = {}
        for one in commits:
            self._keep(one["id"], one["chain"], one["revision"])

    def _keep(self, id_: str, chain: str, revision: int) -> None:
        self.revisions[id_], self.heads[chain] = revision, id_

    def put(self, lease: Lease) -> Mapping[str, Any] | None:
        """The event of its commit; None: it was committed before."""
        if lease.submission in self.revisions:
            return None
        chain = chain_of(lease)
        revision = self.revisions.get(self.heads.get(chain, ""), 0) + 1
        self._keep(lease.submission, chain, revision)
        made = {"id": lease.submission, "chain": chain, "base": lease.base, "revision": revision}
        return {"kind": "commit", **made, "digest": lease.digest}

    def answer(self, lease: Lease) -> Accepted:
        return accepted(lease, self.revisions[lease.submission])


def chain_of(lease: Lease) -> str:
    return f"{lease.event} {lease.date}"


@dataclass(frozen=True)
class Recording:
    """The disk as it was before, and the steps from there."""

    before: Image
    steps: Sequence[Step]


class Ready(StoreNode):
    """A node whose events are there already."""

    def __init__(self, database: Database, now: datetime = NOW) -> None:
        self.database = database
        self.now = now
        with database.read() as conn:
            self.events = {row.slug: row.id for row in conn.execute(select(EventRow.slug, EventRow.id))}


class Morning:
    """Acts on a node, and says each promise to the recorder when it is given."""

    def __init__(self, database: Database, recorder: Recorder, random: Random) -> None:
        self.node = Ready(database)
        self._recorder = recorder
        self._random = random
        self._ops = count()
        self._ledger = Ledger()
        self._days = [(slug, day) for slug in EVENTS for day in DAYS]
        self._random.shuffle(self._days)
        self._waiting: list[tuple[str, str, str]] = []  # id, event, day: those that may be corrected
        self._in_hand: list[Lease] = []

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            self.hand_in()
            with ThreadPoolExecutor(TOGETHER) as teams:
                for one in [teams.submit(self.hand_in) for _ in range(TOGETHER)]:
                    one.result()
            self.correct()
            self.withdraw()
            self.claim()
            self.settle()

    def hand_in(self) -> None:
        slug, day = self._days.pop()
        self._submit(self.node.entry(slug, self._random.randrange(1, 120), date=day), slug, day)

    def correct(self) -> None:
        """The newest, most often while the one before is on its way."""
        id_, slug, day = self._waiting[-1]
        self._submit(self.node.entry(slug, 200 + next(self._ops), date=day, if_match=id_), slug, day)

    def _submit(self, made: Entry, slug: str, day: str) -> None:
        op = next(self._ops)
        self._say("invoke", op, what="submit", chain=f"{slug} {day}", digest=made.digest)
        told = self.node.database.write(lambda conn: outbox.accept(conn, self.node.now, made))
        self._say("ok", op, id=told.id)
        self._waiting.append((told.id, slug, day))

    def withdraw(self) -> None:
        """One that waits, and was never sent."""
        slug, day = self._days.pop()
        self._submit(self.node.entry(slug, 5, date=day), slug, day)
        id_, _, _ = self._waiting.pop()
        op = next(self._ops)
        self._say("invoke", op, what="withdraw", id=id_)
        self.node.withdraw(id_)
        self._say("ok", op)

    def claim(self) -> None:
        """Some are sent and committed; an answer may be lost, and a request too."""
        self._in_hand += self.node.claim("w1", free=self._random.randrange(2, 6))

    def settle(self) -> None:
        while self._in_hand:
            lease = self._in_hand.pop()
            outcome: Outcome = unsent()
            if self._random.random() < 0.9:
                commit = self._ledger.put(lease)
                if commit is not None:
                    self._recorder.say(commit)
                outcome = self._ledger.answer(lease) if self._random.random() < 0.7 else lost()
            self.node.settle(lease, outcome)
            if isinstance(outcome, Accepted):
                revision, digest = self._ledger.revisions[lease.submission], lease.digest
                self._recorder.say({"kind": "receipt", "id": lease.submission, "revision": revision, "digest": digest})
            self.node.pass_time(5)
            if isinstance(outcome, Deferred):
                self.node.probe()

    def _say(self, kind: str, op: int, **more: Any) -> None:
        self._recorder.say({"kind": kind, "op": op, **more})


@contextmanager
def journal(mode: str) -> Iterator[None]:
    """The way in which the product commits: WAL, or DELETE as with an SQLite whose WAL is not to be trusted."""
    with patch.object(sqlite, "wal_is_safe", lambda _version: mode == "WAL"):
        yield


def record(seed: int, rounds: int = ROUNDS) -> Recording:
    """A morning of that seed, on a node that was just made."""
    with tempfile.TemporaryDirectory(prefix="resultsq-power-") as folder:
        where = Path(folder)
        url = f"sqlite:///{where / 'store.db'}"
        first = migrated(url)
        StoreNode(first).probe()
        first.close()
        before = {one.name: one.read_bytes() for one in where.iterdir() if not one.name.endswith("-shm")}
        recorder = Recorder(where)
        with recorder.recording():
            database = Database(url)
            event.listen(database.engine, "connect", _checkpoint_often)
            Morning(database, recorder, Random(seed)).run(rounds)
            database.close()
        return Recording(before, recorder.steps)


def _checkpoint_often(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
