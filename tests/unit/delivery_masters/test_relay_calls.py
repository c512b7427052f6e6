"""What a relay's answers mean to the node that hands over: custody, the master's word, or nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.relay import HttpRelay
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.delivery.masters.watch import Failed
from resultsq.domain.outcome import Accepted, Conflict, Rejected
from resultsq.domain.relay import InCustody, Known, NoAnswer, NotKnown, RefusedThere, RelayAnswer
from resultsq.domain.sheet import digest
from tests.support.answering_lines import AnsweringLines, away, problem, said
from tests.support.manual_clock import ManualClock
from tests.support.one_sheet import ID, NOW, PARCEL, RECEIPT, SHEET

CUSTODY = {"custody": "c-1", "submission": ID, "digest": digest(SHEET)}
LIMITS = CallTimeouts(receipt_s=2.0, send_s=4.0, slowest_bytes_per_s=1.0)
PAGE = b"<html>"
Open = Callable[..., tuple[HttpRelay, AnsweringLines]]


@pytest.fixture
def opened() -> Iterator[Open]:
    with ExitStack() as stack:

        def at(*answers: Answer | Failed, sent: bool = True) -> tuple[HttpRelay, AnsweringLines]:
            lines = AnsweringLines(*answers, sent=sent)
            relay = HttpRelay("https://master.test/prefix", "t", clock=ManualClock(NOW), lines=lines, limits=LIMITS)
            stack.callback(relay.close)
            return relay, lines

        yield at


def strange(status: int) -> NoAnswer:
    return NoAnswer(f"It answered {status}, and not as a relay does.", sent=True)


BOTH: list[tuple[Answer, RelayAnswer]] = [
    (said(202, CUSTODY), InCustody()),
    (said(202, {**CUSTODY, "submission": "other"}), strange(202)),
    (said(202, {**CUSTODY, "digest": digest(b"{}")}), strange(202)),
    (said(202, {**CUSTODY, "custody": 1}), strange(202)),
    (said(202, PAGE, "text/html"), strange(202)),
    (said(203, CUSTODY), strange(203)),
    (said(200, {**RECEIPT, "digest": digest(b"{}")}), strange(200)),
    (said(200, PAGE, "text/html"), strange(200)),
    (problem(503), strange(503)),
    (said(403, PAGE, "text/html"), strange(403)),
    *((problem(status, detail="No."), RefusedThere(f"{status} No.")) for status in (400, 401, 403, 405, 413, 415, 508)),
    (problem(403), RefusedThere("403")),
    (problem(403, detail="x" * 500), RefusedThere("403 " + "x" * 196)),
]


@pytest.mark.parametrize(("answer", "meaning"), BOTH)
def test_an_answer_means_the_same_to_a_sheet_and_to_a_question(
    opened: Open, answer: Answer, meaning: RelayAnswer
) -> None:
    relay, lines = opened(answer)
    assert relay.hand_over(PARCEL, ()) == meaning
    assert relay.look(PARCEL) == meaning
    assert lines.paths == ["PUT /v1/events/bushy/results/2026-03-14", f"GET /v1/submissions/{ID}"]


@pytest.mark.parametrize("status", [200, 201])
def test_what_the_master_took_is_passed_on(opened: Open, status: int) -> None:
    relay, _ = opened(said(status, RECEIPT))
    for found in (relay.hand_over(PARCEL, ()), relay.look(PARCEL)):
        assert isinstance(found, Known)
        assert isinstance(found.outcome, Accepted)
        assert not found.same_rows


@pytest.mark.parametrize(
    ("answer", "kind", "same_rows"),
    [
        (problem(409), Rejected, False),
        (problem(422), Rejected, False),
        (problem(412, head={"submission": "other", "revision": 2}), Conflict, False),
        (problem(412, head={"submission": "other", "revision": 2}, same_rows=True), Conflict, True),
        (problem(412, head={"submission": "other", "revision": 2}, same_rows="yes"), Conflict, False),
    ],
)
def test_what_the_master_did_not_take_is_passed_on(
    opened: Open, answer: Answer, kind: type[object], same_rows: bool
) -> None:
    relay, lines = opened(answer)
    found = relay.look(PARCEL)
    assert isinstance(found, Known)
    assert isinstance(found.outcome, kind)
    assert found.same_rows is same_rows
    assert relay.hand_over(PARCEL, ()) == found
    assert lines.paths[-1] == f"GET /v1/submissions/{ID}", "the answer about the id tells whose refusal it is"


@pytest.mark.parametrize("status", [409, 410, 412, 422])
def test_a_refusal_of_a_sheet_that_the_relay_does_not_know_is_the_relays_own(opened: Open, status: int) -> None:
    relay, _ = opened(problem(status, detail="No."), problem(404))
    assert relay.hand_over(PARCEL, ()) == RefusedThere(f"{status} No.")


def test_a_refusal_of_something_else_in_between_is_no_answer(opened: Open) -> None:
    relay, lines = opened(said(409, PAGE, "text/html"))
    assert relay.hand_over(PARCEL, ()) == strange(409)
    assert relay.look(PARCEL) == strange(409)
    assert len(lines.asked) == 2


def test_the_relay_does_not_know_it_if_it_says_so_itself(opened: Open) -> None:
    relay, _ = opened(problem(404))
    assert relay.look(PARCEL) == NotKnown()
    relay, _ = opened(said(404, PAGE, "text/html"))
    assert relay.look(PARCEL) == strange(404)


def test_a_relay_that_will_not_publish_what_it_has_says_that_it_is_gone(opened: Open) -> None:
    relay, _ = opened(problem(410, detail="Withdrawn."))
    assert relay.look(PARCEL) == RefusedThere("410 Withdrawn.", gone=True)


@pytest.mark.parametrize("sent", [True, False])
def test_a_sheet_may_be_there_if_a_byte_of_it_has_left(opened: Open, sent: bool) -> None:
    relay, _ = opened(away(detail="It was cut."), sent=sent)
    assert relay.hand_over(PARCEL, ()) == NoAnswer("It was cut.", sent=sent)
    assert relay.look(PARCEL) == NoAnswer("It was cut.", sent=True), "what is asked about was sent before"


def test_a_sheet_says_which_way_it_came_and_a_call_is_no_longer_than_it_says(opened: Open) -> None:
    relay, lines = opened(said(202, CUSTODY))
    relay.hand_over(PARCEL, ("laptop", "hall"))
    relay.look(PARCEL)
    sheet, question = lines.asked
    assert sheet.headers["Via"] == "1.1 laptop, 1.1 hall"
    assert sheet.headers["Idempotency-Key"] == f'"{ID}"'
    assert sheet.headers["If-None-Match"] == "*"
    assert sheet.time_s <= relay.longest_s(PARCEL, only_asks=False) == 4.0 + len(SHEET)
    assert question.time_s == relay.longest_s(PARCEL, only_asks=True) == 2.0
