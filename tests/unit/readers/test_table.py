"""Finished tables: headers, delimiters, quotes and bad cells."""

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import TableFile
from resultsq.readers import read
from resultsq.readers.columns import columns


def table(text: str, bom: bytes = b"") -> TableFile:
    file = read("table.csv", bom + text.encode())
    assert isinstance(file, TableFile)
    assert file.lines == file.used + file.set_aside + file.idle
    return file


def rows(text: str, bom: bytes = b"") -> list[tuple[int, int | None, str | None]]:
    return [row[1:] for row in table(text, bom).rows]


def refusal(text: str) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        table(text)
    return refused.value


WHOLE = [(1, 1091, "A12"), (2, 1148, None)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("position", ["position", "Place", "Finish Position", "FINISH_POSITION"])
@pytest.mark.parametrize("time", ["time", "Finish-Time", "finishtime"])
@pytest.mark.parametrize("athlete", ["Athlete", "athlete id", "BARCODE", "bib"])
def test_a_table_is_read_when_its_header_is_written_in_any_way(
    delimiter: str, position: str, time: str, athlete: str
) -> None:
    text = delimiter.join([position, time, athlete]) + "\n"
    text += delimiter.join(["1", "00:18:11", "A12"]) + "\n"
    text += delimiter.join(["2", "19:08", ""]) + "\n"

    assert rows(text, b"\xef\xbb\xbf") == WHOLE


def test_other_columns_and_orders_do_not_matter_when_the_header_names_them() -> None:
    assert rows("Club;Athlete;Athlete ID;Time;Place\nX;Ann;A12;18:11;1\n;Bob;;19:08;2\n") == WHOLE


def test_the_order_is_the_position_when_no_column_says_it() -> None:
    assert rows("time,athlete\n18:11,A12\n\n19:08,unknown\n") == WHOLE
    assert rows("time\n18:11\n19:08.9\n") == [(1, 1091, None), (2, 1148, None)]


def test_cells_may_be_empty_short_or_null_when_something_is_missing() -> None:
    assert rows("position,time,athlete\n1\n2,18:11\n3,,NULL\n4,,A5\n") == [
        (1, None, None),
        (2, 1091, None),
        (3, None, None),
        (4, None, "A5"),
    ]


def test_lines_of_empty_cells_carry_nothing_when_a_spreadsheet_adds_them() -> None:
    file = table("position;time;athlete\n1;18:11;A12\n;;\n\n;;;\n")

    assert (file.lines, file.used, file.idle) == (5, 1, 4)


def test_quoted_cells_are_read_when_they_hold_delimiters() -> None:
    assert rows('"Name","Position","Time","Barcode"\n"Bloggs, Joe","1","18:11","A12"\n') == [(1, 1091, "A12")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0,18:11,A12", "not a position"),
        ("x,18:11,A12", "not a position"),
        (",18:11,A12", "not a position"),
        ("1.5,18:11,A12", "not a position"),
        ("1,62:10,A12", "62 minutes"),
        ("1,18:11,A12,more", "more cells than the header"),
        ('1,18:11,"A12', "quotation marks"),
    ],
)
def test_the_line_is_named_when_a_cell_is_bad(line: str, reason: str) -> None:
    refused = refusal(f"position,time,athlete\n1,18:11,A12\n{line}\n")

    assert [(problem.code, problem.where[0].line) for problem in refused.problems] == [("bad-line", 3)]
    assert reason in str(refused)


def test_nothing_is_chosen_when_two_columns_have_one_name() -> None:
    file = table("position,time,Time\n1,18:11,18:12\n")

    assert [row.seconds for row in file.rows] == [None]
    assert [column.could_be for column in file.columns] == [(), ("time",), ("time",)]


def test_the_file_is_refused_when_it_has_only_a_header() -> None:
    assert refusal("position,time,athlete\n").problems[0].code == "file-no-rows"


def test_a_header_needs_more_than_one_wanted_column_when_it_has_others() -> None:
    assert refusal("time,weather\n18:11,rain\n").problems[0].code == "file-unknown-shape"


def test_no_columns_are_found_when_a_line_cannot_be_split() -> None:
    assert columns('"position,time', {"position": ["position"]}) is None


def test_line_breaks_in_cells_are_read_when_a_spreadsheet_has_them() -> None:
    file = table(
        'Results\nPosition,"Finish\nTime",Athlete,"Club\nor team"\n1,18:11,A12,"Harriers\nLondon"\n2,19:08,,\n'
    )

    assert [row[1:] for row in file.rows] == WHOLE
    assert [row.line for row in file.rows] == [5, 7]


@pytest.mark.parametrize("cell", ["'18:11", '="18:11"', '"=""18:11"""', '"18:11"', "18:11,0", "0:18:11"])
def test_a_time_is_read_however_a_spreadsheet_kept_it_as_it_is(cell: str) -> None:
    assert rows(f"position;time;athlete\n1;{cell};A12\n2;19:08;-\n") == WHOLE


@pytest.mark.parametrize(
    ("above", "places", "words"),
    [
        ("Results 14/03/2026,,\n", [1], "line 1 “Results 14/03/2026,,”"),
        ("Results\n,,\n\n14 March;;\n", [1, 4], "line 1 “Results” and line 4 “14 March;;”"),
        ('"";"";""\n1,18:11,A12\n', [2], "line 2 “1,18:11,A12”"),
        ("sep=,\n", [], ""),
        ("\n,,\n", [], ""),
    ],
)
def test_what_stands_above_the_header_is_named_as_not_used(above: str, places: list[int], words: str) -> None:
    file = table(f"{above}position,time,athlete\n1,18:11,A12\n2,19:08,\n")

    assert [row[1:] for row in file.rows] == WHOLE
    assert [where.line for problem in file.problems for where in problem.where] == places
    assert {(problem.code, problem.blocks) for problem in file.problems} <= {("lines-above-header", False)}
    assert len(file.problems) == bool(places)
    assert all(f"above the header: {words}." in problem.message for problem in file.problems)


def test_a_column_without_a_name_is_told_by_its_letter_and_its_first_cells() -> None:
    wide = "position,time,athlete" + "," * 25
    file = table(f"{wide}\n1,18:11,A12,Harriers{',' * 23}x\n2,19:08,,Ealing Eagles and others{',' * 22}\n")

    assert [one.name for one in file.columns if one.name.startswith("column")] == [
        "column D (Harriers, Ealing Eagles and ot)",
        "column AA (x)",
    ]
