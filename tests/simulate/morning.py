"""One morning under a seed: teams, operators, faults, and the judge of tests/history at its end."""

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select
from structlog.testing import capture_logs

from resultsq.domain.errors import Conflicting, NotThere, StoreUnavailable, StoreUnsure
from resultsq.domain.submission import WAITING
from resultsq.store import outbox
from resultsq.store.admin import holding
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Chain, Hold, Submission
from resultsq.store.engine.tables import Event as EventRow
from tests.history.check import Event, Finding, judge
from tests.simulate.network import STATES, Network
from tests.simulate.node import SteppedDatabase, VirtualNode
from tests.simulate.scheduler import Machine, Scheduler
from tests.support.nodes import DATE, NOW, entry, migrated
from tests.support.promises import broken

MEMORY = Path("/dev/shm")  # where there is one: nobody cuts the power here
FAULTS_S = 90.0
"""How long there are faults."""
QUIET_S = 120.0
"""Within so many virtual seconds after the last fault everything is settled."""
LOOK_S = 1.0


@dataclass(frozen=True)
class Result:
    """How a seed ended. `digest`: of its whole history."""

    seed: int
    findings: tuple[Finding, ...]
    digest: str
    steps: int
    virtual_s: float
    counts: Counter[str]

    @property
    def line(self) -> str:
        first = self.findings[0] if self.findings else None
        said = f"{first.what}: {first.about}: {first.detail}" if first else "every promise was kept"
        return f"seed {self.seed}: {said} ({self.steps} steps, history {self.digest[:16]})"


@dataclass
class Teams:
    """What teams ask of the node, each in a request of its own, and what they are told."""

    node: VirtualNode
    database: SteppedDatabase
    events: dict[str, int]
    history: list[Event]
    machine: Machine = field(default_factory=lambda: Machine("web"))
    ops: int = 0

    @property
    def random(self) -> Random:
        return self.node.scheduler.random

    def morning_of(self, slug: str) -> None:
        """First results, corrections of them, and now and then a withdrawal that is undone or not."""
        self._rest(FAULTS_S / 2)
        head = self._submit(slug, None)
        for _ in range(self.random.randrange(5)):
            self._rest(FAULTS_S / 6)
            if head is not None and self.random.random() < 0.25:
                self._decide("withdraw", outbox.withdraw, head)
                if self.random.random() < 0.5:
                    self._rest(5.0)
                    self._decide("undo", outbox.undo_withdrawal, head)
            head = self._submit(slug, self._head(slug))

    def _rest(self, most_s: float) -> None:
        self.node.scheduler.sleep(self.random.random() * most_s)

    def _head(self, slug: str) -> str | None:
        with self.database.read() as conn:
            query = select(Chain.head).where(Chain.event_id == self.events[slug])
            return conn.execute(query).scalars().first()

    def _submit(self, slug: str, head: str | None) -> str | None:
        id_ = str(UUID(int=self.random.getrandbits(128), version=4))
        made = entry(self.events[slug], slug, 1 + self.random.randrange(6), if_match=head, id=id_)
        asked = {"what": "submit", "chain": f"{slug} {DATE}", "digest": made.digest}
        said = self._ask(asked, lambda conn: outbox.accept(conn, self.node.clock.now(), made))
        return said.id if said is not None else head

    def _decide(self, what: str, decision: Callable[..., outbox.Acknowledgement], id_: str) -> None:
        self._ask({"what": what, "id": id_}, lambda conn: decision(conn, self.node.clock.now(), id_))

    def _ask(
        self, asked: dict[str, Any], work: Callable[[Connection], outbox.Acknowledgement]
    ) -> outbox.Acknowledgement | None:
        self.ops += 1
        op = self.ops
        self.history.append({"kind": "invoke", "op": op, **asked})
        try:
            said = self.database.write(work)
        except StoreUnsure:
            self.history.append({"kind": "info", "op": op})
            return None
        except (StoreUnavailable, Conflicting, NotThere):
            self.history.append({"kind": "fail", "op": op})
            return None
        self._heard(op, asked, said)
        self.node.ring()
        return said

    def _heard(self, op: int, asked: dict[str, Any], said: outbox.Acknowledgement) -> None:
        if asked["what"] == "submit" and not said.created:
            # the same rows were there: what was asked has no bytes of its own, and the promise is the older one's
            self.history.append({"kind": "fail", "op": op})
            return
        self.history.append({"kind": "ok", "op": op, **({"id": said.id} if asked["what"] == "submit" else {})})


