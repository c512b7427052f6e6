"""Stopwatch files that begin with STARTOFEVENT, device by device."""

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import FileKind, StopwatchFile
from resultsq.readers import read

JUNSD = """STARTOFEVENT,01/01/2001 00:00:00,junsd_stopwatch
0,01/01/2001 00:00:00
1,01/01/2001 00:18:11,00:18:11
2,01/01/2001 00:19:08,00:19:08
ENDOFEVENT,01/01/2001 01:59:59
"""
ANDROID = """STARTOFEVENT,14/03/2026 09:18:11,virtual_volunteer_android
0,14/03/2026 09:18:11,00:18:11
1,14/03/2026 09:19:08,00:19:08
ENDOFEVENT,17/03/2026 20:00:00
"""
IOS = """STARTOFEVENT,14/03/2026 09:00:00,virtual_volunteer_ios
0,14/03/2026 09:00:00
1,14/03/2026 09:00:00, 00:00:00
2,14/03/2026 09:18:11, 00:18:11
3,14/03/2026 09:19:08, 00:19:08
ENDOFEVENT,14/03/2026 10:00:00
"""


def stopwatch(text: str | bytes) -> StopwatchFile:
    file = read("watch.csv", text if isinstance(text, bytes) else text.encode())
    assert isinstance(file, StopwatchFile)
    assert file.lines == file.used + file.set_aside + file.idle
    return file


def seconds(text: str | bytes) -> list[int]:
    return [row.seconds for row in stopwatch(text).rows]


def refusal(text: str | bytes) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        stopwatch(text)
    return refused.value


def codes(file: StopwatchFile) -> list[str]:
    return [problem.code for problem in file.problems]


@pytest.mark.parametrize("text", [JUNSD, ANDROID, IOS], ids=["junsd", "android", "ios"])
def test_both_finishers_are_there_when_any_device_wrote_the_file(text: str) -> None:
    assert seconds(text) == [1091, 1148]


def test_the_winner_is_kept_when_android_counts_from_zero() -> None:
    file = stopwatch(ANDROID)

    assert file.kind is FileKind.STOPWATCH
    assert file.rows[0] == (2, 1091)
    assert codes(file) == []


def test_the_start_marker_is_no_finisher_when_its_third_field_is_missing_or_empty() -> None:
    assert seconds(JUNSD.replace("0,01/01/2001 00:00:00\n", "0,01/01/2001 00:00:00,\n")) == [1091, 1148]
    assert stopwatch(JUNSD).idle == 3


def test_a_double_tap_is_dropped_and_named_when_the_first_row_is_zero() -> None:
    file = stopwatch(IOS)

    assert [problem.code for problem in file.problems] == ["double-tap-dropped"]
    assert file.problems[0].where[0].line == 3
    assert (file.used, file.set_aside, file.idle) == (2, 1, 3)


def test_a_double_tap_is_dropped_when_android_counts_from_zero() -> None:
    assert seconds(ANDROID.replace("0,14/03/2026 09:18:11,00:18:11", "0,14/03/2026 09:00:00,00:00:00")) == [1148]


def test_a_zero_time_is_kept_when_it_is_not_the_first() -> None:
    assert seconds(JUNSD.replace("00:19:08\n", "00:00:00\n")) == [1091, 0]


@pytest.mark.parametrize("date", ["12.10.2001", "01/01/2001", "31/12/1969", "no date", ""])
def test_dates_do_not_matter_when_they_are_dummies(date: str) -> None:
    assert seconds(JUNSD.replace("01/01/2001", date)) == [1091, 1148]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["last newline", "none"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n \n"], ids=["plain", "BOM", "BOM and blanks"])
def test_all_line_ends_are_one_when_files_come_from_anywhere(end: str, last: bool, bom: bytes) -> None:
    content = bom + JUNSD.replace("\n", end).encode()
    if not last:
        content = content.removesuffix(end.encode())

    assert [row.seconds for row in stopwatch(content).rows] == [1091, 1148]
    assert stopwatch(content).lines == 5 + bom.count(b"\n")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("00:19:8", 1148),
        ("0:19:8", 1148),
        ("19:08", 1148),
        ("9:8", 548),
        ("1:02:10", 3730),
        ("00:19:08.999", 1148),
        (" 00:19:08 ", 1148),
        ("99:59:59", 359_999),
    ],
)
def test_a_time_is_read_when_it_is_written_in_a_real_way(written: str, meant: int) -> None:
    assert seconds(f"STARTOFEVENT,x,y\n1,x,{written}\nENDOFEVENT,x\n") == [meant]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("62:10", "62 minutes"),
        ("1:62:10", "62 minutes"),
        ("18:60", "60 seconds"),
        ("-00:18:11", "not a time"),
        ("+18:11", "not a time"),
        ("00:18", None),
        ("0018:11", "not a time"),
        ("18", "not a time"),
        ("18:11:", "not a time"),
        ("1:1:18:11", "not a time"),
        ("٠٠:١٨:١١", "not a time"),
        ("", "missing"),
    ],
)
def test_the_line_and_the_reason_are_named_when_a_time_is_wrong(written: str, reason: str | None) -> None:
    text = JUNSD.replace("2,01/01/2001 00:19:08,00:19:08", f"2,01/01/2001 00:19:08,{written}")
    if reason is None:
        assert seconds(text) == [1091, 18]
        return
    refused = refusal(text)

    assert [problem.code for problem in refused.problems] == ["bad-line"]
    assert refused.problems[0].where[0].model_dump(exclude_none=True) == {"file": "watch.csv", "line": 4}
    assert reason in str(refused)


