"""Spreadsheets read directly, as a person sees them, and bombs that are refused."""

import tracemalloc

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.readers import TableFile, read
from tests.support.cpu import cpu_at_most
from tests.support.spreadsheets import archive, ods, xlsx

WHOLE = [(1, 1051, "A11"), (2, 3730, None)]


def told(content: bytes) -> list[str]:
    with pytest.raises(FileRefused) as refused:
        read("results.xlsx", content)
    return [problem.code for problem in refused.value.problems]


def rows_of(content: bytes) -> list[tuple[int, int | None, str | None]]:
    file = read("results.xlsx", content)
    assert isinstance(file, TableFile)
    return [row[1:] for row in file.rows]


TABLE = (
    "<row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' t='inlineStr'><is><t>Time</t></is></c>"
    "<c r='C1' t='s'><v>1</v></c></row>"
    "<row r='3'><c r='A3'><v>1</v></c><c r='B3' s='1'><v>0.012164351851851852</v></c>"
    "<c r='C3' t='str'><v>A11</v></c></row>"
    "<row r='4'><c r='A4'><v>2</v></c><c r='B4' s='2'><v>0.043171296296296298</v></c></row>"
)
STRINGS = "<sst><si><t>Posi</t><r><t>tion</t></r><rPh><t>x</t></rPh></si><si><t>Bar\ncode</t></si></sst>"


def test_an_xlsx_is_read_as_a_person_sees_it() -> None:
    file = read("results.xlsx", xlsx(TABLE, strings=STRINGS))
    assert isinstance(file, TableFile)
    assert [row[1:] for row in file.rows] == WHOLE
    assert [row.line for row in file.rows] == [3, 4]
    assert (file.lines, file.problems) == (4, ())


def test_an_ods_is_read_as_a_person_sees_it() -> None:
    cell = "<t:table-cell><x:p>{}</x:p></t:table-cell>".format
    time = "<t:table-cell o:value-type='time' o:time-value='{}'><x:p>17:31</x:p></t:table-cell>".format
    number = "<t:table-cell o:value-type='float' o:value='{}'><x:p>{}</x:p></t:table-cell>".format
    rows = [
        "<t:table-row>" + cell("Position") + cell("Time") + cell("Barcode") + "</t:table-row>",
        "<t:table-row t:number-rows-repeated='2'><t:table-cell t:number-columns-repeated='1024'/></t:table-row>",
        "<t:table-row>" + number(1, "1.") + time("PT00H17M31S") + cell("A11") + "</t:table-row>",
        "<t:table-row>" + number(2, "2.") + time("PT01H02M10.5S") + "</t:table-row>",
        "<t:table-row t:number-rows-repeated='1048000'><t:table-cell t:number-columns-repeated='1024'/></t:table-row>",
    ]
    assert rows_of(ods("".join(rows))) == WHOLE


def test_hours_for_minutes_are_hours_when_the_cell_says_so() -> None:
    table = TABLE.replace("0.012164351851851852", "0.72986111111111107")
    assert rows_of(xlsx(table, strings=STRINGS))[0] == (1, 17 * 3600 + 31 * 60, "A11")


def test_the_first_sheet_of_results_is_read_and_the_others_are_named() -> None:
    remark = "<row r='1'><c r='A1' t='inlineStr'><is><t>Dear team</t></is></c></row>"
    file = read("results.xlsx", xlsx(remark, "", TABLE, strings=STRINGS))

    assert [problem.code for problem in file.problems] == ["sheets-not-used"]
    assert "sheet Tab 3" in file.problems[0].message
    assert "Not used: Tab 1." in file.problems[0].message


def test_stopwatch_and_scanner_files_are_read_when_they_were_saved_as_a_spreadsheet() -> None:
    line = "<c t='inlineStr'><is><t>{}</t></is></c>".format
    rows = "".join(f"<row>{line('A11')}{line('P0001')}{line('14/03/2026 09:20:00')}</row>" for _ in range(2))
    assert read("s.xlsx", xlsx(rows)).kind == "scanner"


def test_the_reason_is_told_when_no_sheet_has_results() -> None:
    remark = "<row r='1'><c r='A1' t='inlineStr'><is><t>Dear team</t></is></c></row>"
    assert told(xlsx(remark)) == ["file-unknown-shape"]
    assert told(xlsx("")) == ["file-empty"]


SPACES = b" " * (40 * 1024 * 1024)
BOMBS = {
    "an endless sheet": lambda: xlsx(SPACES.decode()),
    "the last corner of the sheet": lambda: xlsx("<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>"),
    "a row repeated": lambda: ods(
        "<t:table-row t:number-rows-repeated='1048576'><t:table-cell t:number-columns-repeated='1024'>"
        "<x:p>x</x:p></t:table-cell></t:table-row>"
    ),
    "a cell repeated": lambda: ods(
        "<t:table-row><t:table-cell t:number-columns-repeated='1000000000'><x:p>x</x:p></t:table-cell></t:table-row>"
    ),
    "wide rows": lambda: xlsx("".join(f"<row><c r='ALL{at}'><v>1</v></c></row>" for at in range(1, 30_000))),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_within_bounds(bomb: str) -> None:
    content = BOMBS[bomb]()
    tracemalloc.start()
    try:
        with cpu_at_most(15):
            assert set(told(content)) <= {"file-too-large", "line-too-long", "too-many-rows", "file-damaged"}
        assert tracemalloc.get_traced_memory()[1] < 150 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        archive({"xl/workbook.xml": "<workbook>"}),
        archive({"xl/workbook.xml": "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>"}),
        xlsx(TABLE),  # names strings that are not there
        xlsx("<row r='2'><c><v>1</v></c></row><row r='1'><c><v>1</v></c></row>"),
        xlsx("<row r='x'/>"),
        ods("<t:table-row t:number-rows-repeated='x'/>"),
        xlsx(TABLE, strings=STRINGS)[:-30].replace(b"PK\x05\x06", b"PK\x05\x07"),
    ],
    ids=["cut off", "a document type", "no strings", "rows backwards", "no number", "no count", "no directory"],
)
def test_a_damaged_spreadsheet_is_refused_in_words(content: bytes) -> None:
    assert set(told(content)) <= {"file-damaged", "file-archive"}


def test_other_archives_are_refused_as_before() -> None:
    assert told(archive({"Index/Document.iwa": b"x"})) == ["file-archive"]
