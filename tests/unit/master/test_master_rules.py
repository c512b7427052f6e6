"""What the master asks of a sheet, and how a person writes its tokens down."""

import json
from typing import Any

import pytest

from resultsq.domain.errors import SettingsError
from resultsq.domain.sheet import Sheet
from resultsq.master import rules
from resultsq.master.app import TokenRule
from resultsq.master.rules import Invalid, UnreadableSheet
from resultsq.master.serve import token_rules

GOOD: dict[str, Any] = {
    "schema": "resultsq.results/1",
    "event": "bushy",
    "date": "2013-12-07",
    "submitted_by": "bushy",
    "submitted_at": "2013-12-07T10:42:11Z",
    "finishers": [
        {"position": 1, "athlete": "A1234567", "time": "00:17:31"},
        {"position": 2, "athlete": None, "time": "00:18:02"},
        {"position": 3, "athlete": "A7654321", "time": None},
    ],
    "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}, {"athlete": "A1234567", "role": "Set-up"}],
}


def read(**changes: Any) -> Sheet | Invalid | UnreadableSheet:
    return rules.read(json.dumps({**GOOD, **changes}).encode(), "bushy", "2013-12-07")


def finishers(*lines: tuple[int, str | None, str | None]) -> list[dict[str, Any]]:
    return [{"position": position, "athlete": athlete, "time": time} for position, athlete, time in lines]


def test_a_sheet_is_read_when_it_is_as_the_contract_has_it() -> None:
    sheet = read()
    assert isinstance(sheet, Sheet)
    assert [line.athlete for line in sheet.finishers] == ["A1234567", None, "A7654321"]


def test_unknown_finishers_are_normal_when_there_are_several() -> None:
    assert isinstance(read(finishers=finishers((1, None, "00:20:00"), (2, None, "00:20:00"))), Sheet)


WRONG = {
    "other event": ({"event": "nonsuch"}, "/event"),
    "other date": ({"date": "2013-12-14"}, "/date"),
    "no date": ({"date": "yesterday"}, "/date"),
    "other schema": ({"schema": "resultsq.results/2"}, "/schema"),
    "unknown field": ({"weather": "wet"}, "/weather"),
    "a field with a slash": ({"a/b~c": 1}, "/a~1b~0c"),
    "nobody": ({"submitted_by": ""}, "/submitted_by"),
    "control character": ({"submitted_by": "bushy\0"}, "/submitted_by"),
    "control character in a role": ({"volunteers": [{"athlete": "A1", "role": "a\0"}]}, "/volunteers/0/role"),
    "a role for nobody": ({"volunteers": [{"athlete": None, "role": "Marshal"}]}, "/volunteers/0/athlete"),
    "position from 0": ({"finishers": finishers((0, None, None))}, "/finishers/0/position"),
    "position from 2": ({"finishers": finishers((2, None, None))}, "/finishers/0/position"),
    "position as text": ({"finishers": [{"position": "1"}]}, "/finishers/0/position"),
    "hole": ({"finishers": finishers((1, None, None), (3, None, None))}, "/finishers/1/position"),
    "position twice": ({"finishers": finishers((1, None, None), (1, None, None))}, "/finishers/1/position"),
    "athlete twice": ({"finishers": finishers((1, "A7", None), (2, "A7", None))}, "/finishers/1/athlete"),
    "athlete without A": ({"finishers": finishers((1, "1234567", None))}, "/finishers/0/athlete"),
    "athlete with zero": ({"finishers": finishers((1, "A0123", None))}, "/finishers/0/athlete"),
    "short time": ({"finishers": finishers((1, None, "17:31"))}, "/finishers/0/time"),
    "60 seconds": ({"finishers": finishers((1, None, "00:17:60"))}, "/finishers/0/time"),
    "no finishers": ({"finishers": None}, "/finishers"),
    "a finisher that is no object": ({"finishers": ["A1"]}, "/finishers/0"),
}


@pytest.mark.parametrize(("changes", "pointer"), WRONG.values(), ids=WRONG.keys())
def test_the_place_is_named_when_a_sheet_is_wrong(changes: dict[str, Any], pointer: str) -> None:
    refused = read(**changes)
    assert isinstance(refused, Invalid)
    assert [reason.pointer for reason in refused.reasons] == [pointer]
    assert refused.reasons[0].detail.endswith(".")


def test_a_missing_field_is_named_when_it_is_left_out() -> None:
    body = json.dumps({key: value for key, value in GOOD.items() if key != "submitted_at"}).encode()
    refused = rules.read(body, "bushy", "2013-12-07")
    assert isinstance(refused, Invalid)
    assert [(reason.pointer, reason.detail) for reason in refused.reasons] == [
        ("/submitted_at", "This field is missing.")
    ]


def test_one_hole_is_told_once_when_it_moves_every_line_below() -> None:
    refused = read(finishers=finishers(*((position, None, None) for position in range(2, 400))))
    assert isinstance(refused, Invalid)
    assert len(refused.reasons) == 1


def test_reasons_are_bounded_and_quote_nobody_when_every_line_is_wrong() -> None:
    refused = read(finishers=finishers(*((n, "A1234567x", "no time") for n in range(1, 400))))
    assert isinstance(refused, Invalid)
    assert len(refused.reasons) == rules.MAX_REASONS
    assert not any("1234567" in reason.detail for reason in refused.reasons)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe{}", b"<html>", b'{"event": "\xe9"}'])
def test_a_body_is_unreadable_when_it_is_no_json(body: bytes) -> None:
    assert isinstance(rules.read(body, "bushy", "2013-12-07"), UnreadableSheet)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"sheet"', b"{}"])
def test_json_is_invalid_when_it_is_no_sheet(body: bytes) -> None:
    assert isinstance(rules.read(body, "bushy", "2013-12-07"), Invalid)


def test_tokens_become_rules_when_they_are_written_in_each_way() -> None:
    known = token_rules(["a:b,c:secret1", "relay:secret2==", "secret3"])
    assert known["secret1"] == TokenRule("a", frozenset({"b", "c"}))
    assert known["secret2=="] == TokenRule("relay")
    assert known["secret3"].events is None
    assert "secret3" not in known["secret3"].node


def test_receipts_of_two_tokens_stay_apart_when_neither_has_a_name() -> None:
    known = token_rules(["secret1", "secret2"])
    assert known["secret1"].node != known["secret2"].node


@pytest.mark.parametrize("tokens", [[], [""], ["node:"], ["a:b:c:d"]])
def test_the_master_does_not_start_when_a_token_is_missing(tokens: list[str]) -> None:
    with pytest.raises(SettingsError):
        token_rules(tokens)
