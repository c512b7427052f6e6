"""A kind without versions at each make of master that takes it: kept once, under its id, with its receipt."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resultsq.clock import SystemClock
from resultsq.domain.outcome import Accepted, Rejected
from resultsq.domain.ports import Parcel, ReceiptPage
from resultsq.domain.sheet import digest
from resultsq.kinds.registry import KINDS
from tests.integration.masters.far import MAKES, Far, parcel

NOW = datetime(2026, 3, 14, 10, tzinfo=UTC)
TAKES_IT = {
    "http-reference": MAKES["http"]["reference"],
    "sqlite": MAKES["sqlite"]["ledger"],
    "postgresql": MAKES["postgresql"]["ledger"],
}


@pytest.fixture(params=TAKES_IT)
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Far]:
    with TAKES_IT[request.param](request, tmp_path) as one:
        yield one


def message(text: str = "Position 7 is A123.") -> Parcel:
    id_ = str(uuid.uuid4())
    payload = {"event": "bushy", "subject": "A late barcode", "text": text}
    made = KINDS["messages"].prepare(payload, submission=id_, submitted_by="team", submitted_at=NOW)
    return Parcel("messages", id_, "bushy", made.date, made.body, made.digest, None)


def test_it_is_kept_once_however_often_and_by_whatever_road_it_comes(far: Far) -> None:
    sent = message()
    outcomes = [far.master.send(sent), far.master.send(sent), far.master.send(replace(sent, in_doubt=True))]
    outcomes.append(far.another.send(sent))
    receipts = [one.receipt for one in outcomes if isinstance(one, Accepted)]
    assert len(receipts) == 4, outcomes
    assert len({one.received_at for one in receipts}) == 1
    assert (receipts[0].submission, receipts[0].digest, receipts[0].kind) == (sent.submission, sent.digest, "messages")
    assert far.master.receipt(sent.submission) == receipts[0]


def test_an_id_stands_for_one_thing_whatever_its_kind(far: Far) -> None:
    sent, sheet = message(), parcel()
    assert isinstance(far.master.send(sent), Accepted)
    assert isinstance(far.master.send(sheet), Accepted)
    again = [
        replace(message("Another."), submission=sent.submission),
        replace(message(), submission=sheet.submission),
        replace(parcel(event="richmond"), submission=sent.submission),
    ]
    for one in again:
        outcome = far.master.send(one)
        assert isinstance(outcome, Rejected), outcome
        assert outcome.code == "id-reused"


def test_what_is_no_message_is_refused_with_its_place(far: Far) -> None:
    body = message().body.replace(b'"subject":"A late barcode"', b'"subject":""')
    outcome = far.master.send(replace(message(), body=body, digest=digest(body)))
    assert isinstance(outcome, Rejected), outcome
    assert outcome.code == "invalid-sheet"
    assert "/subject" in {reason.pointer for reason in outcome.reasons}


def test_the_list_of_receipts_and_the_probe_count_every_kind(far: Far) -> None:
    sent = [one for _ in range(3) for one in (message(), parcel(event=f"event-{uuid.uuid4().hex[:8]}"))]
    for one in sent:
        assert isinstance(far.master.send(one), Accepted)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    page = far.master.receipts(since, None, None)
    assert isinstance(page, ReceiptPage), page
    assert [one.submission for one in page.receipts] == [one.submission for one in sent]
    assert [one.kind for one in page.receipts] == ["messages", ""] * 3
    latest = far.master.probe().latest
    assert latest is not None
    assert (latest.count, latest.received_at) == (6, page.receipts[-1].received_at)


def test_a_reminder_is_taken_until_it_expires(far: Far) -> None:
    now = SystemClock().now()
    outcomes = []
    for until in (now + timedelta(hours=1), now - timedelta(hours=1)):
        id_ = str(uuid.uuid4())
        said = {"email": "nobody@resultsq.invalid", "expires_at": until.isoformat(), "salt": "x" * 16}
        made = KINDS["reminders"].prepare(said, submission=id_, submitted_by="t", submitted_at=now)
        outcomes.append(far.master.send(Parcel("reminders", id_, "", made.date, made.body, made.digest, None)))
    taken, late = outcomes
    assert isinstance(taken, Accepted), taken
    assert taken.receipt.kind == "reminders"
    assert isinstance(late, Rejected), late
    assert late.code == "gone"
