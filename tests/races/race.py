"""One event's chain, and the states of it that both writers find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, update

from resultsq.domain.outcome import Accepted, Conflict, Exchange, Outcome, Receipt
from resultsq.domain.role import Role
from resultsq.store import outbox
from resultsq.store.admin import actions, tokens
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import BundledVersion, Lease, handovers
from resultsq.store.outbox.handovers import RelayCall
from tests.support.nodes import DATE, NOW, StoreNode, accepted, lost, moved, rejected

RELAY = "relay.example.org:443"
FOREIGN = "c0ffee00-0000-4000-8000-000000000001"
VERBS = (actions.Verb.HOLD, actions.Verb.RELEASE, actions.Verb.RETRY, actions.Verb.WITHDRAW)


@dataclass
class Race:
    """The chain of one event and day, what the master has, and what the writers have in hand."""

    node: StoreNode
    ids: list[str] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    taken: list[Lease] = field(default_factory=list)  # by another worker
    there: list[str] = field(default_factory=list)  # what the master has, first revision first
    parted: list[str] = field(default_factory=list)  # what left in a bundle, or for a relay
    handed: list[RelayCall] = field(default_factory=list)  # to a relay
    begun: dict[str, str] = field(default_factory=dict)  # actions, by their verb
    found_hold: int | None = None  # of the event
    token: int = 0  # another node's, for what it hands to this one
    now: datetime = NOW

    def copy(self) -> "Race":
        """The same for two writers of their own."""
        return replace(
            self,
            ids=list(self.ids),
            leases=list(self.leases),
            taken=list(self.taken),
            there=list(self.there),
            parted=list(self.parted),
            handed=list(self.handed),
        )

    def view(self) -> "Race":
        """For one try of one writer: the master is the same, and what the writer notes counts once it is committed."""
        return replace(self, taken=[], parted=list(self.parted))

    def keep(self, view: "Race", before: Sequence[str]) -> None:
        """What a writer noted in its view, which began with those that had left before."""
        self.taken += view.taken
        self.parted = [one for one in self.parted if one not in before or one in view.parted]
        self.parted += [one for one in view.parted if one not in before]

    def version(self, rows: int) -> None:
        before = self.ids[-1] if self.ids else None
        self.ids.append(self.node.accept(rows=rows, corrects=before).id)

    def adopted(self, rows: int, base: str | None) -> BundledVersion:
        made = self.node.entry(rows=rows, by="another node")
        return BundledVersion(
            made.id, made.kind, "bushy", made.date, base, made.digest, made.rows_digest, rows, "another node",
            self.node.now, made.body,
        )  # fmt: skip

    def adopt(self, rows: int, base: str | None) -> None:
        parted = self.adopted(rows, base)
        self.node.database.write(lambda conn: outbox.adopt(conn, self.node.now, parted, self.node.events["bushy"]))
        self.ids.append(parted.id)

    def claim(self) -> None:
        self.leases += self.node.claim()

    def hand_on(self, conn: Connection) -> Sequence[RelayCall]:
        calls, _ = handovers.begin(conn, self.node.now, RELAY, 0, 10)
        self.handed = calls
        self.parted += [call.parcel.submission for call in calls]
        return calls

    def end(self, outcome: Outcome) -> None:
        self.node.settle(self.leases.pop(), outcome)
        self.node.probe()
        self.node.pass_time(61)

    def is_published(self) -> None:
        self.version(len(self.ids) + 1)
        self.claim()
        self.end(self.publish(self.leases[-1]))

    def publish(self, lease: Lease) -> Outcome:
        """As the master's ledger does it."""
        if lease.submission in self.there:
            return accepted(lease, self.there.index(lease.submission) + 1)
        head = self.there[-1] if self.there else None
        if lease.base != head:
            there = self.receipt(head, "of-another") if head else None
            return Conflict(head, len(self.there) or None, None, there, Exchange(status=412))
        self.there.append(lease.submission)
        return accepted(lease, len(self.there))

    def publish_parcel(self, call: RelayCall) -> Outcome:
        """The same for what another node sends."""
        parcel = call.parcel
        if parcel.submission not in self.there:
            head = self.there[-1] if self.there else None
            if parcel.precondition != head:
                return Conflict(head, len(self.there) or None, exchange=Exchange(status=412))
            self.there.append(parcel.submission)
        return Accepted(self.receipt(parcel.submission, parcel.digest), Exchange(status=200))

    def receipt(self, submission: str, digest: str) -> Receipt:
        revision = self.there.index(submission) + 1
        return Receipt(
            submission=submission, event="bushy", date=DATE, revision=revision, digest=digest, received_at=NOW
        )  # fmt: skip


