"""The kind "reminders": the bytes that travel, and that nothing of them stays."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.entry import Entry, Slip
from resultsq.domain.errors import SheetRefused
from resultsq.domain.sheet import digest
from resultsq.kinds.registry import KINDS
from resultsq.master.kinds import KINDS as TAKEN
from resultsq.master.kinds import Body
from resultsq.master.rules import Invalid, UnreadableSheet

NOW = datetime(2013, 12, 7, 10, 42, 11, tzinfo=UTC)
UNTIL = datetime(2013, 12, 7, 22, 42, 11, tzinfo=UTC)
ID = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"
REMINDERS = KINDS["reminders"]


def payload(**changes: Any) -> dict[str, Any]:
    return {"email": "jane@example.org", "expires_at": "2013-12-07T22:42:11Z", "salt": "0123456789abcdef"} | changes


def prepared(**changes: Any) -> Entry:
    return REMINDERS.prepare(payload(**changes), submission=ID, submitted_by="runner", submitted_at=NOW)


def test_the_bytes_are_those_of_the_contract_and_the_salt() -> None:
    entry = prepared()
    said = {"schema": "resultsq.reminder/1", **payload(), "submitted_at": "2013-12-07T10:42:11Z"}
    assert json.loads(entry.body) == said
    assert (entry.id, entry.subject, entry.event, entry.date) == (ID, ID, "", "2013-12-07")
    assert entry.digest == digest(entry.body)
    own = REMINDERS.envelope(entry.body)
    assert (own.event, own.date, own.rows_digest, own.submitted_by) == ("", entry.date, entry.rows_digest, "runner")
    assert TAKEN["reminders"](entry.body) == Body("", expires_at=UNTIL)


def test_nothing_of_it_stays_and_no_digest_tells_the_address() -> None:
    entry = prepared()
    assert entry.slip == Slip("", None)
    assert "example" not in REMINDERS.summary(entry.finishers)
    assert REMINDERS.expires_at(entry.body) == UNTIL
    assert entry.rows_digest != prepared(salt="fedcba9876543210").rows_digest


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"email": "jane"}, "/email"),
        ({"email": "a" * 250 + "@example.org"}, "/email"),
        ({"email": "jane@example.org\r\nBcc: all@example.org"}, "/email"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"salt": "short"}, "/salt"),
        ({"name": "Jane"}, ""),
    ],
)
def test_what_cannot_be_taken_is_named_and_not_repeated(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        prepared(**changes)
    (problem,) = refused.value.problems
    assert problem.where[0].pointer == pointer
    assert "jane" not in problem.message


def test_an_address_and_a_salt_hold_so_much_and_no_more() -> None:
    longest = f"{'j' * 64}@{'a' * 189}"
    for good in ({"email": longest}, {"salt": "x" * 16}, {"salt": "x" * 64}):
        assert prepared(**good).id == ID
    for bad in ({"email": f"j{longest}"}, {"salt": "x" * 15}, {"salt": "x" * 65}):
        with pytest.raises(SheetRefused):
            prepared(**bad)


def test_a_master_names_what_is_wrong_and_quotes_no_address() -> None:
    assert isinstance(TAKEN["reminders"](b"no JSON"), UnreadableSheet)
    read = TAKEN["reminders"](json.dumps({"schema": "resultsq.reminder/1", "email": "jane"}).encode())
    assert isinstance(read, Invalid)
    assert "jane" not in repr(read)
    without_salt = json.loads(prepared().body)
    del without_salt["salt"]
    assert isinstance(TAKEN["reminders"](json.dumps(without_salt).encode()), Body)
