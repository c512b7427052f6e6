"""The kind "messages": what the API takes, and the bytes that come of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.errors import SheetRefused
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import digest
from resultsq.kinds.registry import KINDS
from resultsq.master.kinds import KINDS as TAKEN
from resultsq.master.kinds import Body
from resultsq.master.rules import Invalid, UnreadableSheet

NOW = datetime(2013, 12, 7, 10, 42, 11, tzinfo=UTC)
ID = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"
ABOUT = "c0ffee00-0d7b-4c58-9a3b-2f6f1f6f0c11"
MESSAGES = KINDS["messages"]


def payload(**changes: Any) -> dict[str, Any]:
    return {"event": "bushy", "about": ABOUT, "subject": "A late barcode", "text": "Position 7\nis A123."} | changes


def test_the_bytes_are_those_of_the_contract() -> None:
    entry = MESSAGES.prepare(payload(), submission=ID, submitted_by="team", submitted_at=NOW)
    assert json.loads(entry.body) == {
        "schema": "resultsq.message/1",
        "event": "bushy",
        "about": ABOUT,
        "subject": "A late barcode",
        "text": "Position 7\nis A123.",
        "submitted_by": "team",
        "submitted_at": "2013-12-07T10:42:11Z",
    }
    assert (entry.id, entry.subject, entry.event, entry.date) == (ID, ID, "bushy", "2013-12-07")
    assert entry.digest == digest(entry.body)
    own = MESSAGES.envelope(entry.body)
    assert (own.event, own.date, own.rows_digest) == (entry.event, entry.date, entry.rows_digest)
    assert (own.finishers, own.submitted_by) == (entry.finishers, entry.submitted_by)
    assert MESSAGES.rows_digest(entry.body) == entry.rows_digest
    assert TAKEN["messages"](entry.body) == Body("bushy")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"event": "Bushy Park"}, "/event"),
        ({"about": "the last one"}, "/about"),
        ({"subject": " "}, "/subject"),
        ({"subject": "x" * 201}, "/subject"),
        ({"subject": "two\nlines"}, "/subject"),
        ({"text": ""}, "/text"),
        ({"text": "x" * 10_001}, "/text"),
        ({"text": "a\0b"}, "/text"),
        ({"text": None}, "/text"),
        ({"colour": "red"}, ""),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        MESSAGES.prepare(payload(**changes), submission=ID, submitted_by="team", submitted_at=NOW)
    assert [where.pointer for problem in refused.value.problems for where in problem.where] == [pointer]
    assert all("x" * 50 not in str(problem) for problem in refused.value.problems)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "x" * 200},
        {"subject": "x"},
        {"text": "x" * 10_000},
        {"text": "x"},
        {"text": "a\n\tb"},
        {"about": None},
    ],
)
def test_what_the_sentences_allow_is_taken_to_its_limit(changes: dict[str, Any]) -> None:
    for author in ("x", "x" * 100):
        entry = MESSAGES.prepare(payload(**changes), submission=ID, submitted_by=author, submitted_at=NOW)
        assert json.loads(entry.body).items() >= changes.items()
        assert MESSAGES.envelope(entry.body).submitted_by == author


def test_a_body_is_none_of_this_kind_when_its_authors_name_is_longer_than_any() -> None:
    entry = MESSAGES.prepare(payload(), submission=ID, submitted_by="x" * 100, submitted_at=NOW)
    with pytest.raises(ValueError, match="submitted_by"):
        MESSAGES.envelope(entry.body.replace(b"x" * 100, b"x" * 101))
    with pytest.raises(ValueError, match="submitted_by"):
        MESSAGES.envelope(entry.body.replace(b"x" * 100, b""))


def test_a_list_says_how_long_it_is_and_not_what_is_in_it() -> None:
    entry = MESSAGES.prepare(payload(text="x" * 17), submission=ID, submitted_by="team", submitted_at=NOW)
    assert MESSAGES.summary(entry.finishers) == "Message of 17 characters"


def test_the_office_reads_what_it_is_about_and_who_wrote_it() -> None:
    letters = []
    for about in (ABOUT, None):
        entry = MESSAGES.prepare(payload(about=about), submission=ID, submitted_by="team", submitted_at=NOW)
        letters.append(MESSAGES.office_letter(entry.body))
    one, other = letters
    assert one is not None
    assert other is not None
    assert (one.subject, one.text) == (
        "bushy: A late barcode",
        f"Position 7\nis A123.\n\nWritten by team.\n\nIt is about the submission {ABOUT}.",
    )
    assert other.text == "Position 7\nis A123.\n\nWritten by team."


@pytest.mark.parametrize("value", [None, [], "text", 7, [{}] * 5_000])
def test_what_is_no_object_is_told_in_one_sentence(value: object) -> None:
    with pytest.raises(SheetRefused) as refused:
        MESSAGES.prepare(value, submission=ID, submitted_by="team", submitted_at=NOW)
    assert len(refused.value.problems) == 1


def test_it_is_put_under_its_own_id_without_a_precondition() -> None:
    entry = MESSAGES.prepare(payload(), submission=ID, submitted_by="team", submitted_at=NOW)
    parcel = Parcel("messages", ID, "bushy", entry.date, entry.body, entry.digest, None)
    asked = MESSAGES.request(parcel)
    assert (asked.method, asked.path, asked.conditions) == ("PUT", f"/v1/messages/{ID}", {})
    good = Receipt(submission=ID, digest=entry.digest, received_at=NOW)
    assert MESSAGES.accepts(parcel, good)
    assert not MESSAGES.accepts(parcel, good.model_copy(update={"submission": ABOUT}))
    assert not MESSAGES.accepts(parcel, good.model_copy(update={"digest": digest(b"other")}))


def test_the_master_says_what_is_wrong_and_quotes_nothing() -> None:
    assert isinstance(TAKEN["messages"](b"{"), UnreadableSheet)
    found = TAKEN["messages"](b'{"schema": "resultsq.message/1", "text": "secret", "subject": 7}')
    assert isinstance(found, Invalid)
    assert {reason.pointer for reason in found.reasons} >= {"/event", "/subject", "/submitted_by"}
    assert "secret" not in str(found)