Found = Callable[[Race], None]


def begin(node: StoreNode, found: Found) -> Race:
    """A chain in that state, with actions on it that were begun and did nothing yet."""
    node.now = NOW
    node.probe()
    race = Race(node)
    race.token = node.database.write(lambda conn: tokens.issue_numbered(conn, NOW, "laptop", Role.NODE))[1]
    found(race)
    for verb in VERBS:
        race.begun[verb] = actions.start(node.database, node.now, "op", verb, race.ids, "a test")
    race.now = node.now
    return race


def waits(race: Race) -> None:
    race.version(1)


def is_on_its_way(race: Race) -> None:
    race.version(1)
    race.claim()
    race.version(2)


def was_taken_back(race: Race) -> None:
    """From a worker that is still there."""
    race.version(1)
    race.claim()
    race.node.database.write(lambda conn: outbox.void_leases(conn, race.node.now, "w1"))


def is_in_doubt(race: Race) -> None:
    race.version(1)
    race.claim()
    race.end(lost())
    race.version(2)


def was_refused(race: Race) -> None:
    race.version(1)
    race.claim()
    race.end(rejected())


def met_another(race: Race) -> None:
    race.is_published()
    race.version(2)
    race.claim()
    race.there.append(FOREIGN)
    race.end(moved(FOREIGN, 2))


def waits_before_a_bundles(race: Race) -> None:
    race.version(1)
    race.adopt(2, race.ids[0])


def was_withdrawn_before_a_bundles(race: Race) -> None:
    waits_before_a_bundles(race)
    race.node.withdraw(race.ids[0])


def is_held(race: Race) -> None:
    race.version(1)
    race.node.act("hold", race.ids[0])


def waits_while_its_event_is_held(race: Race) -> None:
    race.version(1)
    race.found_hold = race.node.hold("bushy")


def is_being_handed_on(race: Race) -> None:
    race.version(1)
    race.node.database.write(race.hand_on)


def is_at_a_relay(race: Race) -> None:
    is_being_handed_on(race)
    (call,) = race.handed
    race.node.database.write(lambda conn: handovers.kept(conn, race.node.now, call.seq, 30))
    race.version(2)


def was_left_stranded(race: Race) -> None:
    """By an older version of this product."""
    race.version(1)
    race.version(2)
    left = update(Submission).where(Submission.id == race.ids[1]).values(base=race.ids[0], blocked=True)
    race.node.database.write(lambda conn: conn.execute(left))


def is_published_and_corrected(race: Race) -> None:
    race.is_published()
    race.version(2)
    race.claim()


def was_lost_by_the_master(race: Race) -> None:
    """Which has nothing any more, while a correction is being sent."""
    is_published_and_corrected(race)
    race.there.clear()


FOUND: tuple[Found, ...] = (
    waits, is_on_its_way, was_taken_back, is_in_doubt, was_refused, met_another, waits_before_a_bundles,
    was_withdrawn_before_a_bundles, is_held, waits_while_its_event_is_held, is_being_handed_on, is_at_a_relay,
    was_left_stranded, is_published_and_corrected, was_lost_by_the_master,
)  # fmt: skip
