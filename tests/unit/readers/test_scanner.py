"""Scanner files: what is used, what is set aside, and why."""

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import ScannerFile
from resultsq.readers import read
from resultsq.readers.marks import UnreadableField
from resultsq.readers.scanner import scan

FILE = """Start of File,14/03/2026 09:00:00,virtual_volunteer_scanner
A1234567,P0047,14/03/2026 09:20:00
A7654321,P0002,14/03/2026 09:21:00
"""


def scanner(text: str) -> ScannerFile:
    file = read("scanner.csv", text.encode())
    assert isinstance(file, ScannerFile)
    assert file.lines == file.used + file.set_aside + file.idle
    return file


def test_pairs_are_read_when_the_file_is_good() -> None:
    file = scanner(FILE)

    assert file.rows == ((2, "A1234567", 47), (3, "A7654321", 2))
    assert (file.idle, file.set_aside) == (1, 0)


@pytest.mark.parametrize("token", ["P1", "P01", "P0001", "P00001"])
def test_a_token_is_one_when_it_is_padded_in_any_way(token: str) -> None:
    assert scan(f"A12,{token},") == ("A12", 1)


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        (",P0002,14/03/2026 09:21:00", (None, 2)),
        ("null,P0002,14/03/2026 09:21:00", (None, 2)),
        ("A12,,14/03/2026 09:21:00", ("A12", None)),
        ("A12,null,14/03/2026 09:21:00", ("A12", None)),
        (" A12 , P99999 , 14/03/2026 09:21:00", ("A12", 99_999)),
        ("A4294967297,P2,x", ("A4294967297", 2)),
        ("A1234567890123456789012345678901,P2,x", ("A1234567890123456789012345678901", 2)),
    ],
)
def test_a_scan_is_read_when_it_has_a_half_or_two(line: str, pair: tuple[str | None, int | None]) -> None:
    assert scan(line) == pair


@pytest.mark.parametrize(
    "clock",
    ["14/03/2026 21:20:00", "14/03/2026 09:20:00 PM", "1/3/2026 9:2:0", "99/99/9999 99:99:99", "", "null", "??"],
)
def test_a_row_is_used_when_its_clock_cannot_be_trusted(clock: str) -> None:
    assert scanner(f"A12,P3,{clock}\n").rows == ((1, "A12", 3),)


def test_a_row_is_used_when_it_has_no_clock_at_all() -> None:
    assert scanner("A12,P3\nA13,P4\nA14,\n").rows == ((1, "A12", 3), (2, "A13", 4), (3, "A14", None))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("&d084,14/03/2026 09:20:00", "not an athlete's barcode"),
        ("A12,14/03/2026 09:20:00", "not a finish token"),
        ("P0001,A12345,14/03/2026 09:20:00", "wrong way round"),
        ("a12345,P0001,14/03/2026 09:20:00", "not an athlete's barcode"),
        ("A12345,p0001,14/03/2026 09:20:00", "not a finish token"),
        ("A12345,P0000,14/03/2026 09:20:00", "count from P0001"),
        ("A12345,P000001,14/03/2026 09:20:00", "not a finish token"),
        ("A012345,P0001,14/03/2026 09:20:00", "not an athlete's barcode"),
        ("A,P0001,14/03/2026 09:20:00", "not an athlete's barcode"),
        ("A١٢,P0001,14/03/2026 09:20:00", "not an athlete's barcode"),
        ("A12345678901234567890123456789012,P0001,x", "not an athlete's barcode"),
        (",,14/03/2026 09:20:00", "neither"),
        ("null,null,14/03/2026 09:20:00", "neither"),
        (",14/03/2026 09:20:00", "not a finish token"),
        ("A12345,P0001,14/03/2026 09:20:00,x", "4 fields"),
        ("A12345", "one field "),
    ],
)
def test_a_line_is_set_aside_with_its_reason_when_it_is_bad(line: str, reason: str) -> None:
    file = scanner(FILE + line + "\n")

    assert [row.line for row in file.rows] == [2, 3]
    [aside] = file.aside
    assert (aside.line, aside.text) == (4, line)
    assert reason in aside.reason
    with pytest.raises(UnreadableField):
        scan(line)


def test_a_last_token_is_not_taken_when_the_file_may_end_inside_it() -> None:
    file = scanner(FILE + "A55,P004")

    assert [row.token for row in file.rows] == [47, 2]
    assert "middle" in file.aside[0].reason


@pytest.mark.parametrize("last", ["A55,P0049", "A55,P004\n", "A55,P004,14/03/2026"])
def test_a_last_token_is_taken_when_it_is_whole(last: str) -> None:
    assert scanner(FILE + last).rows[-1].athlete == "A55"


def test_a_single_line_is_taken_when_it_has_no_clock_and_no_end() -> None:
    assert scanner("A55,P4").rows == ((1, "A55", 4),)


def test_the_file_is_used_when_it_begins_with_misreads() -> None:
    file = scanner("&d084,14/03/2026 09:20:00\n" * 9 + "A12,P3,x\n")

    assert (file.used, file.set_aside) == (1, 9)


def test_the_file_is_kept_when_every_line_is_bad() -> None:
    assert (scanner("P0001,A12,x\n").used, scanner("P0001,A12,x\n").set_aside) == (0, 1)


def test_the_file_is_refused_when_it_only_has_its_first_line() -> None:
    with pytest.raises(FileRefused) as refused:
        scanner("Start of File,14/03/2026 09:00:00,virtual_volunteer\n\n")

    assert refused.value.problems[0].code == "file-no-rows"


@pytest.mark.parametrize(
    ("clocks", "day"),
    [
        (("14/03/2026 09:20:00", "15/03/2026 09:20:00"), "2026-03-15"),
        (("15/03/2026 09:20:00", "14/03/2026 09:20:00"), "2026-03-14"),
        (("14.3.2026", "unreadable"), "2026-03-14"),
        (("14-03-2026", "31/02/2026"), "2026-03-14"),
        (("", ""), None),
    ],
)
def test_the_day_is_that_of_the_last_readable_clock_when_files_are_dated(
    clocks: tuple[str, str], day: str | None
) -> None:
    assert scanner("".join(f"A12,P3,{clock}\n" for clock in clocks)).scanned_on == day
