"""Anything in any order: teams, operators, crashes, lost answers and an outage, on a real store and a real ledger.

Hypothesis interleaves single steps of both sides and shrinks what it finds. Time stands still between them, so
that months take seconds. Whatever happened, it ends with everybody content and the link up: then the master has
the last version of every chain, each once, in order, and nothing that was accepted is forgotten.

RESULTSQ_MACHINE_EXAMPLES says how many days are tried."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Row, select

from resultsq.delivery import sender
from resultsq.delivery.reconcile import reconcile
from resultsq.domain.errors import Conflicting, ResultsqError
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Outcome, Rejected
from resultsq.domain.ports import Parcel
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State
from resultsq.store import outbox
from resultsq.store.admin import actions, retention
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Chain, Submission
from resultsq.store.outbox import BundledVersion, Lease, handovers
from resultsq.store.outbox.handovers import RelayCall
from tests.support.accounts import ELSEWHERE, AccountableMaster
from tests.support.nodes import DATE, StoreNode, entry, migrated
from tests.support.promises import broken

EVENTS = ("bushy", "richmond")
MEMORY = Path("/dev/shm")  # where there is one: nobody cuts the power in this test
EXAMPLES = int(os.environ.get("RESULTSQ_MACHINE_EXAMPLES", "20"))

PHASES = (Phase.generate, Phase.shrink)  # to explain a failure would trace every line

FATES = ["well", "well", "lost", "lost", "late", "unsent", "busy"]
"""What becomes of a PUT: answered, committed with the answer lost, still on its way, never sent, put off."""


@dataclass
class Flight:
    """A lease in a sender's hands. `outcome` None: it has not been sent yet."""

    worker: str
    lease: Lease
    outcome: Outcome | None = None


