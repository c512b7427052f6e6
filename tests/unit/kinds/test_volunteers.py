"""Lists of volunteers."""

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.domain.sheet import Volunteer
from resultsq.kinds.results.volunteers import read_volunteers


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
    assert read_volunteers("roster.csv", text.lstrip("\n").encode()) == (
        Volunteer(athlete="A55501", role="Timekeeper"),
        Volunteer(athlete="A55502", role="Barcode scanning"),
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name,role\nAnn,Marshal\n", 1, "header"),
        ("Dear team\n", 1, "header"),
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


def test_the_file_is_refused_when_nobody_is_in_it() -> None:
    assert refusal("athlete,role\n").problems[0].code == "file-no-rows"
    assert refusal("").problems[0].code == "file-empty"
