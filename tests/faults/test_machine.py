"""Anything in any order: teams, operators, crashes, lost answers and an outage, on a real store and a real ledger.

Hypothesis interleaves single steps of both sides and shrinks what it finds. Time stands still between them, so
that months take seconds. Whatever happened, it ends with everybody content and the link up: then the master has
the last version of every chain, each once, in order, and nothing that was accepted is forgotten."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Row, select

from resultsq.delivery import courier
from resultsq.domain.errors import Conflicting
from resultsq.domain.outcome import (
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Exchange,
    Outcome,
    Rejected,
    Scope,
    Unauthorised,
)
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State
from resultsq.master.database import open_engine
from resultsq.master.ledger import Committed, HeadIs, Ledger
from resultsq.store import outbox
from resultsq.store.outbox import Lease
from resultsq.store.session import Database
from resultsq.store.tables import Chain, Submission
from tests.support.nodes import DATE, Node, entry, migrated

EVENTS = ("bushy", "richmond")
MEMORY = Path("/dev/shm")  # where there is one: nobody cuts the power in this test

FATES = ["well", "well", "lost", "lost", "late", "unsent", "busy"]
"""What becomes of a PUT: answered, committed with the answer lost, still on its way, never sent, put off."""


@dataclass
class Flight:
    """A lease in a courier's hands. `outcome` None: it has not been sent yet."""

    worker: str
    lease: Lease
    outcome: Outcome | None = None


