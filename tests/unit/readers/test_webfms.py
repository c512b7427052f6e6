"""Stopwatch files that were downloaded from WebFMS or EMS."""

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import StopwatchFile
from resultsq.readers import read

FILE = """I, CP765, 47
S, 001, SPLIT
T,1,1,00:18:11.000
T,2,2,00:19:08.999
"""


def stopwatch(text: str) -> StopwatchFile:
    file = read("watch.txt", text.encode())
    assert isinstance(file, StopwatchFile)
    assert file.lines == file.used + file.set_aside + file.idle
    return file


def seconds(text: str) -> list[int]:
    return [row.seconds for row in stopwatch(text).rows]


def refusal(text: str) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        stopwatch(text)
    return refused.value


def test_times_lose_their_fraction_when_they_are_read() -> None:
    file = stopwatch(FILE)

    assert [row.seconds for row in file.rows] == [1091, 1148]
    assert (file.idle, file.problems) == (2, ())


def test_the_second_field_is_the_position_when_lines_stand_in_another_order() -> None:
    file = stopwatch(FILE.replace("T,1,", "T,3,") + "\nT,1,9,00:17:00.000")

    assert [row.seconds for row in file.rows] == [1020, 1148, 1091]
    assert file.problems == ()


def test_odd_positions_are_told_when_one_is_missing() -> None:
    file = stopwatch(FILE.replace("T,2,", "T,3,"))

    assert [(problem.code, problem.where[0].line) for problem in file.problems] == [("irregular-numbering", 4)]
    assert [row.seconds for row in file.rows] == [1091, 1148]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("T,2,2,00:62:08.000", "62 minutes"),
        ("T,x,2,00:19:08.000", "not a position"),
        ("T,2,00:19:08.000", "not a line of T"),
        ("T,2,2,00:19:08.000,1", "not a line of T"),
        ("X,2,2,00:19:08.000", "not a line of T"),
        ("T,2,2", "not a line of T"),
    ],
)
def test_the_whole_file_is_refused_when_one_line_is_bad(line: str, reason: str) -> None:
    refused = refusal(FILE.replace("T,2,2,00:19:08.999", line))

    assert refused.problems[0].where[0].line == 4
    assert reason in str(refused)


def test_the_file_is_refused_when_it_is_cut_in_its_last_time() -> None:
    assert "cut off" in str(refusal(FILE.removesuffix("8.999\n")))
    assert seconds(FILE.removesuffix("\n")) == [1091, 1148]


def test_the_file_is_refused_when_nobody_finished() -> None:
    assert refusal("I, CP765, 0\nS, 001, SPLIT\n").problems[0].code == "file-no-rows"
