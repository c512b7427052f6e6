"""Lists of volunteers."""

from pathlib import Path

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.domain.sheet import Volunteer
from resultsq.kinds.results.volunteers import lists_roles, read_volunteers
from tests.support.spreadsheets import xlsx

MISTAKES = Path(__file__).parent.parent.parent / "samples" / "mistakes"


def refusal(text: str) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        read_volunteers("roster.csv", text.encode())
    return refused.value


@pytest.mark.parametrize(
    "text",
    [
        "athlete,role\nA55501,Timekeeper\nA55502,Barcode scanning\n",
        "\n\ufeffRole;Athlete ID\r\nTimekeeper;A55501\r\n\r\n;\r\nBarcode scanning;A55502",
        "Name\tBarcode\tROLE\nAnn\tA55501\tTimekeeper\nBob\tA55502\tBarcode scanning\n",
    ],
)
def test_athletes_and_roles_are_read_when_the_header_names_them(text: str) -> None:
    assert read_volunteers("roster.csv", text.lstrip("\n").encode()).volunteers == (
        Volunteer(athlete="A55501", role="Timekeeper"),
        Volunteer(athlete="A55502", role="Barcode scanning"),
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name,role\nAnn,Marshal\n", 1, "begins with a line"),
        ("Dear team\n", 1, "begins with a line"),
        ("athlete,role,Role\n", 1, "two columns"),
        ("athlete,role\nA1,Marshal\nAnn,Marshal\n", 3, "not an athlete's barcode"),
        ("athlete,role\nA1,\n", 2, "role is missing"),
        (f"athlete,role\nA1,{'x' * 101}\n", 2, "longer than 100"),
    ],
)
def test_the_line_is_named_when_it_is_bad(text: str, line: int, words: str) -> None:
    refused = refusal(text)

    assert [(problem.code, problem.where[0].line) for problem in refused.problems] == [("bad-line", line)]
    assert words in str(refused)


def test_a_role_of_a_hundred_characters_is_taken() -> None:
    [only] = read_volunteers("roster.csv", f"athlete,role\nA1,{'x' * 100}\n".encode()).volunteers
    assert only.role == "x" * 100


def test_the_header_is_among_the_first_ten_lines_that_say_something() -> None:
    def under(lines: int) -> str:
        return "\n" + "Saturday\n" * lines + "athlete,role\nA1,Marshal\n"

    assert lists_roles("roster.csv", under(9).encode())
    assert not lists_roles("roster.csv", under(10).encode())
    assert "begins with a line" in str(refusal(under(10)))


def test_fifty_bad_lines_are_named_one_by_one() -> None:
    problems = refusal("athlete,role\n" + "Ann,Marshal\n" * 60).problems
    assert [problem.where[0].line for problem in problems] == list(range(2, 52))


def test_a_line_without_a_number_or_with_a_control_character_is_named() -> None:
    assert "number is missing" in str(refusal("athlete,role\n,Marshal\n"))
    assert "control character" in str(refusal("athlete,role\nA1,Mar\u2028shal\n"))


def test_the_file_is_refused_when_nobody_is_in_it() -> None:
    assert refusal("athlete,role\n").problems[0].code == "file-no-rows"
    assert refusal("").problems[0].code == "file-empty"


@pytest.mark.parametrize(
    "content",
    [
        (MISTAKES / "volunteers-lower-case.csv").read_bytes(),
        "Volunteers 14/03/2026;\n\nLäufer-ID;Aufgabe\nA 11;Marshal\na12;Timekeeper\n".encode("utf-16"),
        b'sep=;\n"Name";"Barcode";"Role"\n"Joe\nBloggs";"a11";"Marshal"\n"Ann";"A12";"Timekeeper"\n',
    ],
    ids=["small letters", "title, blanks, UTF-16", "line breaks in cells"],
)
def test_a_list_is_taken_as_the_form_takes_it(content: bytes) -> None:
    assert lists_roles("roster.csv", content)
    assert read_volunteers("roster.csv", content).volunteers == (
        Volunteer(athlete="A11", role="Marshal"),
        Volunteer(athlete="A12", role="Timekeeper"),
    )


def test_a_bad_line_has_a_sentence_fit_for_a_list() -> None:
    [problem] = refusal("athlete,role\nA1,Marshal\nAnn,Marshal\n").problems

    assert "Line 3 of the list of volunteers roster.csv" in problem.message
    assert "move everybody" not in problem.message
    assert "The results are not affected" in problem.message


def test_a_table_of_results_is_no_list_of_volunteers() -> None:
    assert not lists_roles("t", b"position,time,athlete\n1,18:11,A1\n")
    assert not lists_roles("t", b"A1234567,P0001,x\n")
    assert not lists_roles("photo.jpg", b"\xff\xd8\xff\xe0\0")


@pytest.mark.parametrize(
    ("above", "lines"),
    [("", []), ("sep=,\n", []), (" ,\n\n", []), ("A1,Marshal\nSaturday\n", [1, 2]), ("\nThe team\n,,\n", [2])],
)
def test_each_line_above_the_header_is_named_as_not_used(above: str, lines: list[int]) -> None:
    found = read_volunteers("roster.csv", f"{above}athlete,role\nA11,Marshal\n".encode())

    assert found.volunteers == (Volunteer(athlete="A11", role="Marshal"),)
    assert [at.line for problem in found.problems for at in problem.where] == lines
    assert all(problem.code == "lines-above-header" and not problem.blocks for problem in found.problems)
    assert all("“Saturday”" in problem.message for problem in found.problems if 1 in lines)


def test_the_other_sheets_of_a_workbook_are_named_as_not_used() -> None:
    cell = "<c t='inlineStr'><is><t>{}</t></is></c>"
    row = "<row>{}</row>"
    notes = row.format(cell.format("Notes"))
    listed = "".join(
        row.format("".join(map(cell.format, cells))) for cells in (("athlete", "role"), ("A11", "Marshal"))
    )

    found = read_volunteers("roster.xlsx", xlsx(notes, listed))

    assert found.volunteers == (Volunteer(athlete="A11", role="Marshal"),)
    assert [problem.message for problem in found.problems] == [
        "Only the sheet Tab 2 of roster.xlsx is used. Not used: Tab 1."
    ]
