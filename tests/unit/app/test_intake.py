"""What a body is taken for, before anything is stored."""

import json
from datetime import date
from typing import Any

import pytest

from resultsq.app import intake
from resultsq.app.event_day import Calendar
from resultsq.domain.errors import NotJson, SheetRefused
from resultsq.readers import MAX_ROWS
from resultsq.readers.marks import write_time
from resultsq.web.errors import places

TODAY = date(2013, 12, 7)
CALENDAR = Calendar(TODAY)
SHEET: dict[str, Any] = {
    "event": "bushy",
    "date": "2013-12-07",
    "finishers": [
        {"position": 1, "athlete": "A1234567", "time": "00:17:31"},
        {"position": 2, "athlete": None, "time": "00:18:02"},
    ],
}
TIMES = b"STARTOFEVENT,07/12/2013 09:00:00,junsd\n0,07/12/2013 09:00:00\n1,07/12/2013 09:17:31,00:17:31\n"


def sent(body: dict[str, Any], max_rows: int = MAX_ROWS) -> intake.CheckedResults:
    return intake.from_json(json.dumps(body).encode(), max_rows, CALENDAR)


def rows(taken: intake.CheckedResults) -> Any:
    return json.loads(taken.rows.canonical)


def test_a_body_is_taken_as_it_is_when_nothing_is_wrong_with_it() -> None:
    taken = sent({**SHEET, "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}]})
    assert (taken.event, taken.date, taken.problems) == ("bushy", TODAY, ())
    assert rows(taken) == {
        "finishers": SHEET["finishers"],
        "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}],
    }


@pytest.mark.parametrize("day", ["0001-01-01", "1985-10-05", "2013-12-06", "2013-12-07", "2013-12-08"])
def test_a_date_is_taken_when_it_is_past_or_somebodys_today(day: str) -> None:
    assert sent({**SHEET, "date": day}).date == date.fromisoformat(day)


@pytest.mark.parametrize("day", ["2013-12-09", "2014-12-07", "9999-12-31"])
def test_a_date_is_refused_when_it_is_still_to_come(day: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        sent({**SHEET, "date": day})
    assert [place["pointer"] for place in places(refused.value.problems)] == ["/date"]


@pytest.mark.parametrize("day", ["", "2013-13-01", "7/12/2013", "20131207", "2013-W49-6", " 2013-12-07"])
def test_a_date_is_refused_when_it_is_none(day: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        intake.iso_date(day)
    assert [place["pointer"] for place in places(refused.value.problems)] == ["/date"]
    with pytest.raises(SheetRefused):
        sent({**SHEET, "date": day})


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b"", 1, 0),
        (b'{"event": "bushy",\n "date', 2, 7),
        (b'{"event": "bushy",}', 1, 19),
        (b'{"event": "\xff"}', 1, 12),
        (b"[" * 100_000, 1, 202),
        (b"\x00", 1, 1),
    ],
)
def test_a_body_that_is_no_json_is_told_the_place_when_it_breaks(body: bytes, line: int, column: int) -> None:
    with pytest.raises(NotJson) as refused:
        intake.from_json(body, MAX_ROWS, CALENDAR)
    assert (refused.value.pointer, refused.value.line) == ("", line)
    assert refused.value.column is not None
    assert abs(refused.value.column - column) <= 2


def row(**values: object) -> dict[str, Any]:
    return {**SHEET, "finishers": [{"position": 1, **values}]}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/event"),
        ([], ""),
        ("text", ""),
        (None, ""),
        ({**SHEET, "evnt": 1}, "/evnt"),
        ({**SHEET, "a/b~c": 1}, "/a~1b~0c"),
        ({**SHEET, "event": "Bushy"}, "/event"),
        ({**SHEET, "event": None}, "/event"),
        ({**SHEET, "date": 1386374400}, "/date"),
        ({**SHEET, "date": None}, "/date"),
        ({**SHEET, "finishers": None}, "/finishers"),
        ({**SHEET, "finishers": {}}, "/finishers"),
        ({**SHEET, "volunteers": None}, "/volunteers"),
        ({**SHEET, "volunteers": [{"athlete": "A1", "role": ""}]}, "/volunteers/0/role"),
        ({**SHEET, "volunteers": [{"athlete": None, "role": "Marshal"}]}, "/volunteers/0/athlete"),
        (row(position=0), "/finishers/0/position"),
        (row(position="1"), "/finishers/0/position"),
        (row(position=1.5), "/finishers/0/position"),
        (row(position=True), "/finishers/0/position"),
        (row(athlete="a123"), "/finishers/0/athlete"),
        (row(athlete="A0123"), "/finishers/0/athlete"),
        (row(athlete="A１２３"), "/finishers/0/athlete"),
        (row(athlete="A123\n"), "/finishers/0/athlete"),
        (row(athlete=123), "/finishers/0/athlete"),
        (row(time="17:31"), "/finishers/0/time"),
        (row(time="00:61:00"), "/finishers/0/time"),
        (row(time=1051), "/finishers/0/time"),
        (row(name="Jo"), "/finishers/0/name"),
    ],
)
def test_a_value_is_refused_with_its_pointer_when_it_cannot_be_taken(body: Any, pointer: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        sent(body)
    assert places(refused.value.problems)[0]["pointer"] == pointer


@pytest.mark.parametrize("field", ["finishers", "volunteers"])
def test_more_rows_than_the_setting_allows_are_refused_when_they_come(field: str) -> None:
    rows = {"finishers": {"position": 1}, "volunteers": {"athlete": "A1", "role": "Marshal"}}
    with pytest.raises(SheetRefused) as refused:
        sent({**SHEET, field: [rows[field]] * 11}, max_rows=10)
    assert places(refused.value.problems)[0]["pointer"] == f"/{field}"


def test_a_body_of_far_too_many_values_is_refused_before_they_are_made_when_it_comes() -> None:
    body = b'{"event":"bushy","date":"2013-12-07","finishers":[' + b"{}," * 2_000_000 + b"{}]}"
    with pytest.raises(SheetRefused, match=r"[Nn]othing was stored") as refused:
        intake.from_json(body, MAX_ROWS, CALENDAR)
    assert [problem.code for problem in refused.value.problems] == ["too-many-rows"]


def test_the_largest_sheet_is_taken_when_it_has_every_field() -> None:
    lines = [{"position": n, "athlete": f"A{n}", "time": write_time(1800 + n // 4)} for n in range(1, MAX_ROWS + 1)]
    helpers = [{"athlete": f"A{n}", "role": "Marshal, and more"} for n in range(1, MAX_ROWS + 1)]
    taken = sent({**SHEET, "finishers": lines, "volunteers": helpers})
    assert (taken.rows.finishers, len(rows(taken)["volunteers"]), taken.problems) == (MAX_ROWS, MAX_ROWS, ())


def test_rows_with_problems_are_taken_and_told_when_they_are_sent() -> None:
    codes = [problem.code for problem in sent({**SHEET, "finishers": [{"position": 2}]}).problems]
    assert codes == ["position-missing"]


def test_a_problem_without_a_place_points_to_the_rows_when_it_is_told() -> None:
    hole = sent({**SHEET, "finishers": [{"position": 2}]}).problems
    assert [place["pointer"] for place in places(hole)] == ["/finishers"]


def test_files_are_kept_as_they_came_when_they_are_sent() -> None:
    taken = intake.from_files(
        "bushy",
        "2013-12-07",
        [("times of jo.csv", TIMES), ("times of jo.csv", b"A1234567,P0001,\n")],
        ("helpers.csv", b"athlete,role\nA55501,Timekeeper\n"),
        MAX_ROWS,
        CALENDAR,
    )
    assert [row["athlete"] for row in rows(taken)["finishers"]] == ["A1234567"]
    assert [helper["role"] for helper in rows(taken)["volunteers"]] == ["Timekeeper"]
    assert [(file.name, file.content) for file in taken.files] == [
        ("times of jo.csv", TIMES),
        ("times of jo.csv", b"A1234567,P0001,\n"),
        ("helpers.csv", b"athlete,role\nA55501,Timekeeper\n"),
    ]
    # by content: two files may have one name
    assert [file.kind for file in taken.files] == ["stopwatch", "scanner", intake.VOLUNTEERS]


@pytest.mark.parametrize(
    ("text", "refusal", "pointer"),
    [
        ("[", NotJson, "/volunteers"),
        ("{}", SheetRefused, "/volunteers"),
        ('[{"athlete": "A1"}]', SheetRefused, "/volunteers/0/role"),
    ],
)
def test_volunteers_are_refused_with_their_pointer_when_they_are_bad(
    text: str, refusal: type[NotJson | SheetRefused], pointer: str
) -> None:
    with pytest.raises(refusal) as refused:
        intake.from_files("bushy", "2013-12-07", [("t", TIMES)], text, MAX_ROWS, CALENDAR)
    error = refused.value
    assert pointer == (error.pointer if isinstance(error, NotJson) else places(error.problems)[0]["pointer"])


def test_nothing_is_taken_when_there_is_no_file() -> None:
    with pytest.raises(SheetRefused, match=r"[Nn]othing was stored"):
        intake.from_files("bushy", "2013-12-07", [], None, MAX_ROWS, CALENDAR)
