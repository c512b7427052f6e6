"""The kind "mails": to whom one goes, what it may hold, and what stays of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.entry import Entry, Slip
from resultsq.domain.errors import SheetRefused
from resultsq.domain.ports import Parcel
from resultsq.kinds.registry import KINDS

NOW = datetime(2013, 12, 7, 10, 42, 11, tzinfo=UTC)
ID = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"
MAILS = KINDS["mails"]
ADDRESS = "jane@example.org"
LONGEST_ADDRESS = f"{'j' * 64}@{'a' * 189}"


def payload(**changes: Any) -> dict[str, Any]:
    return {"account": "team", "subject": "Your link", "text": "It is good for an hour."} | changes


def prepared(**changes: Any) -> Entry:
    return MAILS.prepare(payload(**changes), submission=ID, submitted_by="node", submitted_at=NOW)


def pointers(**changes: Any) -> list[str | None]:
    """The fields that are at fault."""
    with pytest.raises(SheetRefused) as refused:
        prepared(**changes)
    return [where.pointer for problem in refused.value.problems for where in problem.where]


def test_a_mail_is_to_an_account_or_to_an_address_and_never_to_both() -> None:
    assert json.loads(prepared().body)["account"] == "team"
    assert json.loads(prepared(account=None, address=ADDRESS).body)["address"] == ADDRESS
    assert pointers(address=ADDRESS) == [""]
    assert pointers(account=None) == [""]


def test_nothing_more_is_in_it_than_was_said() -> None:
    said = json.loads(prepared().body)
    assert (said["repeat"], said["notice"], said["barcodes"], said["expires_at"]) == (False, False, [], None)


@pytest.mark.parametrize(
    ("longest", "one_more"),
    [
        ({"text": "x" * 20_000}, {"text": "x" * 20_001}),
        ({"text": "x"}, {"text": " "}),
        ({"subject": "x" * 200}, {"subject": "x" * 201}),
        ({"subject": "x"}, {"subject": ""}),
        ({"account": "x" * 100}, {"account": "x" * 101}),
        ({"account": "x"}, {"account": ""}),
        ({"account": None, "address": LONGEST_ADDRESS}, {"account": None, "address": f"j{LONGEST_ADDRESS}"}),
        ({"barcodes": ["A7"] * 8}, {"barcodes": ["A7"] * 9}),
        ({"barcodes": ["A" + "1" * 18]}, {"barcodes": ["A" + "1" * 19]}),
    ],
    ids=lambda changes: "/".join(changes),
)
def test_a_field_holds_so_much_and_no_more(longest: dict[str, Any], one_more: dict[str, Any]) -> None:
    assert prepared(**longest).id == ID
    assert pointers(**one_more) == [f"/{list(one_more)[-1]}"]


def test_nothing_stays_of_a_mail_to_an_address_that_is_sent_once() -> None:
    assert prepared(account=None, address=ADDRESS).slip == Slip("", None)
    assert prepared(account=None, address=ADDRESS, repeat=True).slip is None
    assert prepared().slip is None


def test_a_list_says_that_it_is_a_mail_and_not_what_is_in_it() -> None:
    assert MAILS.summary(prepared().finishers) == "Mail"


def test_no_master_is_asked_for_a_mail() -> None:
    entry = prepared()
    parcel = Parcel("mails", ID, "", entry.date, entry.body, entry.digest, None)
    with pytest.raises(ValueError, match="to no master"):
        MAILS.request(parcel)
    assert MAILS.office_letter(entry.body) is None