@pytest.mark.parametrize(
    "line",
    [
        "2,01/01/2001 00:19:08,00:19:08,more",
        "2,01/01/2001 00:19:08",
        "2,01/01",
        "2",
        "0,01/01/2001 00:19:08",
        "-2,01/01/2001 00:19:08,00:19:08",
        "x,01/01/2001 00:19:08,00:19:08",
        "STARTOFEVENT,01/01/2001 00:00:00,again",
        "A1234567,P0002,14/03/2026 09:20:00",
    ],
)
def test_the_whole_file_is_refused_when_one_line_is_bad(line: str) -> None:
    refused = refusal(JUNSD.replace("2,01/01/2001 00:19:08,00:19:08", line))

    assert refused.problems[0].where[0].line == 4
    assert "watch.csv" in str(refused)


def test_every_bad_line_is_named_when_there_are_several() -> None:
    refused = refusal(JUNSD.replace(",00:18:11\n", "\n").replace(",00:19:08\n", "\n"))

    assert [problem.where[0].line for problem in refused.problems] == [3, 4]


def test_a_line_behind_the_end_is_bad_when_it_is_not_blank() -> None:
    assert seconds(JUNSD + "\n\n") == [1091, 1148]
    assert "after the ENDOFEVENT" in str(refusal(JUNSD + "3,01/01/2001 00:20:00,00:20:00\n"))


@pytest.mark.parametrize("cut", range(1, 31))
def test_nothing_is_read_wrong_when_the_file_is_cut_in_its_last_row(cut: int) -> None:
    whole = JUNSD.partition("ENDOFEVENT")[0].removesuffix("\n")
    row = len("2,01/01/2001 00:19:08,00:19:08")
    part = whole[: len(whole) - cut]
    if cut == row:  # the row before is whole again
        assert seconds(part) == [1091]
        return

    assert refusal(part).problems[0].where[0].line == 4


def test_an_unpadded_last_time_is_taken_when_others_are_unpadded_too() -> None:
    text = "STARTOFEVENT,x,y\n1,x,00:18:1\n2,x,00:19:8"

    assert codes(stopwatch(text)) == ["no-end-marker"]
    assert seconds(text) == [1081, 1148]
    assert seconds("STARTOFEVENT,x,y\n1,x,0:18:11\n2,x,0:19:8") == [1091, 1148]


def test_a_single_time_is_refused_when_the_file_may_end_inside_it() -> None:
    assert refusal("STARTOFEVENT,x,y\n1,x,00:19:4").problems[0].where[0].line == 2
    assert seconds("STARTOFEVENT,x,y\n1,x,00:19:4\n") == [1144]
    assert seconds("STARTOFEVENT,x,y\n1,x,00:19:48") == [1188]


def test_a_missing_end_is_told_when_the_rows_are_whole() -> None:
    file = stopwatch(JUNSD.partition("ENDOFEVENT")[0])

    assert codes(file) == ["no-end-marker"]
    assert "cut off" in file.problems[0].message


@pytest.mark.parametrize("numbers", [(1, 1, 2), (1, 3, 4), (3, 2, 1), (5, 6, 7), (0, 2, 3)])
def test_the_order_is_kept_and_told_when_numbers_are_odd(numbers: tuple[int, ...]) -> None:
    rows = "".join(f"{number},x,00:2{index}:00\n" for index, number in enumerate(numbers))
    file = stopwatch(f"STARTOFEVENT,x,y\n{rows}ENDOFEVENT,x\n")

    assert codes(file) == ["irregular-numbering"]
    assert [row.seconds for row in file.rows] == [1200, 1260, 1320]


def test_every_odd_row_is_placed_when_numbers_repeat() -> None:
    file = stopwatch("STARTOFEVENT,x,y\n1,x,20:00\n1,x,21:00\n2,x,22:00\n2,x,23:00\nENDOFEVENT,x\n")

    assert [where.line for where in file.problems[0].where] == [3, 5]


@pytest.mark.parametrize(
    "text",
    [
        "STARTOFEVENT",
        "STARTOFEVENT,x,y\n0,x\nENDOFEVENT,x\n",
        "STARTOFEVENT,x,y\n1,x,00:00:00\nENDOFEVENT,x\n",
    ],
)
def test_the_file_is_refused_when_nobody_finished(text: str) -> None:
    assert [problem.code for problem in refusal(text).problems] == ["file-no-rows"]


def test_falling_and_equal_times_stay_when_the_file_has_them() -> None:
    assert seconds("STARTOFEVENT,x,y\n1,x,20:00\n2,x,20:00\n3,x,19:00\nENDOFEVENT,x\n") == [1200, 1200, 1140]


def test_the_file_is_refused_when_it_has_more_rows_than_are_taken() -> None:
    rows = "".join(f"{number},x,20:00\n" for number in range(1, 20_002))
    refused = refusal(f"STARTOFEVENT,x,y\n{rows}ENDOFEVENT,x\n")

    assert [problem.code for problem in refused.problems] == ["too-many-rows"]
