"""Every two writers of a submission's row, on PostgreSQL: one pauses before each of its statements in turn, and the
other does all of its work meanwhile, or waits for a lock. Then all that waits is delivered to an honest master.

Whatever the order, nothing that was accepted is lost, of a chain one version is on its way, and what the master has was
put there by its own precondition. The writers and what they may do are listed in the outbox package."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from resultsq.delivery import sender
from resultsq.domain.errors import Conflicting, NotThere
from resultsq.domain.outcome import Accepted, Conflict, Exchange, Outcome, Receipt
from resultsq.domain.role import Role
from resultsq.domain.submission import GONE, WAITING, State
from resultsq.store import outbox
from resultsq.store.admin import actions, tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import BundledVersion, Lease, custody, cycle, digests, handovers, links, repairs
from resultsq.store.outbox.custody import Holder
from resultsq.store.outbox.handovers import RelayCall
from tests.support.nodes import CEILING, DATE, NOW, StoreNode, accepted, lost, moved, rejected, unsent

WAIT_S = 10.0
LOOK_S = 0.002
WALK_S = 1.5
"""For each state that both find; all pairs of one take about a minute (RESULTSQ_WALK_S)."""

RELAY = "relay.example.org:443"
FOREIGN = "c0ffee00-0000-4000-8000-000000000001"
DAY = date.fromisoformat(DATE)
Writer = Callable[[Connection, "Race"], object]


@dataclass
class Race:
    """One event's chain on a day of its own, in the state that both writers find."""

    node: StoreNode
    day: str
    ids: list[str] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    taken: list[Lease] = field(default_factory=list)  # by another worker
    there: list[str] = field(default_factory=list)  # what the master has, first revision first
    parted: list[str] = field(default_factory=list)  # what left in a bundle
    begun: dict[str, str] = field(default_factory=dict)  # actions, by their verb
    handed: list[RelayCall] = field(default_factory=list)  # to a relay
    token: int = 0  # another node's, for what it hands to this one

    def version(self, rows: int) -> None:
        before = self.ids[-1] if self.ids else None
        self.ids.append(self.node.accept(rows=rows, corrects=before, date=self.day).id)

    def adopted(self, rows: int, base: str | None) -> BundledVersion:
        made = self.node.entry(rows=rows, by="another node", date=self.day)
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
            submission=submission, event="bushy", date=self.day, revision=revision, digest=digest, received_at=NOW
        )  # fmt: skip

    def rows(self) -> Sequence[Any]:
        with self.node.database.read() as conn:
            these = select(Submission).where(Submission.date == self.day)
            return conn.execute(these.order_by(Submission.version)).all()


# what both find


def waits(race: Race) -> None:
    race.version(1)


def is_on_its_way(race: Race) -> None:
    race.version(1)
    race.claim()
    race.version(2)


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
    race.version(1)
    race.claim()
    race.end(race.publish(race.leases[-1]))
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


FOUND = (
    waits, is_on_its_way, is_in_doubt, was_refused, met_another, waits_before_a_bundles, was_withdrawn_before_a_bundles,
    is_held, is_being_handed_on, is_at_a_relay, was_left_stranded,
)  # fmt: skip


# the writers: each does its work in the transaction, and returns nothing where it finds nothing to do


def accept(conn: Connection, race: Race) -> object:
    return outbox.accept(conn, race.node.now, race.node.entry(rows=7, if_match=race.ids[-1], date=race.day))


def adopt(conn: Connection, race: Race) -> object:
    return outbox.adopt(conn, race.node.now, race.adopted(8, None), race.node.events["bushy"])


def adopt_a_correction(conn: Connection, race: Race) -> object:
    return outbox.adopt(conn, race.node.now, race.adopted(9, race.ids[0]), race.node.events["bushy"])


def withdraw(conn: Connection, race: Race) -> object:
    return outbox.withdraw(conn, race.node.now, race.ids[0])


def withdraw_the_newest(conn: Connection, race: Race) -> object:
    return outbox.withdraw(conn, race.node.now, race.ids[-1])


