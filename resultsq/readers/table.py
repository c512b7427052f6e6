"""Finished tables: a spreadsheet's export, or rows that were typed or pasted.

    position,time,athlete
    1,00:18:11,A1234567

The header may have other columns and other orders. Without a position the order of the lines is the
position; without times or athletes the table stands in for the scanners or the stopwatch.
"""

import re
from typing import Final

from resultsq.domain.event_files import FileKind, TableFile, TableRow, Text
from resultsq.domain.words import say
from resultsq.readers.columns import Columns, columns
from resultsq.readers.marks import Unreadable, quoted, read_athlete, read_time
from resultsq.readers.rules import NO_ROWS, bad_lines, refused
from resultsq.readers.text import check_rows

KIND: Final = FileKind.TABLE

WANTED: Final = {
    "position": ("position", "finishposition", "place"),
    "time": ("finishtime", "time"),
    # where a table has both, the column called athlete holds names
    "athlete": ("athleteid", "barcode", "athlete", "bib"),
}

_POSITION = re.compile(r"0{0,4}[1-9][0-9]{0,4}")
_UNKNOWN = frozenset({"", "null", "unknown"})


def recognises(line: str) -> bool:
    try:
        header = columns(line, WANTED)
    except Unreadable:
        return True
    return header is not None and (len(header.at) > 1 or header.whole)


def read(text: Text) -> TableFile:
    """:raises FileRefused: where a line is bad, naming each of them."""
    rows: list[TableRow] = []
    bad: dict[int, str] = {}
    idle = 0
    header: Columns | None = None
    for at, line in enumerate(text.lines, 1):
        if not line.strip():
            idle += 1
            continue
        try:
            if header is None:
                header = columns(line, WANTED)
                idle += 1
                continue
            cells = header.cells(line)
            if any(cells.values()):
                rows.append(_row(at, len(rows) + 1, cells))
            else:
                idle += 1
        except Unreadable as reason:
            bad[at] = str(reason)
            if header is None:
                break
    if bad:
        raise bad_lines(text.name, bad)
    if not rows:
        raise refused(NO_ROWS, text.name, len(text.lines))
    check_rows(text, len(rows))
    return TableFile(name=text.name, digest=text.digest, lines=len(text.lines), idle=idle, rows=tuple(rows))


def _row(line: int, place: int, cells: dict[str, str]) -> TableRow:
    position, time, athlete = cells.get("position"), cells.get("time"), cells.get("athlete", "")
    if position is not None:
        if not _POSITION.fullmatch(position):
            raise Unreadable(say("{text} is not a position, which is a number from 1", text=quoted(position)))
        place = int(position)
    return TableRow(
        line,
        place,
        read_time(time) if time else None,
        None if athlete.lower() in _UNKNOWN else read_athlete(athlete),
    )
