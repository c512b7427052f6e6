"""Bytes of an event team's file into rows, or a refusal that names the file and the line.

What a file is, its content decides: never its name. Pure: no clock, no
disk, no network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from resultsq.domain import cldr
from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import FileKind, ReadFile, ScannerFile, StopwatchFile, TableFile, Text
from resultsq.domain.ports import Reader
from resultsq.domain.problem import Where
from resultsq.readers import scanner, spreadsheet, startofevent, table, webfms
from resultsq.readers.budget import Budget
from resultsq.readers.marks import quoted
from resultsq.readers.records import whole
from resultsq.readers.resaved import delimiter_of, restored
from resultsq.readers.rules import NO_SHEET, SHEETS_NOT_USED, SYSTEM_FILE, UNKNOWN_SHAPE, refused
from resultsq.readers.text import MAX_BYTES, MAX_ROWS, is_of_the_system, text_of

__all__ = [
    "MAX_BYTES",
    "MAX_ROWS",
    "READERS",
    "Budget",
    "FileKind",
    "ReadFile",
    "ScannerFile",
    "StopwatchFile",
    "TableFile",
    "read",
]

READERS: dict[str, Reader] = {
    "startofevent": startofevent,
    "webfms": webfms,
    "scanner": scanner,
    "table": table,
}
"""Every format that is read, in the order of asking."""

_FIELDS: Mapping[Reader, int] = {startofevent: 3, webfms: 4, scanner: 3}
"""How many fields a line of a device's file has at most."""

_MISREADS = 10
"""A scanner file may begin with misreads: so many lines are looked at before giving up on it."""


def read(name: str, content: bytes, budget: Budget | None = None) -> ReadFile:
    """Read one file. `name` is only repeated in sentences for the team; `budget` is shared with the files that came
    with it.

    :raises FileRefused: with one problem or more, each with the file and the line."""
    budget = budget or Budget()
    if is_of_the_system(name, content):
        raise refused(SYSTEM_FILE, name, 1)
    if spreadsheet.is_one(content):
        return _read_sheets(name, spreadsheet.sheets(name, content, budget))
    return _read_text(text_of(name, content, budget))


def _read_text(text: Text) -> ReadFile:
    reader, delimiter = _reader_of(text)
    return reader.read(restored(text, delimiter, _FIELDS[reader]) if reader in _FIELDS else text)


def _read_sheets(name: str, sheets: Sequence[tuple[str, Text]]) -> ReadFile:
    """The first sheet that can be an event's file; the others are named where they hold anything."""
    for title, text in sheets:
        try:
            _reader_of(text)
        except FileRefused:
            continue
        file = _read_text(text)
        others = [other for other, _ in sheets if other != title]
        if not others:
            return file
        unused = SHEETS_NOT_USED.broken([Where(file=name)], file=name, sheet=title, others=cldr.listed(others))
        return replace(file, problems=(*file.problems, unused))
    raise refused(NO_SHEET, name, 1)


def _reader_of(text: Text) -> tuple[Reader, str]:
    """Who reads it, and by what its cells are parted."""
    meaningful = list(islice(((at, line) for at, line in enumerate(text.lines, 1) if line.strip()), _MISREADS))
    at, first = meaningful[0]
    for reader in READERS.values():
        if delimiter := delimiter_of(first, reader.recognises):
            return reader, delimiter
    for line_number, _ in meaningful:
        line = whole(text.lines, line_number)[1]
        for reader in (scanner, table):
            if delimiter := delimiter_of(line, reader.recognises):
                return reader, delimiter
    raise refused(UNKNOWN_SHAPE, text.name, at, text=quoted(first.strip()))