def undo(conn: Connection, race: Race) -> object:
    withdrawn = select(Submission.seq).where(Submission.id == race.ids[0], Submission.state == State.WITHDRAWN)
    found = conn.execute(withdrawn).first()
    outbox.undo_withdrawal(conn, race.node.now, race.ids[0])
    return found


def publish_over(conn: Connection, race: Race) -> object:
    return outbox.publish_over(conn, race.node.now, race.ids[-1])


def export(conn: Connection, race: Race) -> object:
    parted, _ = outbox.export(conn, race.node.now, [State.QUEUED], "bundle")
    race.parted = [one.id for one in parted]
    return parted


def claim(conn: Connection, race: Race) -> object:
    taken = cycle.run_cycle(conn, race.node.now, "w2", [], CEILING, CEILING)
    race.taken = list(taken.leases)
    return taken.leases


def _settle(conn: Connection, race: Race, outcome: Callable[[Lease], Outcome]) -> object:
    ends = [sender.settlement(lease, outcome(lease), 0.1, 0.5) for lease in race.leases]
    return cycle.run_cycle(conn, race.node.now, "w1", ends, 0, CEILING).settled


def settle_published(conn: Connection, race: Race) -> object:
    return _settle(conn, race, race.publish)


def settle_refused(conn: Connection, race: Race) -> object:
    return _settle(conn, race, lambda _: rejected())


def settle_unsent(conn: Connection, race: Race) -> object:
    return _settle(conn, race, lambda _: unsent())


def hand_back(conn: Connection, race: Race) -> object:
    cycle.run_cycle(conn, race.node.now, "w1", [], 0, CEILING, 0, [lease.lease for lease in race.leases])
    return race.leases


def void(conn: Connection, race: Race) -> object:
    links.lock(conn)
    return outbox.void_leases(conn, race.node.now, "w1")


def learn_from_the_list(conn: Connection, race: Race) -> object:
    """The master has the first version: it came by another way. What is being sent is left to its sender."""
    first = Submission.id == race.ids[0]
    outbox.lock_all(conn, first)
    row = conn.execute(select(Submission).where(first)).one()
    if row.state != State.QUEUED or race.there not in ([], [row.id]):
        return None
    race.there = [row.id]
    outbox.publish_by_receipt(conn, race.node.now, [(row, race.receipt(row.id, row.digest))])
    return row


def hold(conn: Connection, race: Race) -> object:
    return _act(conn, race, actions.Verb.HOLD)


def release(conn: Connection, race: Race) -> object:
    return _act(conn, race, actions.Verb.RELEASE)


def retry(conn: Connection, race: Race) -> object:
    return _act(conn, race, actions.Verb.RETRY)


def _act(conn: Connection, race: Race, verb: actions.Verb) -> object:
    """The only piece of an action, which was begun before."""
    actions.advance(conn, race.node.now, race.begun[verb])
    done = actions.progress(conn, race.begun[verb])
    return None if done is None else done.done


def fill_digests(conn: Connection, race: Race) -> object:
    rows = conn.execute(select(Submission.seq).where(Submission.id.in_(race.ids))).scalars().all()
    digests.fill(conn, dict.fromkeys(rows, "a digest"))
    return rows


def mend(conn: Connection, race: Race) -> object:
    return sum(repairs.mend_some(conn, race.node.now, "op", repair) for repair in repairs.REPAIRS)


def hand_on(conn: Connection, race: Race) -> object:
    return race.hand_on(conn)


def is_kept_by_the_relay(conn: Connection, race: Race) -> object:
    for call in race.handed:
        handovers.kept(conn, race.node.now, call.seq, 30)
    return race.handed


def is_refused_by_the_relay(conn: Connection, race: Race) -> object:
    """It took nothing, and said so in the answer to the first call."""
    if not race.handed or any(call.kept for call in race.handed):
        return None
    for call in race.handed:
        handovers.take_back(conn, race.node.now, call.seq)
        race.parted.remove(call.parcel.submission)
    return race.handed


