"""The kind "results": what the API takes, and the bytes that come of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.errors import SheetRefused
from resultsq.domain.sheet import digest, parse
from resultsq.kinds.registry import KINDS

NOW = datetime(2013, 12, 7, 10, 42, 11, tzinfo=UTC)
RESULTS = KINDS["results"]
ID = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"


def test_each_kind_is_registered_under_its_own_name() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}


def payload(**changes: Any) -> dict[str, Any]:
    return {
        "event": "bushy",
        "date": "2013-12-07",
        "finishers": [
            {"position": 2, "athlete": None, "time": "00:18:02"},
            {"position": 1, "athlete": "A1234567", "time": "00:17:31"},
        ],
        "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}],
    } | changes


def refusal(value: object) -> SheetRefused:
    with pytest.raises(SheetRefused) as refused:
        RESULTS.prepare(value, submission=ID, submitted_by="bushy", submitted_at=NOW)
    return refused.value


def test_the_bytes_are_the_sheet_in_the_order_of_positions() -> None:
    prepared = RESULTS.prepare(payload(), submission=ID, submitted_by="bushy", submitted_at=NOW)

    assert json.loads(prepared.body) == {
        "schema": RESULTS.schema,
        "event": "bushy",
        "date": "2013-12-07",
        "submitted_by": "bushy",
        "submitted_at": "2013-12-07T10:42:11Z",
        "finishers": [
            {"position": 1, "athlete": "A1234567", "time": "00:17:31"},
            {"position": 2, "athlete": None, "time": "00:18:02"},
        ],
        "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}],
    }
    assert prepared.digest == digest(prepared.body)
    assert (prepared.event, prepared.date, prepared.problems) == ("bushy", "2013-12-07", ())
    assert parse(prepared.body).event == "bushy"


def test_rows_have_one_digest_whoever_sends_them_and_whenever() -> None:
    one = RESULTS.prepare(payload(), submission=ID, submitted_by="bushy", submitted_at=NOW)
    other = RESULTS.prepare(payload(), submission=ID, submitted_by="office", submitted_at=NOW.replace(hour=12))

    assert one.digest != other.digest
    assert one.rows_digest == other.rows_digest == RESULTS.rows_digest(other.body)


def test_warnings_come_along_and_blocking_problems_refuse() -> None:
    falling = [{"position": 1, "time": "00:18:02"}, {"position": 2, "time": "00:17:31"}]
    prepared = RESULTS.prepare(payload(finishers=falling), submission=ID, submitted_by="bushy", submitted_at=NOW)

    assert [problem.code for problem in prepared.problems] == ["times-out-of-order"]
    twice = [{"position": 1, "athlete": "A1"}, {"position": 2, "athlete": "A1"}]
    assert [problem.code for problem in refusal(payload(finishers=twice)).problems] == ["athlete-in-two-positions"]


@pytest.mark.parametrize(
    ("value", "pointer", "words"),
    [
        ([], "", "The body: "),
        (payload(date="7/12/2013"), "/date", "YYYY-MM-DD"),
        (payload(date=1386374400), "/date", "YYYY-MM-DD"),
        (payload(event="Bushy Park"), "/event", "lower-case"),
        (payload(surprise=1), "/surprise", "no such field"),
        (payload(**{"a/b~c": 1}), "/a~1b~0c", "no such field"),
        (payload(finishers=[{}]), "/finishers/0/position", "missing"),
        (payload(finishers=[{"position": "1"}]), "/finishers/0/position", "whole number from 1"),
        (payload(finishers=[{"position": 0}]), "/finishers/0/position", "whole number from 1"),
        (payload(finishers=[{"position": 1, "athlete": "1234"}]), "/finishers/0/athlete", "A and digits"),
        (payload(finishers=[{"position": 1, "time": "62:10"}]), "/finishers/0/time", "HH:MM:SS"),
        (payload(volunteers=[{"athlete": "A1", "role": ""}]), "/volunteers/0/role", "1 to 100"),
        (payload(finishers=1), "/finishers", "/finishers: input should be a valid "),
    ],
)
def test_the_value_is_pointed_to_when_it_cannot_be_taken(value: object, pointer: str, words: str) -> None:
    [problem] = refusal(value).problems

    assert (problem.code, problem.where[0].pointer) == ("bad-value", pointer)
    assert words in problem.message


def test_not_every_bad_value_is_named_when_there_are_thousands() -> None:
    assert len(refusal(payload(finishers=[{}] * 5000)).problems) == 50
