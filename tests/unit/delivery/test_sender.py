"""What a sender makes of each outcome, and that nothing a master does or a fault of ours is raised out of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from resultsq.delivery import sender
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.outcome import (
    LINK_CAUSES,
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Exchange,
    Outcome,
    Reason,
    Receipt,
    Rejected,
    Scope,
    Unauthorised,
)
from resultsq.domain.ports import Master, Parcel
from resultsq.domain.settlement import Settlement
from resultsq.domain.sheet import Finisher, Sheet, canonical_bytes, digest, rows_digest
from resultsq.kinds.registry import KINDS
from resultsq.store.outbox import Lease
from tests.support.manual_clock import ManualClock

NOW = datetime(2013, 12, 7, 12, 5, tzinfo=UTC)
ROWS = (Finisher(position=1, athlete="A1", time="00:17:31"),)
BODY = canonical_bytes(Sheet(event="bushy", date=NOW.date(), submitted_by="x", submitted_at=NOW, finishers=ROWS))
SEEN = Exchange(status=299, answer_body="seen")
JITTER = 0.5


class _Taken:
    """A master that takes everything."""

    def __init__(self) -> None:
        self.sent: list[Parcel] = []

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        self.sent.append(parcel)
        return Accepted(receipt())


@pytest.mark.parametrize(
    ("after_s", "in_doubt", "is_sent"),
    [(59, False, True), (60, False, False), (3600, False, False), (3600, True, True)],
)
def test_what_has_expired_is_not_sent_unless_the_master_may_have_it(
    after_s: float, in_doubt: bool, is_sent: bool
) -> None:
    said = {"email": "jane@example.org", "expires_at": "2013-12-07T12:06:00Z", "salt": "x" * 16}
    made = KINDS["reminders"].prepare(said, submission="id", submitted_by="x", submitted_at=NOW)
    master, clock = _Taken(), ManualClock(NOW)
    clock.advance(after_s)
    waits = replace(lease(in_doubt=in_doubt), kind="reminders", body=made.body, digest=made.digest)
    outcome = sender.deliver(cast(Master, master), waits, clock, JITTER).outcome
    assert bool(master.sent) == is_sent
    assert isinstance(outcome, Accepted) if is_sent else outcome == Rejected("expired", "Expired, not sent.")


def lease(failures: int = 0, silences: int = 0, in_doubt: bool = False) -> Lease:
    return Lease(
        lease="lease", seq=7, submission="id", kind="results", event="bushy", date="2013-12-07", body=BODY,
        digest=digest(BODY), base="before", in_doubt=in_doubt, attempt=failures + 1,
        failures=failures, silences=silences, request_id="r",
    )  # fmt: skip


def ending(outcome: Outcome, **more: Any) -> Settlement:
    return sender.settlement(lease(**more), outcome, 1.5, JITTER)


def receipt(submission: str = "id") -> Receipt:
    return Receipt(
        submission=submission, event="bushy", date="2013-12-07", revision=1, digest=digest(BODY), received_at=NOW
    )


@pytest.mark.parametrize(
    "outcome",
    [
        Accepted(receipt(), SEEN),
        Rejected("invalid-sheet", "No.", (Reason("is no time", "/finishers/0/time"),), SEEN),
        Unauthorised(Scope.DESTINATION, "No.", SEEN),
        Unauthorised(Scope.EVENT, "No.", SEEN),
        Conflict(None, None, exchange=SEEN),
    ],
)
def test_a_submission_that_the_master_has_answered_for_good_does_not_wait(outcome: Outcome) -> None:
    assert ending(outcome, failures=5) == Settlement("lease", 7, 1.5, outcome)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.SILENT])
def test_a_deferred_sheet_waits_its_back_off_and_says_what_for(cause: Cause) -> None:
    outcome = Deferred(cause, "Why.", in_doubt=True, exchange=SEEN)
    waits_for = "link" if cause in LINK_CAUSES else "backoff"
    assert ending(outcome, failures=3) == Settlement("lease", 7, 1.5, outcome, wait_s=8 * JITTER, wait_for=waits_for)


def test_a_silent_call_is_repeated_at_once_for_a_newer_connection_works() -> None:
    found = ending(Deferred(Cause.SILENT, "Nothing moved.", True), failures=9)
    assert (found.wait_s, found.wait_for) == (None, "link")


@pytest.mark.parametrize(("said", "waits"), [(7.0, 7.0), (0.0, 0.0), (86_400.0, 3_600.0)])
def test_the_masters_retry_after_is_obeyed_and_marked_as_its_word(said: float, waits: float) -> None:
    found = ending(Deferred(Cause.BUSY, "Later.", True, retry_after_s=said), failures=9)
    assert (found.wait_s, found.wait_for) == (waits, "master")


def test_a_conflict_brings_the_digest_of_the_other_sheets_rows() -> None:
    outcome = Conflict("other", 3, BODY, receipt("other"), SEEN)
    assert ending(outcome) == Settlement("lease", 7, 1.5, outcome, rows_digest=rows_digest(ROWS, ()))


@pytest.mark.parametrize("body", [None, b"", b"<html>", b"\xff", BODY.replace(b"/1", b"/9")])
def test_rows_are_never_equal_when_the_other_sheet_cannot_be_read(body: bytes | None) -> None:
    assert ending(Conflict("other", 3, body)).rows_digest is None


def test_patience_doubles_with_each_silence_and_ends_at_half_a_minute() -> None:
    assert [sender.stall_timeout_s(n) for n in (0, 1, 2, 3, 4, 5, 1000)] == [2, 4, 8, 16, 32, 32, 32]


class FarSide:
    """A master that writes down how it was called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Parcel, float]] = []

    def send(self, parcel: Parcel, patience_s: float) -> Outcome:
        self.calls.append((parcel, patience_s))
        return Deferred(Cause.SILENT, "Nothing moved.", in_doubt=True)


@pytest.mark.parametrize("in_doubt", [True, False])
def test_a_sheet_travels_with_its_doubt_and_the_patience_that_its_silences_give_it(in_doubt: bool) -> None:
    master, clock = FarSide(), ManualClock(NOW)
    for silences in (0, 3):
        sender.deliver(cast(Master, master), lease(silences=silences, in_doubt=in_doubt), clock, JITTER)
    parcel = Parcel("results", "id", "bushy", "2013-12-07", BODY, digest(BODY), "before", in_doubt, "lease")
    assert master.calls == [(parcel, sender.stall_timeout_s(0)), (parcel, sender.stall_timeout_s(3))]


def test_the_sheet_waits_in_doubt_when_the_fault_is_our_own(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock(NOW)
    master = HttpMaster("http://127.0.0.1:9", "token", clock=clock)
    found = sender.deliver(master, replace(lease(), body=cast(bytes, "no bytes")), clock, JITTER)
    master.close()
    assert found.outcome == Deferred(Cause.SURPRISE, "A fault of resultsq itself: TypeError.", in_doubt=True)
    assert found.wait_s == JITTER
    capsys.readouterr()  # the log's line for developers
