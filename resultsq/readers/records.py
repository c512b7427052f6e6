"""Lines of a table into cells: delimiters, quotation marks, line breaks inside cells, and what spreadsheets wrap
around a cell so that it stays as it is."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from resultsq.domain.i18n import gettext
from resultsq.readers.marks import UnreadableField, quoted

DELIMITERS = ",;\t|"

_NOTHING = " \t\"'=" + DELIMITERS
"""What a spreadsheet writes for cells that hold nothing."""

_MOST_LINES = 20
"""A cell with line breaks ends within so many lines, or its quotation mark is a mistake."""

_SEP = re.compile(r'"?sep=(.)"?[,;\t]*', re.IGNORECASE)
_AS_TEXT = re.compile(r'="?([^"]*)"?|\'(.*)')


class Record(NamedTuple):
    """One row of a table. `reason` says why it cannot be read; `last` is the line it ends in."""

    line: int
    last: int
    cells: list[str]
    text: str
    reason: str = ""


def holds_anything(line: str) -> bool:
    """Whether a line has more than empty cells. One that names the delimiter holds nothing."""
    return bool(line.strip(_NOTHING)) and separator(line) is None


def separator(line: str) -> str | None:
    """The delimiter that a first line `sep=;` names."""
    found = _SEP.fullmatch(line.strip(" "))
    return found[1] if found else None


def records(lines: Sequence[str], first: int, delimiter: str) -> Iterator[Record]:
    """The rows from line `first` on (counted from 1); empty lines are rows without a cell."""
    at = first
    while at <= len(lines):
        line = lines[at - 1]
        last = _end(lines, at) if '"' in line else at
        try:
            yield Record(at, last, split("\n".join(lines[at - 1 : last]), delimiter) if line.strip() else [], line)
        except UnreadableField as reason:
            last = at
            yield Record(at, at, [], line, str(reason))
        at = last + 1


def whole(lines: Sequence[str], at: int) -> tuple[int, str]:
    """A row that begins in line `at`, with the line breaks in its cells as blanks; and the line in which it ends."""
    last = _end(lines, at) if '"' in lines[at - 1] else at
    return last, " ".join(lines[at - 1 : last])


def _end(lines: Sequence[str], at: int) -> int:
    """The line in which the cells of line `at` end."""
    marks = 0
    for last in range(at, min(at + _MOST_LINES, len(lines) + 1)):
        marks += lines[last - 1].count('"')
        if marks % 2 == 0:
            return last
    return at


def split(line: str, delimiter: str) -> list[str]:
    """The cells of one row.

    :raises Unreadable: where a quoted cell has no end."""
    if '"' not in line:
        return [_bare(cell) for cell in line.split(delimiter)]
    try:
        return [
            _bare(cell) for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
        ]
    except csv.Error:
        raise UnreadableField(gettext("the quotation marks of {text} do not match", text=quoted(line))) from None


def _bare(cell: str) -> str:
    cell = " ".join(cell.split()) if "\n" in cell else cell.strip()
    if cell[:1] in ("=", "'") and (found := _AS_TEXT.fullmatch(cell)):
        return (found[1] if found[1] is not None else found[2]).strip()
    return cell
