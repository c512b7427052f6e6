"""A spreadsheet's archive, unpacked as a stream within bounds, and the rows that come out of it."""

import zipfile
from collections.abc import Mapping
from typing import Protocol
from xml.parsers import expat

from resultsq.readers.budget import Budget
from resultsq.readers.text import MAX_LINE, MAX_ROWS

_CHUNK = 64 * 1024
_MOST_TEXT = 16 * 1024 * 1024


class Broken(Exception):
    """The document is not what it says."""


class UnpacksTooLarge(Exception):
    """More is in it than any event's results."""


class Handler(Protocol):
    """Receives a document's elements; names come without their prefix."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, name: str) -> None: ...
    def text(self, data: str) -> None: ...


class Archive:
    """The documents of one archive."""

    def __init__(self, archive: zipfile.ZipFile, budget: Budget) -> None:
        self._archive = archive
        self._budget = budget
        self.names = frozenset(archive.namelist())

    def parse(self, member: str, handler: Handler) -> None:
        """Let the handler see every element of a document.

        :raises TooLarge, Broken, zipfile.BadZipFile, zlib.error, expat.ExpatError, RuntimeError: it cannot be."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        bare, end, begin = _BareNames(), handler.end, handler.start
        budget = self._budget

        def start(name: str, attributes: dict[str, str]) -> None:
            budget.elements -= 1
            if budget.elements < 0:
                raise UnpacksTooLarge
            begin(bare[name], {bare[key]: value for key, value in attributes.items()} if attributes else attributes)

        parser.StartDoctypeDeclHandler = _no_doctype
        parser.StartElementHandler = start
        parser.EndElementHandler = lambda name: end(bare[name])
        parser.CharacterDataHandler = handler.text
        with self._archive.open(member) as stream:
            while chunk := stream.read(_CHUNK):
                budget.unpacked -= len(chunk)
                if budget.unpacked < 0:
                    raise UnpacksTooLarge
                parser.Parse(chunk)
        parser.Parse(b"", True)


class _BareNames(dict[str, str]):
    """Each name without its prefix. A document repeats a few names as often as it has cells; one whose names all differ
    is bounded as its elements are."""

    def __missing__(self, name: str) -> str:
        self[name] = bare = name.rpartition(":")[2]
        return bare


def _no_doctype(*_: object) -> None:
    # entities of its own could make gigabytes out of a line
    raise Broken


class Grid:
    """The rows of one sheet as lines of CSV. Rows and cells come in their order; gaps are filled when something
    comes behind them."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.lines: list[str] = []
        self._line = ""
        self._column = 0
        self._size = 0

    def cell(self, text: str, column: int) -> None:
        """A cell of the present row; `column` counts from 0."""
        if not (text := " ".join(text.split())):
            return
        if self._line and column <= self._column:
            raise Broken
        self._line += "," * (column - self._column) + _quoted(text)
        self._column = column
        if len(self._line) > MAX_LINE:
            raise UnpacksTooLarge

    def end_row(self, row: int, count: int = 1) -> None:
        """The present row ends, as row `row` (from 1), and is there `count` times."""
        line, self._line, self._column = self._line, "", 0
        if not line:
            return
        last = row + count - 1
        self._size += last - len(self.lines) + len(line) * count
        if last > 3 * MAX_ROWS or self._size > _MOST_TEXT:
            raise UnpacksTooLarge
        self.lines.extend([""] * (row - 1 - len(self.lines)))
        self.lines.extend([line] * count)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell


def clock(seconds: float) -> str:
    """A time as it is written here; fractions of a second are cut off."""
    whole = int(seconds + 0.001)  # a fraction of a day is never quite exact
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
