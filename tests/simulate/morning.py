"""One morning under a seed: teams, the office, faults, and the judge of tests/history at its end."""

import hashlib
import json
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import structlog
from sqlalchemy import select
from structlog.testing import capture_logs

from resultsq.delivery import dispatch, prober
from resultsq.store.admin import action_runner, comparisons
from resultsq.store.engine.tables import Attempt, Payload, Submission
from resultsq.store.outbox import comparison, links
from tests.history.check import Event, Finding, judge
from tests.simulate.network import Network
from tests.simulate.node import VirtualNode
from tests.simulate.plan import TEAMS, Plan, rows_of
from tests.simulate.saboteur import LISTED_AFTER_S, Saboteur
from tests.simulate.scheduler import Machine, Scheduler
from tests.simulate.sometimes import IT_WAITS, Observer, seen_at_the_end
from tests.simulate.stranger import Stranger
from tests.simulate.teams import Teams, WebProcess
from tests.simulate.workshop import Workshop
from tests.support.promises import broken

QUIET_S = 120.0
"""Within so many virtual seconds after the last fault everything is settled."""
LOOK_S = 1.0
PROBER_LOOKS_S = 2.0
PROBER_LEASE_S = 12.0
HOUSEKEEPING_S = 10.0
"""Longer than in the product: looks that find nothing would be most of what a morning does."""
_ANY_WAITS = f"SELECT 1 FROM submissions WHERE {IT_WAITS} LIMIT 1"
_NAMES = "SELECT published_as FROM submissions WHERE state IN ('published', 'corrected')"
_GONE = "SELECT id FROM submissions WHERE state IN ('superseded', 'withdrawn')"


@dataclass(frozen=True)
class Result:
    """How a morning ended. `digest`: of its whole history; `met`: faults; `seen`: interesting states."""

    plan: Plan
    findings: tuple[Finding, ...]
    digest: str
    steps: int
    virtual_s: float
    met: Counter[str]
    seen: Counter[str]

    @property
    def line(self) -> str:
        first = self.findings[0] if self.findings else None
        said = f"{first.what}: {first.about}: {first.detail}" if first else "every promise was kept"
        return f"seed {self.plan.seed}: {said} ({self.steps} steps, history {self.digest[:16]})"


class Morning:
    """Everything of one seed."""

    def __init__(self, plan: Plan, workshop: Workshop) -> None:
        self.plan = plan
        self.workshop = workshop
        self.scheduler = Scheduler(Random(plan.seed))
        workshop.begin(self.scheduler)
        self.history: list[Event] = []
        self.network = Network(plan, self.scheduler, workshop, self.history)
        self.node = VirtualNode(plan, self.scheduler, workshop, self.network)
        there = TEAMS if plan.rush else self.scheduler.random.randrange(2, TEAMS + 1)
        self.slugs = list(workshop.events)[: min(plan.teams, there)]
        web = WebProcess(self.scheduler)
        self.teams = Teams(plan, workshop, self.scheduler, self.network, web, self.history)
        self.saboteur = Saboteur(plan, workshop, self.node, self.teams, self.history, self.slugs)
        self.stranger = Stranger(plan, workshop, self.network, self.slugs)
        self.observer = Observer(workshop, self.node, web)
        self._over = False

    def run(self) -> Result:
        operator, office = Machine("operator"), Machine("office")
        for worker in self.node.workers:
            worker.start()
        spawn = self.scheduler.spawn
        mornings = [spawn(self.teams.machine, partial(self.teams.morning_of, slug)) for slug in self.slugs]
        sabotage = spawn(operator, self.saboteur.work)
        if self.stranger.is_there:
            mornings.append(spawn(Machine("another node"), self.stranger.work))
        spawn(Machine("observer"), self.observer.watch)
        self.scheduler.run(lambda: sabotage.done and all(one.done for one in mornings))
        spawn(office, self._wait_for_the_end)
        self.scheduler.run(lambda: self._over)
        return self._judged()

    def _wait_for_the_end(self) -> None:
        self.saboteur.end()
        give_up = self.scheduler.now_s + QUIET_S
        while self.scheduler.now_s < give_up and self._unsettled():
            self.scheduler.sleep(LOOK_S)
        self._over = True

    def _unsettled(self) -> bool:
        look = self.workshop.look
        if look(_ANY_WAITS):
            return True
        if not self.network.restored:
            return False
        there = self._committed()
        # what a copy let in, no node can have prevented; anything else that the master shows is the judge's business
        healing = self._let_in() & there & {id_ for (id_,) in look(_GONE)}
        return bool(healing) or not {name for (name,) in look(_NAMES)} <= there

    def _let_in(self) -> set[str]:
        """What a copy of a request brought that the network kept: the master had refused it, or a restore took it."""
        return {event["id"] for event in self.history if event["kind"] == "commit" and event.get("copy")}

    def _committed(self) -> set[str]:
        """What the master has."""
        kept: list[str] = []
        for event in self.history:
            if event["kind"] == "commit":
                kept.append(event["id"])
            elif event["kind"] == "restore":
                del kept[event["commits"] :]
        return set(kept)

    def _judged(self) -> Result:
        with self.workshop.plain.read() as conn:
            query = select(Submission, Payload.body).join(Payload, Payload.seq == Submission.seq, isouter=True)
            rows = conn.execute(query.order_by(Submission.seq)).all()
            attempts = conn.execute(select(Attempt)).all()
            wrong = [Finding("store", "", one) for one in broken(conn)]
        for row in rows:
            if row.published_as == row.id:
                rows_there = rows_of(json.loads(row.body))
                self.history.append(
                    {"kind": "receipt", "id": row.id, "revision": row.revision, "digest": rows_there}
                )  # fmt: skip
                if self.network.digests.get(row.id) != row.digest:
                    wrong.append(Finding("altered", row.id, "the master has other bytes than the node"))
            if row.state == "rejected" and row.id not in self.network.refused:
                wrong.append(
                    Finding("false refusal", row.id, "the node has it as rejected, and the master never was asked")
                )
            named = {} if row.published_as in (None, row.id) else {"as": row.published_as}
            self.history.append({"kind": "state", "id": row.id, "state": str(row.state), **named})
        self.history.append({"kind": "end", "settled": True})
        return self.result([*judge(self.history), *wrong, *self.node.found], seen_at_the_end(rows, attempts))

    def result(self, findings: Sequence[Finding], seen: Counter[str]) -> Result:
        """How it ended."""
        digest = hashlib.sha256("\n".join(json.dumps(one) for one in self.history).encode()).hexdigest()
        met, seen = self.network.met.copy(), self.network.seen + seen
        return Result(self.plan, tuple(findings), digest, self.scheduler.steps, self.scheduler.now_s, met, seen)


