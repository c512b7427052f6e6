"""What fails on a morning, and when; and the office, which holds, releases and retries meanwhile."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from random import Random

from sqlalchemy import Connection, select

from resultsq.domain.errors import Conflicting, NotThere, StoreUnavailable
from resultsq.domain.submission import WAITING
from resultsq.store.admin import actions, comparisons, holding
from resultsq.store.engine.tables import Hold, Submission
from tests.history.check import Event
from tests.simulate.network import STATES, Network
from tests.simulate.node import VirtualNode
from tests.simulate.plan import Plan
from tests.simulate.teams import Teams
from tests.simulate.workshop import Workshop

RESTORE_SHARE = 0.2
"""On how many mornings the master is restored from yesterday's backup."""


LISTED_AFTER_S = 15.0
"""A quarter of what it is in the product: a morning would be waiting for most of its time."""

LEFT_SHARE = 0.2
"""Of how many actions nothing is done at once."""

COMPARED_AFTER_S = 2 * LISTED_AFTER_S + 1
"""Those who restore a master ask the nodes for a comparison. It leaves out what was published within so many seconds of
now, and where the clock was set back by some seconds that takes up to twice as long."""


class Saboteur:
    """`work` until the plan says that it is enough; `end` mends everything."""

    def __init__(
        self,
        plan: Plan,
        workshop: Workshop,
        node: VirtualNode,
        teams: Teams,
        history: list[Event],
        slugs: Sequence[str],
    ) -> None:
        self.plan = plan
        self.workshop = workshop
        self.node = node
        self.network: Network = node.network
        self.teams = teams
        self.history = history
        self._database = workshop.databases["office"]
        self._random = node.scheduler.random
        self._events = [workshop.events[slug] for slug in slugs]
        self._backed_up: int | None = None
        self._restores = Random(f"{plan.seed} restores")  # beside everything else, so that older seeds stay as they are
        most = self._restores.choice([2, 3] if plan.restores else [1, 1, 2, 3])
        self._most_restores = most if plan.has("more restores") else 1

    def work(self) -> None:
        node, random = self.node, self._random
        node.network.fail_share = random.choice([0.0, 0.05, 0.3, 0.7])
        node.disk.fail_share = random.choice([0.0, 0.0, 0.02, 0.1])
        self.teams.lost_share = random.choice([0.0, 0.0, 0.2, 0.5])
        faults = [
            (self._cut_link, "the link changes"),
            (self._flap, "the link flaps"),
            (self._kill, "a worker is killed"),
            (self._kill_all, "the machine is cut off"),
            (self._kill_web, "the web process is killed"),
            (self._freeze, "a worker is frozen"),
            (self._freeze_all, "the machine is asleep"),
            (self._step_clock, "the clock is set"),
            (self._lock, "the database is away"),
            (self._hold, "an event is held"),
            (self._release, "a hold is released"),
            (self._act, "the office acts"),
        ]
        chosen = random.sample(faults, random.randrange(1, len(faults) + 1))
        if random.random() < RESTORE_SHARE or self.plan.restores:
            chosen += [(self._restore, "the master is restored")] * (len(chosen) if self.plan.restores else 2)
        while node.scheduler.now_s < self.plan.until_s:
            node.scheduler.sleep(random.expovariate(1 / 6.0))
            fault, name = random.choice(chosen)
            if self.plan.has(name) and node.scheduler.now_s < self.plan.until_s:
                self.network.met[name] += 1
                fault()

    def _cut_link(self) -> None:
        state = self._random.choice(list(STATES))
        if self.plan.has(f"link {state}"):
            self.network.met[f"link {state}"] += 1
            self.network.state = state

    def _flap(self) -> None:
        for _ in range(self._random.randrange(2, 6)):
            self._cut_link()
            self.node.scheduler.sleep(self._random.random() * 3.0)
        self.network.state = "up"

    def _kill(self) -> None:
        worker = self._random.choice(self.node.workers)
        worker.kill()
        self.node.scheduler.sleep(self._random.choice([3.0, 3.0, 60.0]) * self._random.random())
        worker.start()

    def _kill_all(self) -> None:
        self.teams.web.kill()
        for worker in self.node.workers:
            worker.kill()
        self.node.scheduler.sleep(self._random.random() * 20.0)
        self.teams.web.start()
        for worker in self.node.workers:
            worker.start()

    def _kill_web(self) -> None:
        self.teams.web.kill()
        self.node.scheduler.sleep(self._random.random() * 2.0)
        self.teams.web.start()

    def _freeze(self) -> None:
        """SIGSTOP and SIGCONT: in the longest of them leases run out."""
        self._freeze_until(self._random.choice(self.node.workers).machine)

    def _freeze_until(self, *machines: object) -> None:
        frozen_s = self._random.choice([0.5, 7.0, 35.0, 70.0])
        for machine in machines:
            machine.frozen_until = self.node.scheduler.now_s + frozen_s  # type: ignore[attr-defined]

    def _freeze_all(self) -> None:
        self._freeze_until(self.teams.web.machine, *(worker.machine for worker in self.node.workers))

    def _step_clock(self) -> None:
        step_s = self._random.choice([-3600.0, -30.0, 30.0, 3600.0])
        self.network.sometimes("the clock goes back" if step_s < 0 else "the clock leaps ahead")
        self.node.scheduler.wall_offset_s += step_s

    def _lock(self) -> None:
        self.node.disk.away = away = self._random.choice(["locked", "read-only", "full disk"])
        self.network.sometimes(f"the database is {away} for a while")
        self.node.scheduler.sleep(self._random.random() * 8.0)
        self.node.disk.away = ""

    def _hold(self) -> None:
        sent = [event for (event,) in self.workshop.look("SELECT event_id FROM submissions WHERE state = 'sending'")]
        event = self._random.choice([*self._events, *sent, *sent, None])
        now = self.workshop.clock.now()
        try:
            self._database.write(lambda conn: holding.place_hold(conn, now, "the office", event, "a fault"))
        except StoreUnavailable:
            return

    def _holds(self) -> list[int]:
        with self.workshop.plain.read() as conn:  # asked, not remembered: one whose answer was lost is in force, too
            return list(conn.execute(select(Hold.id).where(Hold.released_at.is_(None))).scalars())

    def _release(self) -> None:
        if holds := self._holds():
            self._end_hold(self._random.choice(holds))

    def _end_hold(self, hold: int) -> None:
        try:
            action = self._database.write(partial(self._released, hold))
            self._carry_out(action)
        except (StoreUnavailable, NotThere):
            return

    def _released(self, hold: int, conn: Connection) -> str | None:
        return holding.release_hold(conn, self.workshop.clock.now(), "the office", hold)

    def _act(self) -> None:
        """Retry, hold or release some of the submissions that wait."""
        verb = self._random.choice(["retry", "hold", "release"])
        with self.workshop.plain.read() as conn:
            waiting = select(Submission.id).where(Submission.state.in_(WAITING)).order_by(Submission.seq)
            ids = list(conn.execute(waiting).scalars())
        if not ids:
            return
        chosen = self._random.sample(ids, self._random.randrange(1, len(ids) + 1))
        self.network.sometimes(f"the office does this to what waits: {verb}")
        try:
            self._carry_out(
                actions.start(self._database, self.workshop.clock.now(), "the office", verb, chosen, "a test", None)
            )
        except (StoreUnavailable, Conflicting):
            return

    def _carry_out(self, action: str | None) -> None:
        if self._random.random() < LEFT_SHARE:  # what began it is gone; a worker goes on
            return

        def piece(conn: Connection) -> bool:
            return action is not None and actions.advance(conn, self.workshop.clock.now(), action)

        for _ in range(20):  # a worker or the office goes on with one that a fault has stopped
            try:
                if not self._database.write(piece):
                    return
            except StoreUnavailable:
                self.node.scheduler.sleep(1.0)

    def _restore(self) -> None:
        """Yesterday's backup of the master; then the master is restored from it, and perhaps once more, or from a newer
        one."""
        if not self._most_restores:
            return
        if self._backed_up is None or (self.network.restored and self._restores.random() < 0.3):
            self.workshop.back_up_master()
            self._backed_up = self.network.commits
            return
        self.workshop.restore_master()
        self._most_restores -= 1
        lost, again = self.network.commits > self._backed_up, self.network.restored
        self.network.sometimes("the master comes back from a backup", lost)
        self.network.sometimes("the master comes back from a backup for a second time", lost and again)
        self.history.append({"kind": "restore", "commits": self._backed_up})
        self.network.commits, self.network.restored = self._backed_up, True

    def end(self) -> None:
        """Every fault is over."""
        node = self.node
        node.network.state, node.network.fail_share = "up", 0.0
        node.disk.fail_share, node.disk.away = 0.0, ""
        self.teams.lost_share = 0.0
        for machine in (self.teams.web.machine, *(worker.machine for worker in node.workers)):
            machine.frozen_until = 0.0
        for hold in self._holds():
            self._end_hold(hold)
        if self.network.restored:
            self.node.scheduler.sleep(COMPARED_AFTER_S)
            while self.network.keeps_any:  # a copy may let in what was refused, once what it names is there again
                self.node.scheduler.sleep(1.0)
            now = self.workshop.clock.now()
            self._database.write(lambda conn: comparisons.ask(conn, now - timedelta(hours=6)))
