"""Bytes of an event team's file into rows, or a refusal that names the file and the line.

What a file is, its content decides: never its name, never the slot it was dropped in. Pure: no clock, no
disk, no network.
"""

from itertools import islice

from resultsq.domain.event_files import FileKind, ReadFile, ScannerFile, StopwatchFile, TableFile, Text
from resultsq.domain.ports import Reader
from resultsq.domain.words import say, sentence
from resultsq.readers import scanner, startofevent, table, webfms
from resultsq.readers.marks import quoted
from resultsq.readers.rules import UNKNOWN_SHAPE, WRONG_SLOT, refused
from resultsq.readers.text import MAX_BYTES, MAX_ROWS, text_of

__all__ = [
    "MAX_BYTES",
    "MAX_ROWS",
    "READERS",
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

_SLOTS = {
    FileKind.STOPWATCH: sentence("stopwatch"),
    FileKind.SCANNER: sentence("scanner"),
    FileKind.TABLE: sentence("table"),
}
_MISREADS = 10
"""A scanner file may begin with misreads: so many lines are looked at before giving up on it."""


def read(name: str, content: bytes, slot: FileKind | None = None) -> ReadFile:
    """Read one file. `name` is only repeated in sentences for the team; `slot` is what the team said it is.

    :raises FileRefused: with one problem or more, each with the file and the line."""
    text = text_of(name, content)
    reader = _reader_of(text)
    if slot not in (None, reader.KIND):
        raise refused(WRONG_SLOT, name, 1, kind=say(_SLOTS[reader.KIND]), slot=say(_SLOTS[slot or reader.KIND]))
    return reader.read(text)


def _reader_of(text: Text) -> Reader:
    meaningful = list(islice(((at, line) for at, line in enumerate(text.lines, 1) if line.strip()), _MISREADS))
    at, first = meaningful[0]
    for reader in READERS.values():
        if reader.recognises(first):
            return reader
    if any(scanner.recognises(line) for _, line in meaningful):
        return scanner
    raise refused(UNKNOWN_SHAPE, text.name, at, text=quoted(first.strip()))
