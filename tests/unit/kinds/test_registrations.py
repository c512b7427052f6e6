"""The kind "registrations": what the API takes, the bytes that come of it, and what stays of them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.entry import Entry, Slip
from resultsq.domain.errors import SheetRefused
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import digest
from resultsq.kinds.registry import KINDS
from resultsq.master.body import RegisteredPerson
from resultsq.master.kinds import KINDS as TAKEN
from resultsq.master.kinds import Body
from resultsq.master.rules import Invalid, UnreadableSheet

NOW = datetime(2013, 12, 7, 10, 42, 11, tzinfo=UTC)
ID = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"
REGISTRATIONS = KINDS["registrations"]


def payload(**changes: Any) -> dict[str, Any]:
    return {
        "athlete": "A90000123",
        "block": "b-41",
        "given_name": "Zoë",
        "family_name": "O'Brien",
        "born": "1990-01-31",
        "gender": "F",
        "email": "zoe@example.org",
        "home_event": "bushy",
        "emergency": {"name": "Max", "phone": "+44 20 7946 0000"},
        "consents": ["terms-2026-01"],
        "salt": "0123456789abcdefghij",
    } | changes


def prepared(**changes: Any) -> Entry:
    return REGISTRATIONS.prepare(payload(**changes), submission=ID, submitted_by="runner", submitted_at=NOW)


def test_the_bytes_are_those_of_the_contract_and_the_salt() -> None:
    entry = prepared()
    said = {"schema": "resultsq.registration/1", **payload(), "submitted_at": "2013-12-07T10:42:11Z"}
    assert json.loads(entry.body) == said
    assert (entry.id, entry.subject, entry.event, entry.date) == (ID, ID, "", "2013-12-07")
    assert entry.digest == digest(entry.body)
    own = REGISTRATIONS.envelope(entry.body)
    assert (own.event, own.date, own.rows_digest) == (entry.event, entry.date, entry.rows_digest)
    assert (own.finishers, own.submitted_by) == (entry.finishers, entry.submitted_by)
    assert TAKEN["registrations"](entry.body) == Body(
        "", RegisteredPerson("zoë\no'brien\n1990-01-31", "A90000123", "b-41")
    )


def test_what_stays_is_the_name_and_the_number() -> None:
    assert prepared().slip == Slip("Zoë O'Brien", "A90000123")
    assert prepared(athlete=None, block=None).slip == Slip("Zoë O'Brien", None)
    assert KINDS["results"].slip(b"{}") is None


def test_no_digest_can_be_guessed_from_what_is_known_of_a_person() -> None:
    one, other = prepared(), prepared(salt="another-0123456789abc")
    assert one.digest != other.digest
    assert one.rows_digest != other.rows_digest


@pytest.mark.parametrize(
    ("longest", "one_more"),
    [
        ({"given_name": "x" * 100}, {"given_name": "x" * 101}),
        ({"given_name": "x"}, {"given_name": ""}),
        ({"family_name": "x" * 100}, {"family_name": "x" * 101}),
        ({"email": f"{'j' * 64}@{'a' * 189}"}, {"email": f"{'j' * 65}@{'a' * 189}"}),
        ({"emergency": {"name": "x" * 100, "phone": "12345"}}, {"emergency": {"name": "x" * 101, "phone": "12345"}}),
        ({"emergency": {"name": "x", "phone": "1" * 40}}, {"emergency": {"name": "x", "phone": "1" * 41}}),
        ({"consents": ["terms"] * 20}, {"consents": ["terms"] * 21}),
        ({"consents": ["x" * 60]}, {"consents": ["x" * 61]}),
        ({"consents": []}, {"consents": [""]}),
    ],
    ids=lambda changes: "/".join(changes),
)
def test_a_field_holds_so_much_and_no_more(longest: dict[str, Any], one_more: dict[str, Any]) -> None:
    assert prepared(**longest).id == ID
    [field] = one_more
    with pytest.raises(SheetRefused) as refused:
        prepared(**one_more)
    assert [where.pointer for problem in refused.value.problems for where in problem.where] == [f"/{field}"]


def test_the_name_of_a_block_and_a_salt_hold_so_much_and_no_more() -> None:
    for good in ({"block": "x" * 100}, {"block": "x"}, {"salt": "x" * 16}, {"salt": "x" * 64}):
        assert prepared(**good).id == ID
    for bad in ({"block": "x" * 101}, {"block": ""}, {"salt": "x" * 15}, {"salt": "x" * 65}):
        with pytest.raises(SheetRefused):
            prepared(**bad)


def test_a_day_of_birth_is_a_day_and_no_number() -> None:
    for born in (0, 19_900_131, "19900131", "1990-01-31T00:00:00", "1990-02-30"):
        with pytest.raises(SheetRefused):
            prepared(born=born)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"given_name": " "}, "/given_name"),
        ({"family_name": "x" * 101}, "/family_name"),
        ({"family_name": "two\nlines"}, "/family_name"),
        ({"born": "31/01/1990"}, "/born"),
        ({"gender": "?"}, "/gender"),
        ({"email": "nobody"}, "/email"),
        ({"home_event": "Bushy Park"}, "/home_event"),
        ({"emergency": {"name": "Max", "phone": "call me"}}, "/emergency"),
        ({"consents": "all"}, "/consents"),
        ({"colour": "red"}, ""),
        ({"block": None}, ""),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        prepared(**changes)
    assert [where.pointer for problem in refused.value.problems for where in problem.where] == [pointer]


def test_a_receipt_is_good_with_the_number_that_was_sent_or_with_a_new_one() -> None:
    entry = prepared()
    parcel = Parcel("registrations", ID, "", entry.date, entry.body, entry.digest, None)
    asked = REGISTRATIONS.request(parcel)
    assert (asked.method, asked.path, asked.conditions) == ("PUT", f"/v1/registrations/{ID}", {})
    good = Receipt(submission=ID, digest=entry.digest, received_at=NOW, athlete="A90000123")
    assert REGISTRATIONS.accepts(parcel, good)
    for wrong in ({"athlete": "A90000124"}, {"athlete": ""}, {"digest": digest(b"other")}):
        assert not REGISTRATIONS.accepts(parcel, good.model_copy(update=wrong))
    bare = prepared(athlete=None, block=None)
    without = Parcel("registrations", ID, "", bare.date, bare.body, bare.digest, None)
    answered = Receipt(submission=ID, digest=bare.digest, received_at=NOW)
    assert not REGISTRATIONS.accepts(without, answered), "the number is what its runner waits for"
    assert REGISTRATIONS.accepts(without, answered.model_copy(update={"athlete": "A77"}))


def test_the_master_says_what_is_wrong_and_quotes_nothing() -> None:
    assert isinstance(TAKEN["registrations"](b"{"), UnreadableSheet)
    found = TAKEN["registrations"](b'{"schema": "resultsq.registration/1", "given_name": "secret", "born": 7}')
    assert isinstance(found, Invalid)
    assert {reason.pointer for reason in found.reasons} >= {"/born", "/email", "/family_name"}
    assert "secret" not in str(found)


def test_a_list_does_not_say_whose_registration_it_is() -> None:
    assert REGISTRATIONS.summary(1) == "Registration"
