"""Which column of a table is what: its name says so, its cells decide where the name does not, and where both leave
it open a person is asked."""

import re
from collections.abc import Sequence
from itertools import pairwise

from resultsq.domain.event_files import TableColumn
from resultsq.readers import headings
from resultsq.readers.headings import ATHLETE, POSITION, TIME
from resultsq.readers.marks import TIME as TIME_SHAPE
from resultsq.readers.marks import read_spreadsheet_time

_LOOKS = {
    POSITION: re.compile(r"0{0,4}[1-9][0-9]{0,4}"),
    TIME: re.compile(TIME_SHAPE),
    ATHLETE: re.compile(r"[Aa][1-9][0-9]{0,30}"),
}
_ENOUGH = 0.5
_FIRST = 3
"""A column of another name looks like positions where its numbers rise from this or less."""


class _Column:
    """One column of a table while it is judged."""

    def __init__(self, name: str, cells: list[str]) -> None:
        self.name, self.cells = name, cells
        self.filled = [cell for cell in cells if cell]
        self.uses = headings.uses(name)
        self.weak = headings.plain(name) in headings.WEAK
        self.use = ""
        self.could_be: list[str] = []

    def fits(self, use: str, *, strictly: bool = False) -> bool:
        """Whether the cells look like that; `strictly` where the name does not say it."""
        looks = _LOOKS[use].fullmatch
        fitting = [cell for cell in self.filled if looks(cell) or (use == TIME and _odd_time(cell))]
        if not fitting or len(fitting) < _ENOUGH * len(self.filled):
            return False
        if use != POSITION or not strictly:
            return True
        numbers = list(map(int, fitting))
        return len(numbers) > 1 and numbers[0] <= _FIRST and all(one < other for one, other in pairwise(numbers))


def _odd_time(cell: str) -> bool:
    return read_spreadsheet_time(cell) is not None


def columns_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[TableColumn]:
    """Every column of a table, with what it is used as or may be."""
    columns = [_Column(name, [row[at] if at < len(row) else "" for row in rows]) for at, name in enumerate(names)]
    for use in (ATHLETE, TIME, POSITION):
        _by_name(use, [column for column in columns if use in column.uses and not column.use])
    for use in (ATHLETE, TIME, POSITION):
        _by_cells(use, columns)
    return [
        TableColumn(
            column.name or f"({at})" if column.filled or column.name else "",
            column.use,
            tuple(column.could_be),
            tuple(column.cells) if column.could_be else (),
        )
        for at, column in enumerate(columns, 1)
    ]


def _by_name(use: str, named: list[_Column]) -> None:
    good = [column for column in named if column.fits(use, strictly=column.weak)]
    strong = [column for column in named if not column.weak]
    if not good:
        good = strong[:1]
    if good and all(column.cells == good[0].cells for column in good):
        good[0].use = use
    else:
        for column in good:
            column.could_be.append(use)


def _by_cells(use: str, columns: list[_Column]) -> None:
    """Columns of other names that look like this one: a person is asked, unless they repeat the one that is used."""
    used = next((column.cells for column in columns if column.use == use), None)
    for column in columns:
        judged = column.use or use in column.uses or headings.plain(column.name) in headings.NOT_TIMES
        if not judged and column.cells != used and column.fits(use, strictly=True):
            column.could_be.append(use)
