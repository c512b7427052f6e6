"""A node in the simulation: its database, its workers as processes that die and freeze, and the bell."""

from collections import defaultdict

from resultsq.delivery import reconcile
from resultsq.delivery.lane import Lane, LaneStart
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.destinations import MASTER
from resultsq.domain.errors import StoreUnavailable
from resultsq.store.admin import action_runner, comparisons
from resultsq.store.engine.session import Database
from resultsq.store.outbox.cycle import Cycle
from tests.history.check import Finding
from tests.simulate.disk import Disk
from tests.simulate.network import URL, Network, VirtualLines
from tests.simulate.plan import Plan
from tests.simulate.scheduler import Machine, Scheduler, VirtualThreads
from tests.simulate.workshop import TOKEN, Workshop

CEILING = 4
SWEEP_S = 4.0
PERIOD_S = 10.0
"""Four times and twice as long as in the product: looks that find nothing would be most of what a morning does."""


class Worker:
    """A worker process and its successors under one name."""

    def __init__(self, name: str, node: "VirtualNode") -> None:
        self.name = name
        self._node = node
        self.machine = Machine(name)
        self._lane: Lane | None = None

    def start(self) -> None:
        """Begin in a new process. It tries until the database lets it."""
        self.machine = machine = Machine(self.name)
        self._lane = None
        self._node.scheduler.spawn(machine, lambda: self._start(machine))

    def _start(self, machine: Machine) -> None:
        node, database = self._node, self._node.workshop.databases[self.name]
        clock, threads = node.workshop.clock, VirtualThreads(node.scheduler, machine)
        master = HttpMaster(URL, TOKEN, clock=clock, lines=VirtualLines(node.network), threads=threads)
        start = LaneStart(database, clock, self.name, SWEEP_S, threads, node.scheduler.random.random)
        lane = Lane(MASTER, master, CEILING, "credentials", start, lambda _returned: lane.dispatcher.wake())
        while True:
            try:
                lane.start()
                break
            except StoreUnavailable:  # a supervisor starts a worker anew that could not begin
                node.network.sometimes("a worker starts while the database is away")
                node.scheduler.sleep(1.0)
        self._lane = lane
        while True:
            node.scheduler.sleep(PERIOD_S)
            try:
                self._work_periodically(database, master)
            except StoreUnavailable:  # the next time is soon
                continue

    def _work_periodically(self, database: Database, master: HttpMaster) -> None:
        """Its timer: the tasks that go on with actions, and that compare the node with the master."""
        node, clock = self._node, self._node.workshop.clock
        if action_runner.is_due(database, clock):
            node.network.sometimes("a worker goes on with an action")
            action_runner.go_on(database, clock)
        with database.read() as conn:
            due = comparisons.is_due(conn, clock.now())
        found = reconcile.by_itself(database, master, clock) if due else None
        if found is not None:
            node.network.sometimes("a comparison with the master is made")
            node.network.sometimes("a comparison finds versions that the master lost", found.lost)
            node.network.sometimes("a comparison finds what was in doubt", found.settled)

    def kill(self) -> None:
        """kill -9: nothing of it runs again."""
        self.machine.alive = False

    def ring(self) -> None:
        """The bell is heard."""
        if self.machine.alive and self._lane is not None:
            self._lane.dispatcher.wake()


class VirtualNode:
    """One database, two workers."""

    def __init__(self, plan: Plan, scheduler: Scheduler, workshop: Workshop, network: Network) -> None:
        self.scheduler = scheduler
        self.workshop = workshop
        self.network = network
        self.disk = Disk(plan, scheduler, network.met)
        for database in workshop.databases.values():
            database.disk, database.audit = self.disk, self.audit
        workshop.bell.hear = self.ring
        self.found: list[Finding] = []
        self._leased: defaultdict[str, set[str]] = defaultdict(set)
        self.workers = [Worker(f"w{number}", self) for number in (1, 2)]

    def ring(self) -> None:
        """Most rings are heard, and by one worker."""
        if self.scheduler.random.random() < 0.8:
            self.scheduler.random.choice(self.workers).ring()

    def audit(self, process: str, cycle: object) -> None:
        """No claim takes what is held, and no worker settles by a lease that is not its own. The cycle was committed
        just now, so the holds are those that it read."""
        if not isinstance(cycle, Cycle):
            return
        self._leased[process].update(one.lease for one in cycle.leases)
        for done in cycle.settled:
            if done.state is not None and done.settlement.lease not in self._leased[process]:
                self.found.append(Finding("fenced", done.submission, f"{process} settled it by another's lease"))
        if cycle.leases:
            self._look_at_claimed([one.seq for one in cycle.leases])

    def _look_at_claimed(self, seqs: list[int]) -> None:
        these = ", ".join(map(str, seqs))
        for (id_,) in self.workshop.look(_HELD.format(these)):
            self.found.append(Finding("held", id_, "it was claimed while it was held"))
        for (id_,) in self.workshop.look(_EARLY.format(these)):
            self.found.append(Finding("disordered", id_, "it was claimed before the version below it"))


_EARLY = """
    SELECT s.id FROM submissions s WHERE s.seq IN ({}) AND NOT s.in_doubt AND EXISTS (
        SELECT 1 FROM submissions o WHERE o.chain_id = s.chain_id AND o.version < s.version
        AND o.state IN ('queued', 'sending'))"""
# one in doubt is asked about first, even where the master has lost the version below it, which is sent again
_HELD = """
    SELECT s.id FROM submissions s WHERE s.seq IN ({}) AND (s.hold_id IS NOT NULL OR EXISTS (
        SELECT 1 FROM holds h WHERE h.released_at IS NULL AND h.scope <> 'submission'
        AND (h.event_id IS NULL OR h.event_id = s.event_id)))"""
