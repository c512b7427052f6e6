"""What every master does, whatever its make: one suite over the registry."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resultsq.delivery import masters
from resultsq.domain import sheet
from resultsq.domain.outcome import Accepted, Conflict, Deferred, Outcome, Receipt, Rejected
from resultsq.domain.ports import Parcel, ReceiptPage
from tests.integration.masters.far import MAKES, Far, parcel
from tests.support.waiting import wait_until

EVERY = [pytest.param(make, id=f"{scheme}-{name}") for scheme in MAKES for name, make in MAKES[scheme].items()]


def test_every_make_is_put_to_the_test_when_it_is_in_the_registry() -> None:
    assert set(MAKES) == set(masters.MAKES)


@pytest.fixture(params=EVERY)
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Far]:
    with request.param(request, tmp_path) as one:
        yield one


def published(far: Far, sent: Parcel) -> Receipt:
    outcome = far.master.send(sent)
    assert isinstance(outcome, Accepted), outcome
    assert outcome.receipt.submission == sent.submission
    assert (outcome.receipt.event, outcome.receipt.date) == (sent.event, sent.date)
    assert outcome.receipt.digest == sent.digest
    return outcome.receipt


def at_once(far: Far, parcels: Sequence[Parcel]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    start = threading.Barrier(len(parcels))

    def send(one: Parcel) -> None:
        start.wait()
        outcomes.append(far.master.send(one, patience_s=20))

    threads = [threading.Thread(target=send, args=(one,)) for one in parcels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_a_master_is_up_when_it_is_probed(far: Far) -> None:
    answer = far.master.probe()
    assert answer.cause is None, answer.detail
    assert 0 < answer.duration_s < 5
    assert answer.master_time_offset_s is None or abs(answer.master_time_offset_s) < 2


def test_a_sheet_is_published_once_when_it_is_sent_again(far: Far) -> None:
    sent = parcel()
    receipt = published(far, sent)
    assert receipt.revision == 1
    assert abs(receipt.received_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert published(far, sent) == receipt
    assert published(far, replace(sent, in_doubt=True)) == receipt
    by_another_road = far.another.send(sent)
    assert isinstance(by_another_road, Accepted)
    assert by_another_road.receipt == receipt


def test_a_sheet_is_published_when_an_earlier_attempt_left_a_doubt(far: Far) -> None:
    assert published(far, parcel(in_doubt=True)).revision == 1


def test_a_large_sheet_is_published_when_it_is_the_largest_ever(far: Far) -> None:
    sent = parcel(rows=6204)
    published(far, sent)
    outcome = far.master.send(parcel(rows=1))
    assert isinstance(outcome, Conflict)
    assert outcome.head_sheet == sent.body


def test_an_id_is_refused_when_it_has_another_sheet(far: Far) -> None:
    first = parcel()
    published(far, first)
    other = parcel(rows=4)
    for in_doubt in (False, True):
        outcome = far.master.send(replace(other, submission=first.submission, in_doubt=in_doubt))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "id-reused"


def test_a_correction_lands_on_its_predecessor_when_it_names_it(far: Far) -> None:
    first = parcel()
    published(far, first)
    second = parcel(rows=4, on_top_of=first.submission)
    assert published(far, second).revision == 2
    assert published(far, first).revision == 1, "what was committed stays so"


def test_the_sheet_that_is_there_comes_back_when_it_is_not_the_named_one(far: Far) -> None:
    first = parcel()
    published(far, first)
    second = parcel(rows=4, on_top_of=first.submission)
    receipt = published(far, second)
    for precondition in (None, first.submission, parcel().submission):
        outcome = far.master.send(parcel(rows=5, on_top_of=precondition))
        assert isinstance(outcome, Conflict), outcome
        assert (outcome.head, outcome.revision) == (second.submission, 2)
        assert outcome.head_sheet == second.body
        assert outcome.head_receipt == receipt


def test_a_correction_has_no_head_when_nothing_is_published_there(far: Far) -> None:
    outcome = far.master.send(parcel(on_top_of=parcel().submission))
    assert isinstance(outcome, Conflict)
    assert (outcome.head, outcome.revision, outcome.head_sheet) == (None, None, None)


def test_a_sheet_is_rejected_with_reasons_when_it_is_not_one(far: Far) -> None:
    good = parcel()
    body = good.body.replace(b'"position":2', b'"position":9')
    outcome = far.master.send(replace(good, body=body, digest=sheet.digest(body)))
    assert isinstance(outcome, Rejected)
    assert any(reason.pointer and reason.pointer.startswith("/finishers") for reason in outcome.reasons)
    assert far.master.receipt(good.submission) is None


def test_bytes_are_rejected_when_they_are_no_json(far: Far) -> None:
    good = parcel()
    outcome = far.master.send(replace(good, body=b"not json", digest=sheet.digest(b"not json")))
    assert isinstance(outcome, Rejected)
    assert outcome.detail


def test_a_receipt_is_given_when_it_is_asked_for(far: Far) -> None:
    sent = parcel()
    assert far.master.receipt(sent.submission) is None
    receipt = published(far, sent)
    assert far.master.receipt(sent.submission) == receipt


def test_a_node_hears_of_its_own_receipts_when_it_reconciles(far: Far) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    own = [published(far, parcel(event)) for event in ("bushy", "richmond", "wimbledon")]
    assert isinstance(far.another.send(parcel("banstead")), Accepted)
    assert far.master.receipts(None, None, None) == ReceiptPage(tuple(own), None)
    since, until = before.isoformat(), own[-1].received_at.isoformat()
    page = far.master.receipts(since, until, None)
    assert isinstance(page, ReceiptPage)
    assert list(page.receipts) == [receipt for receipt in own if receipt.received_at < own[-1].received_at]
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert far.master.receipts(later, None, None) == ReceiptPage((), None)


def test_no_page_is_given_when_the_cursor_is_none_of_the_masters(far: Far) -> None:
    published(far, parcel())
    assert isinstance(far.master.receipts(None, None, "x;"), Deferred)


def test_one_of_many_is_first_when_they_come_at_once(far: Far) -> None:
    parcels = [parcel(rows=rows) for rows in range(1, 9)]
    outcomes = at_once(far, parcels)
    (first,) = (outcome.receipt for outcome in outcomes if isinstance(outcome, Accepted))
    heads = {outcome.head for outcome in outcomes if isinstance(outcome, Conflict)}
    assert heads == {first.submission}
    assert len(outcomes) == 8


def test_one_sheet_is_there_once_when_it_comes_by_many_roads_at_once(far: Far) -> None:
    outcomes = at_once(far, [parcel()] * 8)
    receipts = {outcome.receipt.model_dump_json() for outcome in outcomes if isinstance(outcome, Accepted)}
    assert len(outcomes) == 8
    assert len(receipts) == 1


def test_a_sheet_waits_when_the_far_side_is_gone_and_is_published_when_it_is_back(far: Far) -> None:
    published(far, parcel("richmond"))
    sent = parcel()
    far.cut()
    outcome = far.master.send(sent)
    assert isinstance(outcome, Deferred)
    far.mend()
    far.master.refresh()
    wait_until(lambda: far.master.probe().cause is None, what="the far side")
    assert published(far, replace(sent, in_doubt=outcome.in_doubt)).revision == 1


def test_nothing_is_left_to_end_when_a_master_is_closed(far: Far) -> None:
    published(far, parcel())
    far.master.close()
    far.master.close()
    assert far.another.probe().cause is None


def test_events_are_kept_apart_when_they_are_published(far: Far) -> None:
    for event in ("bushy", "bushy-juniors"):
        assert published(far, parcel(event)).revision == 1
