"""What a copy of the list of athletes holds: numbers, keyed hashes of addresses, and names without accents."""

import base64
import hmac

import pytest

from resultsq.domain.athletes import Athlete, ListPage, address_hash, can_hold, folded, initials, mail_key, search_key

KEY = bytes(range(240, 256))
"""In base64 it has both signs that are written in two ways."""


@pytest.mark.parametrize(
    ("number", "held"),
    [("A1", True), ("A" + "9" * 18, True), ("A1" + "0" * 18, False), ("A0", False), ("A", False), ("B1", False),
     ("1", False), ("A٣", False), ("A1x", False)],
)  # fmt: skip
def test_a_copy_holds_a_number_of_up_to_18_digits(number: str, held: bool) -> None:
    assert can_hold(number) is held


def test_a_key_is_base64_of_16_bytes_or_more_and_nothing_else() -> None:
    text = base64.b64encode(KEY).decode()
    assert mail_key(text) == mail_key(base64.urlsafe_b64encode(KEY).decode()) == KEY
    assert mail_key(base64.b64encode(KEY[1:]).decode()) is None
    assert mail_key(base64.b64encode(KEY + KEY).decode()) == KEY + KEY
    for damaged in (f"{text[:8]}!{text[8:]}", f"{text}\n", text[:-1], "ä"):
        assert mail_key(damaged) is None


def test_an_address_is_hashed_as_the_contract_has_it() -> None:
    expected = hmac.new(KEY, b"jane@example.org", "sha256").digest()[:16]
    assert address_hash(" Jane@Example.ORG ", KEY) == expected
    assert address_hash("jane@example.org", KEY[::-1]) != expected


def test_a_name_is_found_without_its_accents_and_capitals() -> None:
    assert [folded(name) for name in ("Jane", "Zoë", "ÉLODIE")] == ["jane", "zoe", "elodie"]
    assert [search_key(name) for name in ("Zoë Ann Smith", "Zoë", "")] == ["smith zoe ann", "zoe", ""]


def test_only_initials_of_a_name_are_public() -> None:
    assert [initials(name) for name in ("Zoë ann O'Neil", "")] == ["Z. A. O.", ""]


def test_an_athlete_of_whom_little_is_said_has_run_nothing_yet() -> None:
    assert Athlete("A1", "Jane").runs == 0
    assert ListPage("handle", [], "", up_to_date=True).skipped == 0
