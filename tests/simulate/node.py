"""A node in the simulation: its database, its workers as processes that die and freeze, and the bell."""

from collections import defaultdict

from sqlalchemy import select

from resultsq.delivery import reconcile
from resultsq.delivery.app import COMPARE_S
from resultsq.delivery.lane import Lane, LaneStart
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.destinations import MASTER
from resultsq.domain.errors import StoreUnavailable
from resultsq.store.admin import comparisons
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Hold, Submission
from resultsq.store.outbox.cycle import Cycle
from tests.history.check import Finding
from tests.simulate.disk import Disk
from tests.simulate.network import URL, Network, VirtualLines
from tests.simulate.plan import Plan
from tests.simulate.scheduler import Machine, Scheduler, VirtualThreads
from tests.simulate.workshop import TOKEN, Workshop

CEILING = 4
SWEEP_S = 2.0


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
        self._compare(database, master)

    def _compare(self, database: Database, master: HttpMaster) -> None:
        """Its timer: the periodic task that compares the node with the master."""
        node, clock = self._node, self._node.workshop.clock
        while True:
            node.scheduler.sleep(COMPARE_S)
            try:
                with database.read() as conn:
                    due = comparisons.is_due(conn, clock.now())
                found = reconcile.by_itself(database, master, clock) if due else None
            except StoreUnavailable:  # the next one is due soon
                continue
            if found is not None:
                node.network.sometimes("a comparison with the master is made")
                node.network.sometimes("a comparison finds versions that the master lost", found.lost)
                node.network.sometimes("a comparison finds what was in doubt", found.settled)

    def kill(self) -> None:
        """kill -9: nothing of it runs again."""
        self.machine.alive = False

    def ring(self) -> None:
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
            self._look_for_holds([one.seq for one in cycle.leases])

    def _look_for_holds(self, seqs: list[int]) -> None:
        with self.workshop.plain.read() as conn:
            held = set(conn.execute(_HELD_EVENTS).scalars())
            taken = conn.execute(_TAKEN.where(Submission.seq.in_(seqs))).all()
        for one in taken:
            if {None, one.event_id} & held or one.hold_id is not None:
                self.found.append(Finding("held", one.id, "it was claimed while it was held"))


_HELD_EVENTS = select(Hold.event_id).where(Hold.released_at.is_(None), Hold.scope != "submission")
_TAKEN = select(Submission.id, Submission.event_id, Submission.hold_id)
