"""Personal submissions: sealed until the master has them, and gone from then on, but for a name and a number."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from resultsq.domain.entry import Slip
from resultsq.domain.outcome import Accepted, Exchange, Reason, Rejected
from resultsq.sealed import KeyMissing, PersonalKeys, SealBroken, is_sealed
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Payload, Submission
from resultsq.store.outbox import slips
from tests.integration.store.test_kinds import note
from tests.support.nodes import StoreNode, migrated, receipt_for

KEYS = PersonalKeys.of([bytes(32)])


@pytest.fixture
def keyed(store_url: str) -> Iterator[StoreNode]:
    """A node whose link is up, with a key for personal data."""
    migrated(store_url).close()
    database = Database(store_url, lambda: KEYS)
    node = StoreNode(database)
    node.probe()
    yield node
    database.close()


def send(node: StoreNode, name: str = "A. Person", event: str = "bushy", number: str | None = None) -> str:
    made = replace(note(node.events[event], f"of {name}"), slip=Slip(name, number))
    return node.database.write(lambda conn: outbox.accept(conn, node.now, made)).id


def deliver(node: StoreNode, number: str = "") -> str:
    """The first one that waits is delivered, and the master gives it this number."""
    lease = claim_one(node)
    receipt = receipt_for(lease).model_copy(update={"athlete": number})
    node.settle(lease, Accepted(receipt, Exchange(status=201)))
    return lease.submission


def claim_one(node: StoreNode) -> outbox.Lease:
    """Of whatever kind, for the tests' own is not among the kinds of a worker."""
    (lease,) = node.database.write(
        lambda conn: outbox.claim(conn, node.now, "w1", 1, node.link().epoch, 0, outbox.look(conn, node.now, 0))[0]
    )
    return lease


def body(node: StoreNode, submission: str) -> bytes | None:
    with node.database.read() as conn:
        return slips.body(conn, submission)


def slip(node: StoreNode, submission: str) -> Slip | None:
    with node.database.read() as conn:
        return slips.of(conn, submission)


def owed(node: StoreNode, most: int = 9) -> list[str]:
    with node.database.read() as conn:
        found = slips.owed_mails(conn, most)
        assert slips.owes_any(conn) == bool(found)
    return found


def take_owed(node: StoreNode, submission: str) -> Any:
    return node.database.write(lambda conn: slips.take_owed(conn, submission))


def owe(node: StoreNode, submission: str, language: str | None = None) -> None:
    node.database.write(lambda conn: slips.owe_mail(conn, submission, language))


def test_a_personal_body_is_sealed_and_opens_for_its_sender(keyed: StoreNode) -> None:
    first, second = send(keyed), send(keyed, "B. Person", number="A7")
    result = keyed.accept("richmond").id
    with keyed.database.read() as conn:
        kept = [bytes(one) for one in conn.execute(select(Payload.body).order_by(Payload.seq)).scalars()]
    assert [is_sealed(one) for one in kept] == [True, True, False]
    assert body(keyed, first) == b"of A. Person"
    assert body(keyed, second) == b"of B. Person"
    assert body(keyed, result) is None, "it is not personal"
    assert (slip(keyed, first), slip(keyed, second)) == (Slip("A. Person", None), Slip("B. Person", "A7"))
    assert slip(keyed, result) is None
    assert [keyed.row(one).personal for one in (first, second, result)] == [True, True, False]
    assert claim_one(keyed).body in (b"of A. Person", keyed.entry("richmond").body)


def test_a_name_is_cut_where_its_column_ends(keyed: StoreNode) -> None:
    made = send(keyed, "x" * 300)
    assert slip(keyed, made) == Slip("x" * 255, None)


