"""Which column of a table is what: its name says so, its cells decide where the name does not, and where both leave
it open a person is asked."""

import re
from collections.abc import Sequence
from itertools import pairwise

from resultsq.domain.event_files import TableColumn
from resultsq.domain.i18n import gettext
from resultsq.readers import headings
from resultsq.readers.headings import ATHLETE, POSITION, TIME
from resultsq.readers.marks import POSITION_SHAPE, place_of, read_spreadsheet_time
from resultsq.readers.marks import TIME as TIME_SHAPE

_LOOKS = {
    POSITION: re.compile(POSITION_SHAPE, re.IGNORECASE),
    TIME: re.compile(TIME_SHAPE),
    ATHLETE: re.compile(r"[Aa][1-9][0-9]{0,30}"),
}
_LOOSE = re.compile(r"[Aa]?[1-9][0-9]{0,30}")
"""An athlete as people write one: with a small a, or with the number alone, which may be that of a shirt."""

_ENOUGH = 0.5
_SAMPLE = 20
"""Characters of a cell that stand for its column."""

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

    @property
    def has_barcodes(self) -> bool:
        return self.fits(ATHLETE) and not self.is_loose

    @property
    def is_loose(self) -> bool:
        """Whether these are athletes, not all of them as on a barcode."""
        written = [cell for cell in self.filled if cell.strip("0") and any(map(str.isdigit, cell))]
        return (
            all(map(_LOOSE.fullmatch, written))
            and len(written) >= max(1, _ENOUGH * len(self.filled))
            and not all(cell.startswith("A") for cell in written)
        )

    def fits(self, use: str, *, strictly: bool = False) -> bool:
        """Whether the cells look like that; `strictly` where the name does not say it."""
        looks = _LOOKS[use].fullmatch
        fitting = [cell for cell in self.filled if looks(cell) or (use == TIME and _odd_time(cell))]
        if not fitting or len(fitting) < _ENOUGH * len(self.filled):
            return False
        if use != POSITION or not strictly:
            return True
        numbers = list(map(place_of, fitting))
        return len(numbers) > 1 and numbers[0] <= _FIRST and all(one < other for one, other in pairwise(numbers))


def _odd_time(cell: str) -> bool:
    return read_spreadsheet_time(cell) is not None


def columns_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[TableColumn]:
    """Every column of a table, with its use or its possible uses."""
    columns = [_Column(name, [row[at] if at < len(row) else "" for row in rows]) for at, name in enumerate(names)]
    _ask_of_loose_athletes(columns, weak=False)
    for use in (ATHLETE, TIME, POSITION):
        _by_name(use, [one for one in columns if use in one.uses and not one.use and use not in one.could_be])
    for use in (ATHLETE, TIME, POSITION):
        _by_cells(use, columns)
    _ask_of_loose_athletes(columns, weak=True)
    return [
        TableColumn(
            column.name or _nameless(at, column.filled),
            column.use,
            tuple(column.could_be),
            tuple(column.cells) if column.could_be else (),
        )
        for at, column in enumerate(columns, 1)
    ]


def _nameless(at: int, filled: Sequence[str]) -> str:
    """A column without a name, by its letter and its first cells; nothing where it is empty."""
    if not filled:
        return ""
    letter, left = "", at
    while left:
        left, rest = divmod(left - 1, 26)
        letter = chr(ord("A") + rest) + letter
    samples = ", ".join(cell[:_SAMPLE] for cell in filled[:2])
    return gettext("column {letter} ({samples})", letter=letter, samples=samples)


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


def _ask_of_loose_athletes(columns: list[_Column], *, weak: bool) -> None:
    """Where no column has athletes as they are on barcodes, one that is named so and has them written loosely is asked
    about, once for the whole file."""
    named = [column for column in columns if ATHLETE in column.uses]
    if any(column.use == ATHLETE or column.could_be or column.has_barcodes for column in named):
        return
    for column in named:
        lettered = any(cell[0] in "Aa" for cell in column.filled)
        if (column.weak and not lettered) == weak and not column.use and column.is_loose:
            column.could_be.append(ATHLETE)


def _by_cells(use: str, columns: list[_Column]) -> None:
    """Columns of other names that look like this one: a person is asked, unless they repeat the one that is used."""
    used = next((column.cells for column in columns if column.use == use), None)
    for column in columns:
        judged = column.use or use in column.uses or headings.plain(column.name) in headings.NOT_TIMES
        if not judged and column.cells != used and column.fits(use, strictly=True):
            column.could_be.append(use)
