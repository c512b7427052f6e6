"""The rehearsal's files: of real formats, and of all of them."""

import random
import re
from datetime import date

import pytest

from resultsq import readers
from resultsq.domain.event_files import ScannerFile, StopwatchFile
from resultsq.drill import files
from resultsq.drill.files import Upload

DAY = date(2013, 12, 7)


def some(count: int) -> list[Upload]:
    rng = random.Random(7)
    return [files.upload(rng, f"event-{number}", DAY, finishers=rng.randrange(4, 60)) for number in range(count)]


@pytest.fixture(scope="module")
def many() -> list[Upload]:
    return some(200)


def lines(content: bytes) -> list[str]:
    return content.decode().splitlines()


def seconds(time: str) -> int:
    hours, minutes, rest = map(int, time.split(":"))
    return hours * 3600 + minutes * 60 + rest


def test_the_files_are_the_same_when_the_seed_is() -> None:
    assert some(5) == some(5)


def test_every_row_is_in_the_stopwatch_once_and_in_order_when_files_are_made(many: list[Upload]) -> None:
    for upload in many:
        rows = [line.split(",") for line in lines(upload.files[0][1])[1:-1]]
        elapsed = [seconds(row[2]) for row in rows if len(row) == 3]
        expected = [seconds(row.time) for row in upload.finishers if row.time]

        assert [each for each in elapsed if each] == expected
        assert [row.position for row in upload.finishers] == list(range(1, len(expected) + 1))


def test_every_athlete_is_scanned_at_the_own_position_when_files_are_made(many: list[Upload]) -> None:
    for upload in many:
        scans = {
            (found[1], int(found[2]))
            for _, content in upload.files[1:]
            for line in lines(content)
            if (found := re.match(r"(A\d+),P(\d+),", line))
        }

        assert scans == {(row.athlete, row.position) for row in upload.finishers if row.athlete}


def test_the_readers_find_the_intended_rows_when_they_read_the_files(many: list[Upload]) -> None:
    for upload in many:
        read = [readers.read(name, content) for name, content in upload.files]
        times = [row.seconds for file in read if isinstance(file, StopwatchFile) for row in file.rows]
        pairs = {row.token: row.athlete for file in read if isinstance(file, ScannerFile) for row in file.rows}

        assert times == [seconds(row.time) for row in upload.finishers if row.time]
        assert pairs == {row.position: row.athlete for row in upload.finishers if row.athlete}


@pytest.mark.parametrize(
    ("what", "shape"),
    [
        ("a winner in row 0", rb"^STARTOFEVENT,[^\n]*\n0,[^,\n]*,\d\d:\d\d:\d\d\n"),
        ("a start marker in row 0", rb"^STARTOFEVENT,[^\r\n]*[\r\n]+0,[^,\r\n]*[\r\n]"),
        ("a space before the time", rb", \d\d:\d\d:\d\d\n"),
        ("seconds without a leading zero", rb",0:\d\d:\d[\r\n]"),
        ("a double tap at the start", rb"\n1,[^,\n]*,0?0:00:0?0"),
        ("lone carriage returns", rb"\r[^\n]"),
        ("both line ends", rb"\r\n"),
        ("no last newline", rb"ENDOFEVENT,[^\r\n]*\Z"),
        ("a misread", rb"(?m)^&d\d{3},"),
        ("a scanner app's first line", rb"^Start of File,"),
        ("no leading zeros in a token", rb",P[1-9]\d?,"),
    ],
)
def test_every_oddity_of_real_files_occurs_when_many_are_made(what: str, shape: bytes, many: list[Upload]) -> None:
    contents = [content for upload in many for _, content in upload.files]

    assert any(re.search(shape, content) for content in contents), what


def test_an_event_is_of_real_size_when_nobody_says_how_large() -> None:
    rng = random.Random(1)
    sizes = [files.field_size(rng) for _ in range(5_000)]

    assert 4 <= min(sizes) < max(sizes) <= 1000
    assert 110 < sum(sizes) / len(sizes) < 165


def test_a_correction_says_one_athlete_more_and_nothing_else_when_it_is_made(many: list[Upload]) -> None:
    rng = random.Random(3)
    for upload in many:
        again = files.correction(rng, upload)
        differing = [
            (before, after) for before, after in zip(upload.finishers, again.finishers, strict=True) if before != after
        ]
        [(before, after)] = differing

        assert (again.event, again.date) == (upload.event, upload.date)
        assert (after.position, after.time) == (before.position, before.time)
        assert after.athlete not in {None, *(row.athlete for row in upload.finishers)}
        assert before.athlete is None or all(row.athlete for row in upload.finishers)
        assert lines(again.files[0][1])[-1].startswith("ENDOFEVENT")
