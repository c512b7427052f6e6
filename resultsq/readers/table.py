"""Finished tables: a spreadsheet's export, or rows that were typed or pasted.

    position,time,athlete
    1,00:18:11,A1234567

The header may have other names, other columns and other orders, and stand below a title, which is named as not used.
Every column is used, asked about (`could_be`), or named as not used. Without a position the order of the lines is the
position; without times or athletes the table stands in for the scanners or the stopwatch.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from resultsq.domain.event_files import FileKind, TableColumn, TableFile, TableRow, Text
from resultsq.domain.i18n import gettext
from resultsq.readers import headings
from resultsq.readers.guess import columns_of
from resultsq.readers.headings import ATHLETE, POSITION
from resultsq.readers.marks import (
    POSITION_SHAPE,
    UnreadableField,
    place_of,
    quoted,
    read_athlete,
    read_spreadsheet_time,
    read_time,
)
from resultsq.readers.records import DELIMITERS, Record, holds_anything, records, separator, split, whole
from resultsq.readers.rules import LINES_ABOVE_HEADER, NO_ROWS, above_header, bad_lines, refused
from resultsq.readers.text import check_rows

KIND: Final = FileKind.TABLE

_POSITION = re.compile(POSITION_SHAPE, re.IGNORECASE)
_MOST_ABOVE = 100
"""A header stands within so many lines that hold anything."""


class _Header(NamedTuple):
    """`above` are the lines before it that hold anything."""

    line: int
    delimiter: str
    names: list[str]
    above: tuple[int, ...] = ()


def recognises(line: str) -> bool:
    return _header_of(line, 1, DELIMITERS) is not None


def _header_of(line: str, at: int, delimiters: str) -> _Header | None:
    """The names in a header, split by whichever delimiter finds most that are known; two must be, or all that there
    are. A column may have no name, so a lone cell with another delimiter in it was split by the wrong one."""
    best, most = None, 0
    for delimiter in delimiters:
        try:
            names = split(line, delimiter)
        except UnreadableField:
            continue
        if len(names) == 1 and any(one in names[0] for one in DELIMITERS):
            continue
        known = sum(bool(headings.uses(name)) for name in names)
        if known > most and (known > 1 or known == sum(map(bool, names))):
            best, most = _Header(at, delimiter, names), known
    return best


def _find_header(text: Text) -> _Header:
    delimiters, above = DELIMITERS, list[int]()
    for at, line in enumerate(text.lines, 1):
        last, row = whole(text.lines, at)
        if named := separator(line):
            delimiters = named
        elif header := _header_of(row, last, delimiters):
            return header._replace(above=tuple(above))
        elif holds_anything(line):
            above.append(at)
            if len(above) > _MOST_ABOVE:
                break
    raise refused(NO_ROWS, text.name, len(text.lines))


def read(text: Text) -> TableFile:
    """:raises FileRefused: where a line is bad, naming each of them."""
    header = _find_header(text)
    bad: dict[int, str] = {}
    kept: list[Record] = []
    for record in records(text.lines, header.line + 1, header.delimiter):
        if record.reason:
            bad[record.line] = record.reason
        elif any(record.cells[len(header.names) :]):
            bad[record.line] = gettext("{text} has more cells than the header", text=quoted(record.text))
        elif any(record.cells):
            kept.append(record)
    check_rows(text, len(kept) + len(bad))
    columns = columns_of(header.names, [record.cells for record in kept])
    rows: list[TableRow] = []
    changed = False
    for record in kept:
        try:
            row, odd = _row(record, len(rows) + 1, columns)
        except UnreadableField as reason:
            bad[record.line] = str(reason)
        else:
            rows.append(row)
            changed |= odd
    if bad:
        raise bad_lines(text.name, dict(sorted(bad.items())))
    if not rows:
        raise refused(NO_ROWS, text.name, len(text.lines))
    return TableFile(
        name=text.name,
        digest=text.digest,
        lines=len(text.lines),
        idle=len(text.lines) - len(rows),
        problems=above_header(LINES_ABOVE_HEADER, text.name, [(at, text.lines[at - 1]) for at in header.above]),
        rows=tuple(rows),
        columns=tuple(columns),
        changed=changed,
    )


def _row(record: Record, place: int, columns: Sequence[TableColumn]) -> tuple[TableRow, bool]:
    row, changed = TableRow(record.line, place, None, None), False
    for column, cell in zip(columns, record.cells, strict=False):
        if column.use:
            row, odd = with_cell(row, column.use, cell)
            changed |= odd
    position_is_missing = any(column.use == POSITION for column in columns[len(record.cells) :])
    return with_cell(row, POSITION, "") if position_is_missing else (row, changed)


def with_cell(row: TableRow, use: str, cell: str) -> tuple[TableRow, bool]:
    """The row with a cell used as its position, time or athlete; whether a spreadsheet had changed the time.

    :raises Unreadable: the cell cannot be read as that."""
    if use == POSITION:
        if not _POSITION.fullmatch(cell):
            raise UnreadableField(gettext("{text} is not a position, which is a number from 1", text=quoted(cell)))
        return row._replace(position=place_of(cell)), False
    if use == ATHLETE:
        return row._replace(athlete=None if is_unknown(cell) else read_athlete(cell)), False
    if is_unknown(cell):
        return row._replace(seconds=None), False
    seconds = read_spreadsheet_time(cell)
    return row._replace(seconds=read_time(cell) if seconds is None else seconds), seconds is not None


_UNKNOWN_WORDS = """
    null none nil na n/a n.a. nan a0 0 ? ?? ??? - -- – — unknown unbekannt inconnu inconnue nieznany nieznana
    sconosciuto desconocido onbekend ukendt okänd tuntematon ukjent desconhecido
"""
_UNKNOWN = frozenset(_UNKNOWN_WORDS.split())


def is_unknown(cell: str) -> bool:
    """Whether a cell says that nothing is known."""
    return not cell or cell.casefold() in _UNKNOWN


def whole_athlete(cell: str) -> str:
    """With its A, where a person has said that these are athletes."""
    if is_unknown(cell):
        return cell
    if cell.isascii() and cell.isdecimal():
        return f"A{cell}"
    return cell.replace("a", "A", 1) if cell[1:].isdecimal() else cell


def use_column(table: TableFile, index: int, use: str) -> TableFile:
    """The table with an open column used as its position, time or athlete; with an empty `use` it is left out.

    :raises Unreadable: one of its cells cannot be; the reason names the line."""
    chosen = table.columns[index]
    rows, changed = list(table.rows), table.changed
    for at, cell in enumerate(chosen.cells if use else ()):
        meant = whole_athlete(cell) if use == ATHLETE else cell
        try:
            rows[at], odd = with_cell(rows[at], use, meant)
        except UnreadableField as reason:
            raise UnreadableField(gettext("line {line}: {reason}", line=rows[at].line, reason=reason)) from None
        changed |= odd
    columns = [_decided(column, use) for column in table.columns]
    columns[index] = TableColumn(chosen.name, use)
    return replace(table, rows=tuple(rows), columns=tuple(columns), changed=changed)


def _decided(column: TableColumn, use: str) -> TableColumn:
    """A column beside one that was chosen: it can no more be the same."""
    if not use:
        return column
    if column.use == use:
        return TableColumn(column.name)
    left = tuple(other for other in column.could_be if other != use)
    return column if left == column.could_be else TableColumn(column.name, "", left, column.cells if left else ())
