"""What the ledger keeps of kinds without versions: pages of its list, and its database away."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from resultsq.domain import sheet as sheets
from resultsq.domain.sheet import Sheet
from resultsq.kinds.registry import KINDS
from resultsq.master.database import open_engine
from resultsq.master.ledger import Committed, Expired, IdReused, Ledger

NOW = datetime(2013, 12, 7, 10, tzinfo=UTC)


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    engine = open_engine(store_url)
    made = Ledger(engine)
    made.create_tables()
    yield made
    engine.dispose()


def keep(ledger: Ledger, number: int, at: datetime = NOW, node: str = "here", event: str = "bushy") -> str:
    id_ = str(uuid.uuid4())
    said = {"event": event, "subject": "s", "text": f"{number}"}
    body = KINDS["messages"].prepare(said, submission=id_, submitted_by="t", submitted_at=NOW).body
    assert isinstance(ledger.keep("messages", body, id_, node, at), Committed)
    return id_


def publish(ledger: Ledger, number: int, at: datetime = NOW, node: str = "here", event: str = "bushy") -> str:
    id_, day = str(uuid.uuid4()), (NOW + timedelta(days=number)).date()
    body = sheets.canonical_bytes(Sheet(event=event, date=day, submitted_by="t", submitted_at=NOW, finishers=()))
    assert isinstance(ledger.publish(body, id_, event, day.isoformat(), None, node, at), Committed)
    return id_


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_pages_of_both_hold_each_receipt_once_and_in_order_when_all_came_at_one_moment(
    ledger: Ledger, size: int
) -> None:
    ids = {make(ledger, number) for number in range(6) for make in (keep, publish)}
    later = [make(ledger, 9, NOW + timedelta(seconds=1)) for make in (publish, keep)]
    keep(ledger, 9, node="elsewhere")
    found: list[str] = []
    cursor = None
    for _ in range(20):
        page = ledger.receipts("here", cursor=cursor, limit=size)
        found += [one.submission for one in page.receipts]
        if (cursor := page.next_cursor) is None:
            break
    assert len(found) == len(ids) + 2
    assert set(found[:-2]) == ids
    assert found[-2:] == later


def test_credentials_for_some_events_see_the_receipts_of_these_alone(ledger: Ledger) -> None:
    ours = [keep(ledger, 1), publish(ledger, 1)]
    keep(ledger, 2, event="richmond")
    assert {one.submission for one in ledger.receipts("here", events=["bushy"]).receipts} == set(ours)


def test_the_newest_is_known_when_a_backup_was_restored(ledger: Ledger) -> None:
    for number in range(3):
        keep(ledger, number, NOW + timedelta(seconds=number))
    publish(ledger, 1)
    assert (ledger.latest().count, ledger.latest().received_at) == (4, NOW + timedelta(seconds=2))
    with ledger._engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM master_kept WHERE number > 1"))
    assert (ledger.latest().count, ledger.latest().received_at) == (2, NOW)


def test_an_id_of_one_kind_is_refused_for_another(ledger: Ledger) -> None:
    message, sheet = keep(ledger, 1), publish(ledger, 1)
    day = (NOW + timedelta(days=2)).date()
    body = sheets.canonical_bytes(Sheet(event="bushy", date=day, submitted_by="t", submitted_at=NOW, finishers=()))
    assert isinstance(ledger.publish(body, message, "bushy", day.isoformat(), None, "here", NOW), IdReused)
    said = {"event": "bushy", "subject": "s", "text": "another"}
    other = KINDS["messages"].prepare(said, submission=sheet, submitted_by="t", submitted_at=NOW).body
    assert isinstance(ledger.keep("messages", other, sheet, "here", NOW), IdReused)
    assert ledger.latest().count == 2


def test_what_has_expired_is_not_taken_and_a_repeat_still_gets_its_receipt(ledger: Ledger) -> None:
    id_, late = str(uuid.uuid4()), NOW + timedelta(hours=12)
    said = {"email": "jane@example.org", "expires_at": late.isoformat(), "salt": "x" * 16}
    body = KINDS["reminders"].prepare(said, submission=id_, submitted_by="t", submitted_at=NOW).body
    assert isinstance(ledger.keep("reminders", body, id_, "here", late), Expired)
    assert ledger.receipt(id_) is None
    kept = ledger.keep("reminders", body, id_, "here", late - timedelta(seconds=1))
    assert isinstance(kept, Committed)
    assert kept.receipt.kind == "reminders"
    again = ledger.keep("reminders", body, id_, "here", late)
    assert isinstance(again, Committed)
    assert (again.new, again.receipt) == (False, kept.receipt)