def run(plan: Plan | int, workshop: Workshop) -> Result:
    """One morning, from its first step to the judge's word."""
    plan = Plan.of(plan) if isinstance(plan, int) else plan
    morning = Morning(plan, workshop)
    ids = Random(plan.seed)
    with (
        patch.object(uuid, "uuid4", lambda: uuid.UUID(int=ids.getrandbits(128), version=4)),
        patch.object(prober, "LOOK_S", PROBER_LOOKS_S),
        patch.object(prober, "RENEW_S", PROBER_LEASE_S / 3),
        patch.object(links, "PROBER_LEASE_S", PROBER_LEASE_S),
        patch.object(comparison, "LISTED_AFTER", timedelta(seconds=LISTED_AFTER_S)),
        patch.object(comparisons, "LISTED_AFTER", timedelta(seconds=LISTED_AFTER_S)),
        patch.object(dispatch, "HOUSEKEEPING_S", HOUSEKEEPING_S),
        patch.object(action_runner, "PAUSE_S", 0.0),  # it would be a pause of this thread
        _whole_log(),
        capture_logs() as lines,
    ):
        try:
            done = morning.run()
        except Exception as error:  # a thread died of it: no later seed may be kept from its run
            done = morning.result([Finding("surprise", type(error).__name__, str(error))], Counter())
        finally:
            morning.scheduler.end()
            workshop.end()
    seen = done.seen + Counter(_LOGGED[name] for line in lines if (name := _name(line)) in _LOGGED)
    return replace(done, findings=(*done.findings, *_surprises(lines)), seen=seen)


@contextmanager
def _whole_log() -> Iterator[None]:
    """What the product notes at its level INFO is a state, too, wherever the log is not set up."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        yield
    finally:
        structlog.configure(wrapper_class=before)


_LOGGED = {
    "leases.voided": "a worker voids the leases of the one before it",
    "clock.stepped": "waits are ended because the clock was set back",
    "probe.unrecorded": "a probe's answer cannot be written down",
    "attempt of another": "an answer comes when its lease is another's",
    "link.up": "the link returns",
    "link.down": "the link is lost",
}


def _name(line: Mapping[str, Any]) -> str:
    name = str(line["event"])
    return "attempt of another" if name.startswith("attempt.") and line.get("state") is None else name


def _surprises(lines: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """What the product logs as a fault of its own."""
    for line in lines:
        if line["log_level"] in ("error", "critical"):
            yield Finding("surprise", line["event"], f"{line.get('exc_info', '')} {line.get('error', '')}")
