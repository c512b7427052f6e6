"""Senders: who goes on with what lies ahead, and who waits for a turn."""

import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from resultsq.delivery import sender
from resultsq.delivery.mail import server
from resultsq.delivery.masters import database
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.delivery.sender_pool import PREFETCHED_S, SenderPool
from resultsq.domain.outcome import Accepted, Cause, Deferred, Receipt, Rejected
from resultsq.domain.settlement import Settlement
from resultsq.store.outbox import Lease, lease_s
from tests.support.manual_clock import ManualClock

NOW = datetime(2013, 12, 7, 12, 5, tzinfo=UTC)
LIMIT_S = 5


def lease(number: int) -> Lease:
    return Lease(
        lease=f"lease-{number}", seq=number, submission=f"id-{number}", kind="results", event="bushy",
        date="2013-12-07", body=b"{}", digest="d", base=None, in_doubt=False, attempt=1,
        failures=0, silences=0, request_id="",
    )  # fmt: skip


def published(one: Lease) -> Settlement:
    receipt = Receipt(
        submission=one.submission, event=one.event, date=one.date, revision=1, digest=one.digest, received_at=NOW
    )
    return sender.settlement(one, Accepted(receipt), 0.01, 0.5)


class Master:
    """Says what was sent, and answers when it is told to."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.sent: queue.SimpleQueue[Lease] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[Settlement] = queue.SimpleQueue()
        self.ends: queue.SimpleQueue[Settlement] = queue.SimpleQueue()
        self.prefetched_when_reported: list[int] = []
        self.senders = SenderPool(2, self.clock, self._deliver, self._told)

    def _deliver(self, one: Lease) -> Settlement:
        self.sent.put(one)
        return self.answers.get(timeout=LIMIT_S)

    def _told(self, _: Lease, end: Settlement) -> None:
        self.prefetched_when_reported.append(self.senders.prefetched)
        self.ends.put(end)

    def receive(self) -> int:
        return self.sent.get(timeout=LIMIT_S).seq

    def answer(self, end: Settlement) -> None:
        """And wait until the dispatcher would know."""
        self.answers.put(end)
        self.ends.get(timeout=LIMIT_S)


@pytest.fixture
def master() -> Iterator[Master]:
    made = Master()
    yield made
    made.senders.cancel_prefetch()
    for _ in range(made.senders.out):
        made.answers.put(published(lease(0)))
    made.senders.close()


def test_a_courier_goes_on_with_what_lay_longest_when_its_sheet_was_taken(master: Master) -> None:
    master.senders.send([lease(1), lease(2), lease(3)], 1)
    assert master.receive() == 1
    assert (master.senders.out, master.senders.prefetched) == (1, 2)
    master.answer(published(lease(1)))
    assert master.receive() == 2
    assert (master.senders.out, master.senders.prefetched) == (1, 1)
    assert master.prefetched_when_reported == [1], "the one that followed had been taken before the end was told"


@pytest.mark.parametrize(
    "outcome", [Deferred(Cause.RESET, "Cut.", in_doubt=True), Rejected("invalid-sheet", "No.", ())]
)
def test_a_courier_waits_for_a_turn_when_its_sheet_was_not_taken(master: Master, outcome: Deferred | Rejected) -> None:
    master.senders.send([lease(1), lease(2)], 1)
    assert master.receive() == 1
    master.answer(sender.settlement(lease(1), outcome, 0.01, 0.5))
    assert (master.senders.out, master.senders.prefetched) == (0, 1)
    assert master.sent.empty()


def test_no_courier_begins_with_what_has_lain_for_too_long(master: Master) -> None:
    master.senders.send([lease(1), lease(2)], 1)
    assert master.receive() == 1
    assert not master.senders.is_stale
    master.clock.advance(PREFETCHED_S)
    assert master.senders.is_stale
    master.answer(published(lease(1)))
    assert master.senders.out == 0
    assert [one.seq for one in master.senders.cancel_prefetch()] == [2]
    assert master.senders.prefetched == 0


def test_what_lay_longest_goes_first_when_there_is_room_for_more(master: Master) -> None:
    master.senders.send([lease(1), lease(2)], 1)
    assert master.receive() == 1
    master.senders.send([lease(3)], 1)
    assert master.receive() == 2
    assert (master.senders.out, master.senders.prefetched) == (2, 1)


def test_spares_are_there_when_more_than_half_of_the_senders_have_one(master: Master) -> None:
    assert not master.senders.has_spares
    master.senders.send([lease(1), lease(2), lease(3)], 2)
    assert {master.receive(), master.receive()} == {1, 2}
    assert not master.senders.has_spares, "one for two"
    master.senders.send([lease(4)], 0)
    assert master.senders.has_spares


@pytest.fixture
def no_threads() -> Iterator[None]:
    """No thread can be started: the system has no room for so large a stack."""
    before = threading.stack_size(1 << 46)
    yield
    threading.stack_size(before)


def test_a_sender_that_cannot_be_started_keeps_no_slot_and_its_sheet_lies_ahead(
    master: Master, no_threads: None
) -> None:
    for number in range(1, 10):
        master.senders.send([lease(number)], 1)
        assert (master.senders.out, master.senders.prefetched) == (0, 1)
        assert [one.seq for one in master.senders.cancel_prefetch()] == [number]
    threading.stack_size(0)
    master.senders.send([lease(10), lease(11)], 2)
    assert {master.receive(), master.receive()} == {10, 11}, "and nothing that was recalled"
    assert (master.senders.out, master.senders.prefetched) == (2, 0)


class Broken:
    """Its `send` has a fault of ours: it returns what is no outcome."""

    def send(self, *_: object) -> None:
        return None


def test_a_sheet_whose_end_is_a_fault_of_ours_keeps_no_slot() -> None:
    clock = ManualClock(NOW)
    ends: queue.SimpleQueue[Settlement] = queue.SimpleQueue()

    def deliver(one: Lease) -> Settlement:
        return sender.deliver(Broken(), one, clock, 0.5)  # type: ignore[arg-type]  # so it is

    senders = SenderPool(1, clock, deliver, lambda _, end: ends.put(end))
    senders.send([lease(1)], 1)
    end = ends.get(timeout=LIMIT_S)
    assert isinstance(end.outcome, Deferred)
    assert end.outcome.cause is Cause.SURPRISE
    assert senders.out == 0
    senders.close()


@pytest.mark.parametrize("size", [0, 12_000, 8 * 1024 * 1024])
def test_a_lease_outlives_the_call_of_a_sheet_that_has_lain_ahead(size: int) -> None:
    assert lease_s(size) >= PREFETCHED_S + CallTimeouts().for_sheet_s(size // 3) + 1
    assert lease_s(size) >= PREFETCHED_S + database.LIMITS.for_sheet_s(size) + 1
    assert lease_s(size) >= PREFETCHED_S + server.SEND_S + 1