def learn_from_the_relay(conn: Connection, race: Race) -> object:
    """The relay has published the first that it has, or the master did not take it."""
    if not race.handed:
        return None
    call = race.handed[0]
    outcome = race.publish_parcel(call)
    return handovers.settle_as(conn, race.node.now, call, outcome, False)


def take_custody(conn: Connection, race: Race) -> object:
    holder, event_id = Holder(race.token, "laptop"), race.node.events["bushy"]
    return custody.take_custody(conn, race.node.now, race.adopted(8, None), event_id, holder)


WRITERS: tuple[Writer, ...] = (
    accept, adopt, adopt_a_correction, withdraw, withdraw_the_newest, undo, publish_over, export, claim,
    settle_published, settle_refused, settle_unsent, hand_back, void, learn_from_the_list, hold, release, retry, mend,
    fill_digests, hand_on, is_kept_by_the_relay, is_refused_by_the_relay, learn_from_the_relay, take_custody,
)  # fmt: skip
OF_ONE_WORKER = {settle_published, settle_refused, settle_unsent, hand_back}
"""A lease ends in one way."""


class Walk:
    """Runs writers beside each other, each pair on a chain of its own."""

    def __init__(self, node: StoreNode, found: Callable[[Race], None]) -> None:
        self.node = node
        self.found = found
        self.days = 0
        self.token = node.database.write(lambda conn: tokens.issue_numbered(conn, NOW, "laptop", Role.NODE))[1]
        self.pool = ThreadPoolExecutor(2)
        self.counted: dict[int, int] = {}
        self.pauses: dict[int, tuple[int, Callable[[], None]]] = {}

    def heard(self, *_: object) -> None:
        """Each statement of each thread, before it is sent."""
        me = threading.get_ident()
        self.counted[me] = self.counted.get(me, 0) + 1
        at, pause = self.pauses.get(me, (0, None))
        if pause is not None and self.counted[me] == at:
            pause()

    def race(self, *writers: Writer) -> Race:
        self.days += 1
        race = Race(self.node, (DAY + timedelta(days=self.days)).isoformat(), token=self.token)
        self.found(race)
        for verb in {writer.__name__ for writer in writers} & {*actions.Verb} & {"hold", "release", "retry"}:
            race.begun[verb] = actions.start(self.node.database, self.node.now, "op", verb, race.ids, "a test")
        return race

    def write(self, race: Race, writer: Writer, pause: tuple[int, Callable[[], None]] | None = None) -> object:
        """What a writer did; nothing where it was refused."""
        me = threading.get_ident()
        self.counted[me] = 0
        if pause is not None:
            self.pauses[me] = pause
        try:
            return self.node.database.write(lambda conn: writer(conn, race))
        except (Conflicting, NotThere):
            return None
        finally:
            self.pauses.pop(me, None)

    def alone(self, writer: Writer) -> int:
        """How many statements a writer takes that finds something to do here, else 0."""
        race = self.race(writer)
        done = self.write(race, writer)
        statements = self.counted[threading.get_ident()]
        self.ends_well(race, writer.__name__)
        return statements if done else 0

    def beside(self, first: Writer, at: int, second: Writer) -> bool:
        """The first pauses before its statement of that number until the second is done, or waits for a lock; whether
        it was done."""
        race = self.race(first, second)
        reached, go_on = threading.Event(), threading.Event()

        def pause() -> None:
            reached.set()
            assert go_on.wait(WAIT_S)

        one = self.pool.submit(self.write, race, first, (at, pause))
        one.add_done_callback(lambda _: reached.set())
        assert reached.wait(WAIT_S)
        other = self.pool.submit(self.write, race, second)
        done = self.until_it_waits(other)
        go_on.set()
        one.result(WAIT_S)
        other.result(WAIT_S)
        self.ends_well(race, f"{first.__name__}, paused before statement {at}, and {second.__name__}")
        return done

    def until_it_waits(self, other: Future[object]) -> bool:
        with self.node.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            give_up = time.monotonic() + WAIT_S
            while not other.done() and time.monotonic() < give_up:
                if conn.connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1").fetchone():
                    return other.done()
                time.sleep(LOOK_S)
        assert other.done(), "it neither waits nor ends"
        return True

    # and then

    def ends_well(self, race: Race, what: str) -> None:
        self.whole(race, what)
        for repair in repairs.REPAIRS if self.found is was_left_stranded else ():
            self.node.database.write(partial(repairs.mend_some, now=self.node.now, who="op", repair=repair))
        held = [row.id for row in race.rows() if row.hold_id is not None]
        if held:
            self.node.act("release", *held)
        in_hand = {row.lease for row in race.rows()}
        leases = [lease for lease in (*race.leases, *race.taken) if lease.lease in in_hand]
        for _ in range(12):
            for lease in leases:
                self.node.settle(lease, race.publish(lease))
            if not any(row.state in WAITING for row in race.rows()):
                break
            self.node.pass_time(61)
            self.node.probe()
            leases = list(self.node.claim())
        self.whole(race, what)
        rows = race.rows()
        told = f"{what}: {[(row.version, row.state, row.blocked, row.base, row.id) for row in rows]}, {race.there}"
        assert not any(row.state in WAITING for row in rows), told
        for row in rows:
            assert row.state not in GONE or row.id not in race.there, told
            assert row.state not in {State.PUBLISHED, State.CORRECTED} or row.published_as in race.there, told
        newest = [row for row in rows if row.state not in GONE]
        if newest and newest[-1].state == State.PUBLISHED:
            ours = [one for one in race.there if one in {row.published_as for row in rows}]
            assert newest[-1].published_as == ours[-1], told

    def whole(self, race: Race, what: str) -> None:
        """No row is one that would have to be mended, and what left in a bundle is in doubt until it is settled."""
        with self.node.database.read() as conn:
            mine = select(Submission.seq).where(Submission.date == race.day)
            damage = [one.name for one in repairs.REPAIRS if conn.execute(mine.where(one.found)).first()]
        rows = race.rows()
        told = f"{what}: {damage} {[(row.version, row.state, row.blocked, row.base, row.id) for row in rows]}"
        assert not damage or self.found is was_left_stranded, told
        for row in rows:
            if row.id in race.parted:
                assert row.state not in GONE, told
                assert row.in_doubt or row.state not in WAITING, told