class Saturday(RuleBasedStateMachine):
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.database = Database(f"sqlite:///{shutil.copy(self.template, self.folder / 'store.db')}")
        self.node = StoreNode(self.database, EVENTS)
        self.master = AccountableMaster(f"sqlite:///{self.folder / 'master.db'}")
        self.accepted: set[str] = set()
        self.flights: list[Flight] = []
        self.on_their_way: list[Parcel] = []  # what the network, or a stick, still holds: it lands whenever it likes
        self.abroad: list[Parcel] = []  # what another node has and this one adopted
        self.at_relay: list[RelayCall] = []
        self.held: int | None = None
        self.node.probe()

    def teardown(self) -> None:
        try:
            self.everybody_is_content()
            self.the_master_has_the_last_versions()
        finally:
            self.database.close()
            self.master.close()
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
            + ["hand_back", "hand_back", "withdraw_and_undo", "export", "adopt", "adopt"]
            + ["hand_on", "hand_on", "hear_of_a_relay", "hear_of_a_relay"]
            + ["prune", "reconcile", "reconcile", "rotate", "restore_the_master"]
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
        made = self.node.accept(event, 1 + number % 5, corrects=head)
        self.accepted.add(made.id)
        if made.created:
            self.master.replaces(made.id, head)

    def decide(self, event: str, number: int) -> None:
        """Withdraw, undo it, publish over. Where it makes no sense it is refused and nothing changes."""
        acts: list[Callable[[StoreNode, str], Any]] = [
            StoreNode.withdraw,
            StoreNode.undo_withdrawal,
            StoreNode.publish_over,
        ]
        if (chosen := self.recent(event, number // 3)) is None:
            return
        try:
            acts[number % 3](self.node, chosen.id)
            if number % 3 == 2:
                self.master.replaces(chosen.id, chosen.conflict_head)
        except Conflicting:
            assert self.node.row(chosen.id) == chosen

    def operate(self, event: str, number: int) -> None:
        if (chosen := self.recent(event, number // 3)) is not None:
            self.node.act(["retry", "hold", "release"][number % 3], chosen.id)

    def withdraw_and_undo(self, event: str, number: int) -> None:
        """One action withdraws several versions, from wherever in the chain, and may be undone whole."""
        chosen = [row.id for row in self.rows(event)[-1 - number % 3 :]]
        self.node.act("withdraw", *chosen)
        if number % 2:
            withdrawn = [row.withdrawn_in for row in self.rows(event) if row.state == State.WITHDRAWN]
            if action := next((one for one in reversed(withdrawn) if one is not None), None):
                now = self.node.now
                undo = actions.start_undo(self.database, now, "op", action, "a test")
                while self.database.write(lambda conn: actions.advance(conn, now, undo)):
                    continue

    def export(self, _: str, number: int) -> None:
        """What waits goes on a stick as well."""
        parted, _last = self.database.write(lambda conn: outbox.export(conn, self.node.now, WAITING, "stick"))
        self.on_their_way += [_parcel(one, one.base) for one in parted]

    def adopt(self, event: str, number: int) -> None:
        """Another node's version comes on a stick: the first there, on what the master has, or on one of ours."""
        there, ours = self.master.there(event, DATE), self.recent(event, number)
        base = [None, there[-1] if there else None, ours.id if ours else None][number % 3]
        made = entry(0, event, 6 + number % 4, by="another node")
        parted = BundledVersion(
            str(uuid.uuid4()), "results", event, DATE, base, made.digest, made.rows_digest, made.finishers,
            "another node", self.node.now, made.body,
        )  # fmt: skip
        self.master.replaces(parted.id, base)
        self.abroad.append(_parcel(parted, base))
        if number % 4 == 0:  # that node was the quicker
            self.master.send(self.abroad[-1], self.node.now, ELSEWHERE)
        assert self.database.write(lambda conn: outbox.adopt(conn, self.node.now, parted, self.node.events[event]))
        self.accepted.add(parted.id)

    def hand_on(self, _: str, number: int) -> None:
        """A relay is given what waits, or is not reached."""
        now = self.node.now
        calls, _last = self.database.write(lambda conn: handovers.begin(conn, now, "relay:443", 0, 1 + number % 3))
        for call in calls:
            if number % 4 == 0:
                self.database.write(partial(handovers.take_back, now=now, seq=call.seq))
            else:
                self.database.write(partial(handovers.kept, now=now, seq=call.seq, ask_in_s=30))
                self.at_relay.append(call)

    def hear_of_a_relay(self, _: str, number: int) -> None:
        """It publishes something, and says what became of it; or it no longer knows it, and is given it again."""
        if not (self.at_relay and self.master.up):
            return
        call = self.at_relay[number % len(self.at_relay)]
        outcome = self.master.send(call.parcel, self.node.now, ELSEWHERE)
        if number % 5 == 0:  # its answer is lost
            return
        if isinstance(outcome, Conflict):
            outcome = Conflict(outcome.head, outcome.revision)  # it passes on no sheet of another's
        if isinstance(outcome, Accepted | Rejected | Conflict):
            self.database.write(
                partial(handovers.settle_as, now=self.node.now, call=call, outcome=outcome, same_rows=False)
            )
            self.at_relay.remove(call)

    def prune(self, _: str, number: int) -> None:
        before = self.node.now - timedelta(hours=number)
        while self.database.write(lambda conn: retention.prune_some(conn, before)).submissions:
            continue

    def reconcile(self, _: str, number: int) -> None:
        try:
            reconcile(self.database, self.master, self.node.now, self.node.now - timedelta(days=1 + number))  # type: ignore[arg-type]  # a master that is only asked
        except ResultsqError:
            assert not self.master.up

    def rotate(self, _: str, number: int) -> None:
        """Another token: what was published with the old one is on no list any more."""
        self.master.credentials = f"token {number}"

    # workers

    def claim(self, _: str, number: int) -> None:
        worker = f"w{number % 2}"
        self.flights += [Flight(worker, lease) for lease in self.node.claim(worker)]

    def send(self, number: int, fate: str) -> None:
        if waiting := [one for one in self.flights if one.outcome is None]:
            flight = waiting[number % len(waiting)]
            flight.outcome = self.answer(flight.lease, fate if self.master.up else "unsent")

    def settle(self, _: str, number: int) -> None:
        """In the order of their coming, or not; some may wait for the next turn."""
        done = [one for one in self.flights if one.outcome is not None][number % 2 :]
        self.flights = [one for one in self.flights if one not in done]
        ends = [sender.settlement(one.lease, one.outcome, 0.1, 0.5) for one in done if one.outcome is not None]
        taken = self.node.turn(*ends, worker="w1", free=number % 3)
        self.flights += [Flight("w1", lease) for lease in taken.leases]
        self.node.probe(None if self.master.up else Cause.REFUSED)

    def hand_back(self, _: str, number: int) -> None:
        """What a worker leased ahead it gives back."""
        back = [one for one in self.flights if one.outcome is None][number % 2 :]
        self.flights = [one for one in self.flights if one not in back]
        self.database.write(lambda conn: outbox.release_leases(conn, self.node.now, [one.lease.lease for one in back]))

    def die(self, _: str, number: int) -> None:
        """kill -9; it starts again under its name."""
        worker = f"w{number % 2}"
        self.flights = [one for one in self.flights if one.worker != worker]
        self.database.write(lambda conn: outbox.void_leases(conn, self.node.now, worker))

    def pause(self, _: str, number: int) -> None:
        """Back-offs end; after 61 s leases have run out under senders that still hold them."""
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
            self.on_their_way.append(_parcel(lease, lease.base))
            return Deferred(Cause.TIMEOUT, "Nothing came.", in_doubt=True)
        outcome = self.put(lease)
        return Deferred(Cause.RESET, "The answer was lost.", in_doubt=True) if fate == "lost" else outcome

    def put(self, lease: Lease) -> Outcome:
        return self.master.send(_parcel(lease, lease.base), self.node.now)

    def land(self, _: str, number: int) -> None:
        """A PUT that nobody waits for any more comes through, if it is still to the master's liking."""
        if self.on_their_way:
            self.master.send(self.on_their_way.pop(number % len(self.on_their_way)), self.node.now)

    def restore_the_master(self, _: str, number: int) -> None:
        """It comes back from a backup. Connections die with it, and sticks have been given by then."""
        if number % 4 == 0:
            self.on_their_way.clear()
            self.abroad.clear()
            self.at_relay.clear()
            self.master.restore(1 + number // 4)

    def spoil(self, event: str, number: int) -> None:
        if (chosen := self.recent(event, number)) is not None:
            self.master.bad.add(chosen.id)

    def elsewhere(self, event: str, number: int) -> None:
        """Another node publishes."""
        if number % 4:
            return
        there = self.master.there(event, DATE)
        made = entry(0, event, 1 + number // 4, by="another node")
        parcel = Parcel("results", made.id, event, DATE, made.body, made.digest, there[-1] if there else None)
        if self.abroad and number == 4:
            parcel = self.abroad.pop()
        self.master.send(parcel, self.node.now, ELSEWHERE)

    def switch(self, event: str, number: int) -> None:
        """One thing is switched off, or what was off is on again."""
        if not self.master.up or self.master.refused or self.held is not None:
            self.switch_all_on()
        elif number % 3 == 0:
            self.master.up = False
            self.node.probe(Cause.REFUSED)
        elif number % 3 == 1:
            self.master.refused = {event}
        else:
            self.held = self.node.hold(event if number % 2 else None)

    def switch_all_on(self) -> None:
        self.master.up, self.master.refused = True, set()
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

    @invariant()
    def promises_hold(self) -> None:
        rows = self.rows()
        assert {row.id for row in rows} == self.accepted, "nothing accepted is forgotten"
        same = [(row.id, row.published_as) for row in rows if row.published_as not in (None, row.id)]
        assert self.master.not_replaced_knowingly(same) == []
        for event in EVENTS:
            mine = [row for row in rows if row.event_id == self.node.events[event]]
            there = self.master.there(event, DATE)
            assert len(there) == len(set(there))
            on_top = {row.published_as for row in mine if row.state == State.PUBLISHED} & set(there)
            assert len(on_top) <= 1, "of what the master has one is the last"
            for row in mine:
                if row.state in GONE and self.is_ours(row):
                    assert row.id not in there, "stepped over or withdrawn while the master could have it"
                if row.state in {State.PUBLISHED, State.CORRECTED}:
                    assert row.published_as in there or row.published_as in self.master.lost

    @invariant()
    def what_waits_can_be_claimed_sooner_or_later(self) -> None:
        with self.database.read() as conn:
            assert broken(conn) == []

    def is_ours(self, row: Row[Any]) -> bool:
        """No other node can have published it."""
        return bool(row.submitted_by != "another node")

    # and at the end

    def everybody_is_content(self) -> None:
        """The link is up, the master willing, nobody holds anything, and a person decides every conflict."""
        self.switch_all_on()
        while self.on_their_way:
            self.land("", 0)
        self.master.bad = set()
        self.node.pass_time(120)
        self.reconcile("", 11)
        rounds = 0
        while unsettled := [row for row in self.rows() if row.state in WAITING | NEEDS_A_PERSON]:
            rounds += 1
            assert rounds < 100, [(row.version, row.state, row.blocked, row.base) for row in unsettled]
            for row in unsettled:
                if row.state in NEEDS_A_PERSON:
                    self.person_decides(row)
                if row.hold_id is not None:
                    self.node.act("release", row.id)
            self.node.pass_time(61)
            self.set_the_clock("", 0)
            self.claim("", 1)
            for flight in self.flights:
                flight.outcome = flight.outcome or self.put(flight.lease)
            self.settle("", 0)
            self.promises_hold()

    def person_decides(self, row: Row[Any]) -> None:
        """It is published over what is there, but where something newer is to be published first."""
        try:
            self.node.publish_over(row.id)
            self.master.replaces(row.id, row.conflict_head)
        except Conflicting:
            newer = [one for one in self.rows() if one.chain_id == row.chain_id and one.version > row.version]
            assert any(one.state in WAITING for one in newer)

    def the_master_has_the_last_versions(self) -> None:
        for event in EVENTS:
            mine, there = self.rows(event), self.master.there(event, DATE)
            published = [row for row in mine if row.published_as is not None]
            head = self.head(event)
            if head is None:
                assert not [row for row in mine if row.state == State.PUBLISHED and row.published_as == row.id]
                continue
            row = self.node.row(head)
            assert row.state in {State.PUBLISHED, State.CORRECTED}
            if row.published_as in there and all(map(self.is_ours, mine)):
                known = [there.index(one.published_as) for one in published if one.published_as in there]
                assert there.index(row.published_as) == max(known)


def _parcel(one: Lease | BundledVersion, base: str | None) -> Parcel:
    if isinstance(one, BundledVersion):
        return Parcel("results", one.id, one.event, one.date, one.body, one.digest, base, in_doubt=True)
    return Parcel("results", one.submission, one.event, one.date, one.body, one.digest, base, one.in_doubt)


@pytest.mark.long
def test_the_master_ends_with_the_last_versions_whatever_happened(tmp_path: Path) -> None:
    template = tmp_path / "template.db"
    migrated(f"sqlite:///{template}").close()
    Saturday.template = template
    run_state_machine_as_test(
        Saturday,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        ),
    )