class Saboteur:
    """What fails, and when. `end` mends all of it."""

    def __init__(self, node: VirtualNode, database: SteppedDatabase, events: dict[str, int]) -> None:
        self.node = node
        self.database = database
        self.events = events
        self._random = node.scheduler.random

    def work(self) -> None:
        node, random = self.node, self._random
        node.network.fail_share = random.choice([0.0, 0.05, 0.3, 0.7])
        node.disk.fail_share = random.choice([0.0, 0.0, 0.02, 0.1])
        faults = [self._cut_link, self._kill, self._freeze, self._step_clock, self._lock, self._hold]
        chosen = random.sample(faults, random.randrange(1, len(faults) + 1))
        while node.scheduler.now_s < FAULTS_S:
            node.scheduler.sleep(random.expovariate(1 / 8.0))
            random.choice(chosen)()

    def _note(self, fault: str) -> None:
        self.node.network.met[fault] += 1

    def _cut_link(self) -> None:
        state = self._random.choice(list(STATES))
        self._note(f"link {state}")
        self.node.network.state = state

    def _kill(self) -> None:
        worker = self._random.choice(self.node.workers)
        self._note("a worker is killed")
        worker.kill()
        self.node.scheduler.sleep(self._random.random() * 3.0)
        worker.start()

    def _freeze(self) -> None:
        """SIGSTOP and SIGCONT: in the longest of them leases run out."""
        self._note("a worker is frozen")
        frozen_s = self._random.choice([0.5, 7.0, 70.0])
        self._random.choice(self.node.workers).machine.frozen_until = self.node.scheduler.now_s + frozen_s

    def _step_clock(self) -> None:
        self._note("the clock is set")
        self.node.scheduler.wall_offset_s += self._random.choice([-3600.0, -30.0, 30.0, 3600.0])

    def _lock(self) -> None:
        self._note("the database is away")
        self.node.disk.away = True
        self.node.scheduler.sleep(self._random.random() * 8.0)
        self.node.disk.away = False

    def _hold(self) -> None:
        self._note("an event is held")
        event = self._random.choice([*self.events.values(), None])
        now = self.node.clock.now()
        try:
            self.database.write(lambda conn: holding.place_hold(conn, now, "op", event, "a fault"))
        except StoreUnavailable:
            return

    def end(self) -> None:
        """Every fault is over."""
        node = self.node
        node.network.state, node.network.fail_share, node.disk.fail_share, node.disk.away = "up", 0.0, 0.0, False
        for worker in node.workers:
            worker.machine.frozen_until = 0.0
        with self.database.read() as conn:  # asked, not remembered: one whose answer was lost is in force, too
            holds = conn.execute(select(Hold.id).where(Hold.released_at.is_(None))).scalars().all()
        for hold in holds:
            self.database.write(partial(self._release, hold))

    def _release(self, hold: int, conn: Connection) -> None:
        holding.release_hold(conn, self.node.clock.now(), "op", hold)


class Morning:
    """Everything of one seed."""

    def __init__(self, seed: int, folder: Path, template: Path) -> None:
        self.seed = seed
        self.scheduler = Scheduler(Random(seed))
        self.history: list[Event] = []
        self.network = Network(self.scheduler, folder, self.history)
        store = Path(shutil.copy(template, folder / "store.db"))
        self.node = VirtualNode(self.scheduler, store, self.network)
        self.plain = Database(f"sqlite:///{store}")
        slugs = [f"event{number}" for number in range(self.scheduler.random.randrange(2, 9))]
        self.events = self.plain.write(lambda conn: _make_events(conn, slugs))
        self.web = self.node.open()
        self.teams = Teams(self.node, self.web, self.events, self.history)
        self.saboteur = Saboteur(self.node, self.node.open(), self.events)
        self._over = False

    def run(self) -> Result:
        operator, office = Machine("operator"), Machine("office")
        for worker in self.node.workers:
            worker.start()
        mornings = [self.scheduler.spawn(self.teams.machine, partial(self._of, slug)) for slug in self.events]
        sabotage = self.scheduler.spawn(operator, self.saboteur.work)
        self.scheduler.run(lambda: sabotage.done and all(one.done for one in mornings))
        self.scheduler.spawn(office, self._wait_for_the_end)
        self.scheduler.run(lambda: self._over)
        return self._judged()

    def _of(self, slug: str) -> None:
        self.teams.morning_of(slug)

    def _wait_for_the_end(self) -> None:
        self.saboteur.end()
        give_up = self.scheduler.now_s + QUIET_S
        while self.scheduler.now_s < give_up and self._waiting():
            self.scheduler.sleep(LOOK_S)
        self._over = True

    def _waiting(self) -> int:
        with self.plain.read() as conn:
            query = select(func.count()).select_from(Submission).where(Submission.state.in_(WAITING))
            return int(conn.execute(query).scalar_one())

    def _judged(self) -> Result:
        with self.plain.read() as conn:
            rows = conn.execute(select(Submission).order_by(Submission.seq)).all()
            wrong = [Finding("store", "", one) for one in broken(conn)]
        for row in rows:
            if row.published_as == row.id:
                self.history.append({"kind": "receipt", "id": row.id, "revision": row.revision, "digest": row.digest})
            self.history.append({"kind": "state", "id": row.id, "state": str(row.state)})
        self.history.append({"kind": "end", "settled": True})
        digest = hashlib.sha256("\n".join(json.dumps(one) for one in self.history).encode()).hexdigest()
        findings = (*judge(self.history), *wrong)
        counts = self.network.met.copy()
        counts.update(f"it ends {row.state}" for row in rows)
        return Result(self.seed, findings, digest, self.scheduler.steps, self.scheduler.now_s, counts)

    def close(self) -> None:
        self.node.close()
        self.plain.close()
        self.network.close()


def _make_events(conn: Connection, slugs: list[str]) -> dict[str, int]:
    made = [{"slug": slug, "name": slug, "time_zone": "Europe/London", "created_at": NOW} for slug in slugs]
    rows = conn.execute(insert(EventRow).returning(EventRow.slug, EventRow.id), made).all()
    return {row.slug: row.id for row in rows}


def template(folder: Path) -> Path:
    """An empty store, to be copied for each seed."""
    path = folder / "template.db"
    migrated(f"sqlite:///{path}").close()
    return path


def run(seed: int, empty_store: Path) -> Result:
    """One morning, from its first step to the judge's word."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        morning = Morning(seed, Path(folder), empty_store)
        try:
            with capture_logs() as lines:
                done = morning.run()
        finally:
            morning.close()
        return replace(done, findings=(*done.findings, *_surprises(lines)))


def _surprises(lines: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """What the product logs as a fault of its own."""
    for line in lines:
        if line["log_level"] in ("error", "critical"):
            yield Finding("surprise", line["event"], f"{line.get('exc_info', '')}")