class Saturday(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.database = Database(f"sqlite:///{shutil.copy(self.template, self.folder / 'store.db')}")
        self.node = Node(self.database, EVENTS)
        self.engine = open_engine(f"sqlite:///{self.folder / 'master.db'}")
        self.ledger = Ledger(self.engine)
        self.ledger.create_tables()
        self.accepted: set[str] = set()
        self.flights: list[Flight] = []
        self.on_their_way: list[Lease] = []  # PUTs that the network still holds: they land whenever they like
        self.bad: set[str] = set()  # sheets that the master will not take
        self.refused: set[str] = set()  # events that our credentials are not good for
        self.held: int | None = None
        self.link_is_up = True
        self.node.probe()

    def teardown(self) -> None:
        try:
            self.everybody_is_content()
            self.the_master_has_the_last_versions()
        finally:
            self.database.close()
            self.engine.dispose()
            shutil.rmtree(self.folder)

    # one rule, so that each step is as likely as its weight says

    @rule(
        step=st.sampled_from(
            ["accept"] * 4
            + ["claim"] * 3
            + ["send"] * 5
            + ["settle"] * 4
            + ["decide"] * 4
            + ["die", "pause", "pause", "operate", "land", "spoil", "switch", "elsewhere", "set_the_clock"]
        ),
        event=st.sampled_from(EVENTS),
        number=st.integers(0, 11),
        fate=st.sampled_from(FATES),
    )
    def something_happens(self, step: str, event: str, number: int, fate: str) -> None:
        if step == "send":
            self.send(number, fate)
        else:
            getattr(self, step)(event, number)

    # teams and operators

    def accept(self, event: str, number: int) -> None:
        head = self.head(event)
        self.accepted.add(self.node.accept(event, 1 + number % 5, corrects=head).id)

    def decide(self, event: str, number: int) -> None:
        """Withdraw, undo it, publish over. Where it makes no sense it is refused and nothing changes."""
        acts: list[Callable[[Node, str], Any]] = [Node.withdraw, Node.undo_withdrawal, Node.publish_over]
        if (chosen := self.recent(event, number // 3)) is None:
            return
        try:
            acts[number % 3](self.node, chosen.id)
        except Conflicting:
            assert self.node.row(chosen.id) == chosen

    def operate(self, event: str, number: int) -> None:
        if (chosen := self.recent(event, number // 3)) is not None:
            self.node.act(["retry", "hold", "release"][number % 3], chosen.id)

    # workers

    def claim(self, _: str, number: int) -> None:
        worker = f"w{number % 2}"
        self.flights += [Flight(worker, lease) for lease in self.node.claim(worker)]

    def send(self, number: int, fate: str) -> None:
        if waiting := [one for one in self.flights if one.outcome is None]:
            flight = waiting[number % len(waiting)]
            flight.outcome = self.answer(flight.lease, fate if self.link_is_up else "unsent")

    def settle(self, _: str, number: int) -> None:
        """In the order of their coming, or not; some may wait for the next turn."""
        done = [one for one in self.flights if one.outcome is not None][number % 2 :]
        self.flights = [one for one in self.flights if one not in done]
        ends = [courier.settlement(one.lease, one.outcome, 0.1, 0.5) for one in done if one.outcome is not None]
        taken = self.node.turn(*ends, worker="w1", free=number % 3)
        self.flights += [Flight("w1", lease) for lease in taken.leases]
        self.node.probe(None if self.link_is_up else Cause.REFUSED)

    def die(self, _: str, number: int) -> None:
        """kill -9; it starts again under its name."""
        worker = f"w{number % 2}"
        self.flights = [one for one in self.flights if one.worker != worker]
        self.database.write(lambda conn: outbox.void_leases(conn, self.node.now, worker))

    def pause(self, _: str, number: int) -> None:
        """Back-offs end; after 61 s leases have run out under couriers that still hold them."""
        self.node.pass_time([2, 61, 7 * 86_400][number % 3])

    def set_the_clock(self, _: str, number: int) -> None:
        self.node.pass_time([-3_600, 3_600][number % 2])
        self.database.write(lambda conn: outbox.mend_stepped_clock(conn, self.node.now))

    # the network and the far side

    def answer(self, lease: Lease, fate: str) -> Outcome:
        if fate == "unsent":
            return Deferred(Cause.REFUSED, "Nothing listens there.", in_doubt=lease.in_doubt)
        if fate == "busy":
            return Deferred(Cause.BUSY, "429", in_doubt=True, retry_after_s=5.0)
        if fate == "late":
            self.on_their_way.append(lease)
            return Deferred(Cause.TIMEOUT, "Nothing came.", in_doubt=True)
        outcome = self.put(lease)
        return Deferred(Cause.RESET, "The answer was lost.", in_doubt=True) if fate == "lost" else outcome

    def put(self, lease: Lease) -> Outcome:
        """As the contract's table has it; a receipt is asked for first where an attempt's end is unknown."""
        if lease.event in self.refused:
            return Unauthorised(Scope.EVENT, "Not this event.")
        if (known := self.ledger.receipt(lease.submission)) is not None and lease.in_doubt:
            return Accepted(known)
        if known is None and lease.submission in self.bad:
            return Rejected("invalid-sheet", "The master does not take it.")
        said = self.ledger.publish(
            lease.body, lease.submission, lease.event, lease.date, lease.base, "relay", self.node.now
        )  # fmt: skip
        match said:
            case Committed():
                return Accepted(said.receipt, Exchange(status=201 if said.new else 200))
            case HeadIs(None, _):
                return Conflict(None, None)
            case HeadIs(str(head), revision) if (found := self.ledger.head(lease.event, lease.date)) is not None:
                return Conflict(head, revision, found.body, self.ledger.receipt(head))
            case _:
                raise AssertionError(f"{said} for a good sheet")

    def land(self, _: str, number: int) -> None:
        """A PUT that nobody waits for any more comes through, if it is still to the master's liking."""
        if self.on_their_way:
            self.put(self.on_their_way.pop(number % len(self.on_their_way)))

    def spoil(self, event: str, number: int) -> None:
        if (chosen := self.recent(event, number)) is not None:
            self.bad.add(chosen.id)

    def elsewhere(self, event: str, number: int) -> None:
        """Another node publishes."""
        if number % 4:
            return
        head = self.ledger.head(event, DATE)
        made = entry(0, event, 1 + number // 4, by="another node")
        base = head.submission if head else None
        self.ledger.publish(made.body, made.id, event, DATE, base, "another node", self.node.now)

    def switch(self, event: str, number: int) -> None:
        """One thing is switched off, or what was off is on again."""
        if not self.link_is_up or self.refused or self.held is not None:
            self.switch_all_on()
        elif number % 3 == 0:
            self.link_is_up = False
            self.node.probe(Cause.REFUSED)
        elif number % 3 == 1:
            self.refused = {event}
        else:
            self.held = self.node.hold(event if number % 2 else None)

    def switch_all_on(self) -> None:
        self.link_is_up, self.refused = True, set()
        self.node.probe()
        if self.held is not None:
            self.node.release(self.held)
            self.held = None

    # what is seen

    def rows(self, event: str | None = None) -> list[Row[Any]]:
        with self.database.read() as conn:
            found = list(conn.execute(select(Submission).order_by(Submission.seq)))
        return found if event is None else [row for row in found if row.event_id == self.node.events[event]]

    def recent(self, event: str, number: int) -> Row[Any] | None:
        """The last version of the event, or one of the two before it."""
        mine = self.rows(event)
        return mine[-1 - number % min(3, len(mine))] if mine else None

    def head(self, event: str) -> str | None:
        with self.database.read() as conn:
            return conn.execute(select(Chain.head).where(Chain.event_id == self.node.events[event])).scalars().first()

    def there(self, event: str) -> list[str]:
        """What the master has for an event, first revision first."""
        with self.engine.connect() as conn:
            query = "SELECT submission FROM master_sheets WHERE event = ? ORDER BY revision"
            return [row[0] for row in conn.exec_driver_sql(query, (event,))]

    @invariant()
    def promises_hold(self) -> None:
        assert {row.id for row in self.rows()} == self.accepted, "nothing accepted is forgotten"
        for event in EVENTS:
            mine, there = self.rows(event), self.there(event)
            assert len(there) == len(set(there))
            versions = {row.id: row.version for row in mine}
            ours = [versions[one] for one in there if one in versions]
            assert ours == sorted(ours), "a correction never lands before its predecessor"
            free = [row for row in mine if row.state in WAITING and not row.blocked]
            assert len(free) <= 1, "of two that may go, either could land first"
            assert sum(row.state == State.PUBLISHED for row in mine) <= 1
            for row in mine:
                if row.state in GONE:
                    assert row.id not in there, "stepped over or withdrawn while the master could have it"
                if row.state in {State.PUBLISHED, State.CORRECTED}:
                    assert row.published_as in there

    # and at the end

    def everybody_is_content(self) -> None:
        """The link is up, the master willing, nobody holds anything, and a person decides every conflict."""
        self.switch_all_on()
        while self.on_their_way:
            self.land("", 0)
        self.bad = set()
        rounds = 0
        while unsettled := [row for row in self.rows() if row.state in WAITING | NEEDS_A_PERSON]:
            rounds += 1
            assert rounds < 100, [(row.version, row.state, row.blocked, row.base) for row in unsettled]
            for row in unsettled:
                if row.state in NEEDS_A_PERSON:
                    self.node.publish_over(row.id)
                if row.hold_id is not None:
                    self.node.act("release", row.id)
            self.node.pass_time(61)
            self.set_the_clock("", 0)
            self.claim("", 1)
            for flight in self.flights:
                flight.outcome = flight.outcome or self.put(flight.lease)
            self.settle("", 0)
            self.promises_hold()

    def the_master_has_the_last_versions(self) -> None:
        for event in EVENTS:
            mine, there = self.rows(event), self.there(event)
            published = [row.published_as for row in mine if row.published_as is not None]
            head = self.head(event)
            if head is None:
                assert not [row for row in mine if row.state == State.PUBLISHED and row.published_as == row.id]
            else:
                row = self.node.row(head)
                assert row.state in {State.PUBLISHED, State.CORRECTED}
                assert there.index(row.published_as) == max(map(there.index, published))


@pytest.mark.long
def test_the_master_ends_with_the_last_versions_whatever_happened(tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    migrated(f"sqlite:///{template}").close()
    Saturday.template = template
    run_state_machine_as_test(
        Saturday,
        settings=settings(
            max_examples=50, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