def test_nothing_personal_is_kept_when_the_master_has_it_but_the_name_and_the_number(keyed: StoreNode) -> None:
    first, second = send(keyed), send(keyed, "B. Person")
    words = Exchange(status=422, answer_body="A. Person is too young.")
    keyed.settle(claim_one(keyed), Rejected("no", "No.", (Reason("A. Person is too young."),), words))
    assert deliver(keyed, "A5") == second
    assert keyed.row(first).reasons, "of the one that the master does not have they are kept"
    assert [body(keyed, one) for one in (first, second)] == [b"of A. Person", None]
    assert [one.answer_body for one in keyed.attempts(first)] == ["A. Person is too young."]
    keyed.publish_over(first)
    assert deliver(keyed, "A6") == first
    assert body(keyed, first) is None
    assert keyed.row(first).reasons is None
    assert [(one.detail or "", one.answer_body or "") for one in keyed.attempts(first)] == [("", "")] * 2
    assert (slip(keyed, first), slip(keyed, second)) == (Slip("A. Person", "A6"), Slip("B. Person", "A5"))


def test_a_number_that_is_known_stays_when_the_receipt_brings_none(keyed: StoreNode) -> None:
    made = send(keyed, number="A7")
    deliver(keyed)
    assert slip(keyed, made) == Slip("A. Person", "A7")


def test_the_number_is_mailed_once_and_its_body_is_kept_until_then(keyed: StoreNode) -> None:
    first, second, third = send(keyed), send(keyed, "B. Person"), send(keyed, "C. Person")
    owe(keyed, first, "de")
    owe(keyed, third)
    assert owed(keyed) == [], "there are no numbers yet"
    assert take_owed(keyed, first) is None
    for number in ("A1", "A2", "A3"):
        deliver(keyed, number)
    assert [body(keyed, one) for one in (first, second, third)] == [b"of A. Person", None, b"of C. Person"]
    assert owed(keyed) == [first, third]
    assert owed(keyed, 1) == [first]
    assert take_owed(keyed, second) is None, "nobody asked for it"
    assert take_owed(keyed, first) == (b"of A. Person", "de")
    assert take_owed(keyed, first) is None
    assert [body(keyed, one) for one in (first, third)] == [None, b"of C. Person"]
    assert owed(keyed) == [third]
    assert take_owed(keyed, third) == (b"of C. Person", None)
    assert owed(keyed) == []


def test_what_is_owed_without_a_number_keeps_no_body_when_the_master_has_it(keyed: StoreNode) -> None:
    made = send(keyed)
    owe(keyed, made)
    deliver(keyed)
    assert body(keyed, made) is None
    assert owed(keyed) == []


def test_a_mail_that_cannot_be_written_is_dropped_with_its_body(keyed: StoreNode) -> None:
    first, second = send(keyed), send(keyed, "B. Person")
    for one, number in ((first, "A1"), (second, "A2")):
        owe(keyed, one)
        deliver(keyed, number)
    for _ in range(2):  # twice is as once
        keyed.database.write(lambda conn: slips.drop_owed(conn, first))
        assert owed(keyed) == [second]
        assert [body(keyed, one) for one in (first, second)] == [None, b"of B. Person"]


def test_a_body_whose_key_is_missing_is_told_apart_from_one_that_was_changed(keyed: StoreNode, store_url: str) -> None:
    first, second = send(keyed), send(keyed, "B. Person")
    owe(keyed, first)
    deliver(keyed, "A1")
    without = Database(store_url, lambda: PersonalKeys.of([bytes(31) + b"1"]))
    with without.read() as conn:
        assert slips.body(conn, first) is None
    with pytest.raises(KeyMissing):
        without.write(lambda conn: slips.take_owed(conn, first))
    without.close()
    assert take_owed(keyed, first) == (b"of A. Person", None), "nothing was lost"
    seqs = select(Submission.seq).where(Submission.id == second).scalar_subquery()
    broken = KEYS.seal(b"of B. Person", "another")
    keyed.database.write(lambda conn: conn.execute(update(Payload).where(Payload.seq == seqs).values(body=broken)))
    with pytest.raises(SealBroken):
        body(keyed, second)
