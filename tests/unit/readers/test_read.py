"""Which file is it, and what is no file of an event at all."""

import pytest

from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import FileKind
from resultsq.domain.problem import Severity
from resultsq.readers import MAX_BYTES, READERS, read

WATCH = b"STARTOFEVENT,x,y\n1,x,18:11\nENDOFEVENT,x\n"
SCANNER = b"A12,P3,14/03/2026 09:20:00\n"
TABLE = b"position,time,athlete\n1,18:11,A12\n"


def refusal(content: bytes) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        read("some file", content)
    for problem in refused.value.problems:
        assert problem.severity is Severity.BLOCKS
        assert problem.where[0].file == "some file"
        assert problem.where[0].line is not None
    return refused.value


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (WATCH, FileKind.STOPWATCH),
        (b"I, CP765, 47\nT,1,1,00:18:11.000\n", FileKind.STOPWATCH),
        (SCANNER, FileKind.SCANNER),
        (b",P0003,x\n", FileKind.SCANNER),
        (b"null,P0003,x\n", FileKind.SCANNER),
        (b"Start of File,x,y\nA12,P3,x\n", FileKind.SCANNER),
        (TABLE, FileKind.TABLE),
    ],
)
@pytest.mark.parametrize("name", ["scanner.csv", "stopwatch.csv", "table.xlsx", ""])
@pytest.mark.parametrize("before", [b"", b"\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n   \n"])
def test_the_content_decides_when_the_name_says_anything(
    content: bytes, kind: FileKind, name: str, before: bytes
) -> None:
    assert read(name, before + content).kind is kind
    assert read(name, before + content).name == name


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file-empty"),
        (b"\xef\xbb\xbf\r\n \t\n", "file-empty"),
        ("\u2003\u00a0\n".encode(), "file-empty"),
        (b"STARTOFEVENT,x,y\n1,x,18:11\n\0", "file-control-bytes"),
        (b"A12,P3,x\x1a\n", "file-control-bytes"),
        ("position,time\0".encode("utf-16"), "file-control-bytes"),
        (b"\xff\xfe" + "position,time".encode("utf-16-le"), "file-no-rows"),
        (b"Dear team\nall went well\n", "file-unknown-shape"),
        (b"1,01/01/2001 00:18:11,00:18:11\n", "file-unknown-shape"),
        (b"<html>", "file-unknown-shape"),
        (b"\xff\xfe\xfd", "file-unknown-shape"),
        (b"PK\x03\x04stuff", "file-archive"),
        (b"\x1f\x8bstuff", "file-archive"),
        (b"%PDF-1.7", "file-not-results"),
        (b"\x89PNG\r\n\x1a\n", "file-not-results"),
        (b"\xff\xd8\xff\xe0JFIF", "file-not-results"),
        (b"\0\0\0\x18ftypheic", "file-not-results"),
        (b"\xd0\xcf\x11\xe0old", "file-archive"),
        (WATCH + b" " * MAX_BYTES, "file-too-large"),
        (SCANNER + b"x" * 10_001, "line-too-long"),
        (SCANNER + b"," * 1_000_000, "line-too-long"),
        (SCANNER * 20_001, "too-many-rows"),
        (SCANNER + b"\n" * 100_000, "too-many-rows"),
        (b"\n" * MAX_BYTES, "file-empty"),
    ],
)
def test_the_reason_is_its_own_when_a_file_is_none_of_ours(content: bytes, code: str) -> None:
    assert [problem.code for problem in refusal(content).problems] == [code]


def test_the_line_is_named_when_control_bytes_are_in_it() -> None:
    assert refusal(b"A12,P3,x\r\nA13,P4,x\rA14\0,P5,x\n").problems[0].where[0].line == 3


def test_the_line_is_named_when_it_is_too_long() -> None:
    assert refusal(SCANNER * 2 + b"x" * 10_001 + b"\n").problems[0].where[0].line == 3


def test_a_long_line_is_cut_when_a_sentence_quotes_it() -> None:
    assert len(str(refusal(b"x" * 10_000))) < 500


def test_the_same_content_is_the_same_file_when_it_has_another_name() -> None:
    assert read("a", WATCH).digest == read("b", WATCH).digest
    assert read("a", WATCH).digest != read("a", WATCH + b"\n").digest


def test_names_are_kept_when_a_spreadsheet_wrote_windows_1252() -> None:
    content = "position,time,Prénom\n1,18:11,Zoë\n".encode("cp1252")

    assert read("table", content).kind is FileKind.TABLE


def test_every_format_has_its_reader_when_they_are_listed() -> None:
    assert {reader.KIND for reader in READERS.values()} == set(FileKind)