@contextmanager
def walking(database: Database, found: Callable[[Race], None]) -> Iterator[Walk]:
    node = StoreNode(database)
    node.probe()
    walk = Walk(node, found)
    event.listen(database.engine, "before_cursor_execute", walk.heard)
    try:
        yield walk
    finally:
        event.remove(database.engine, "before_cursor_execute", walk.heard)
        walk.pool.shutdown()


@pytest.mark.long
@pytest.mark.parametrize("found", FOUND, ids=lambda one: one.__name__)
def test_two_writers_leave_a_whole_chain_wherever_the_first_is_interrupted(
    postgres_store: Database, found: Callable[[Race], None]
) -> None:
    """In an order that is drawn anew each time, and printed, until the time is up."""
    seed = int(os.environ.get("RESULTSQ_WALK_SEED", time.time_ns() % 1_000_000))
    with walking(postgres_store, found) as walk:
        statements = {writer: walk.alone(writer) for writer in WRITERS}
        able = [writer for writer in WRITERS if statements[writer]]
        pairs = [(a, b) for a in able for b in able if not {a, b} <= OF_ONE_WORKER]
        random.Random(seed).shuffle(pairs)
        walked, give_up = 0, time.monotonic() + float(os.environ.get("RESULTSQ_WALK_S", WALK_S))
        for first, second in pairs:
            if time.monotonic() > give_up:
                break
            # who waits for a lock that the first has now waits for it later, too
            all(walk.beside(first, at, second) for at in range(1, statements[first] + 1))
            walked += 1
        print(f"seed {seed}: {walked} of {len(pairs)} pairs in {walk.days} chains")
    assert walked > 0
