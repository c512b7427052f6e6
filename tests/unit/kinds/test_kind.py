"""The kind "results": what the API takes, and the bytes that come of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.domain.errors import SheetRefused
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import digest, parse
from resultsq.kinds.registry import KINDS, counted, title

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


def test_a_submission_has_the_id_that_it_came_with_or_one_of_its_own() -> None:
    known = RESULTS.prepare(payload(), submission=ID, submitted_by="bushy", submitted_at=NOW)
    new = [RESULTS.prepare(payload(), submission="", submitted_by="bushy", submitted_at=NOW).id for _ in range(2)]
    assert known.id == ID
    assert len({*new, ""}) == 3


def test_results_are_put_on_top_of_the_version_that_they_correct() -> None:
    entry = RESULTS.prepare(payload(), submission=ID, submitted_by="bushy", submitted_at=NOW)
    first = RESULTS.request(Parcel("results", ID, "bushy", entry.date, entry.body, entry.digest, None))
    again = RESULTS.request(Parcel("results", ID, "bushy", entry.date, entry.body, entry.digest, "abc"))

    assert (first.method, first.path) == ("PUT", "/v1/events/bushy/results/2013-12-07")
    assert (first.conditions, again.conditions) == ({"If-None-Match": "*"}, {"If-Match": '"abc"'})
    assert RESULTS.subject(ID, entry.date) == "2013-12-07"


def test_a_receipt_is_good_when_it_names_the_sheet_and_its_first_or_a_later_revision() -> None:
    entry = RESULTS.prepare(payload(), submission=ID, submitted_by="bushy", submitted_at=NOW)
    parcel = Parcel("results", ID, "bushy", entry.date, entry.body, entry.digest, None)
    good = Receipt(submission=ID, event="bushy", date=entry.date, digest=entry.digest, received_at=NOW, revision=1)

    assert RESULTS.accepts(parcel, good)
    assert RESULTS.accepts(parcel, good.model_copy(update={"revision": 2}))
    for wrong in ({"revision": 0}, {"event": "other"}, {"date": "2013-12-14"}, {"digest": digest(b"other")}):
        assert not RESULTS.accepts(parcel, good.model_copy(update=wrong))


def test_a_list_says_how_many_finishers_there_are_and_what_people_call_a_kind() -> None:
    assert [RESULTS.summary(count) for count in (1, 2)] == ["1 finisher", "2 finishers"]
    assert [title("results"), title("messages"), title("later")] == ["results", "messages", "later"]
    assert counted({"results": 1, "messages": 2, "later": 3}) == "3 later, 2 messages and 1 sheet of results"


def test_a_rehearsal_has_an_example_of_what_it_posts() -> None:
    example = KINDS["messages"].example("bushy", 1)
    entry = KINDS["messages"].prepare(example, submission=ID, submitted_by="bushy", submitted_at=NOW)

    assert entry.event == "bushy"
    assert "Grüße" in json.loads(entry.body)["text"]


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
