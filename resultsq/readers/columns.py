"""Lines of a list into named cells: a header matched on letters and digits only, whatever the case and the accents,
and commas, semicolons or tabs between cells, as spreadsheets write them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resultsq.domain.i18n import gettext
from resultsq.readers.headings import plain
from resultsq.readers.marks import UnreadableField, quoted
from resultsq.readers.records import split

Wanted = Mapping[str, Sequence[str]]
"""A column's name here → its possible headers, the best first."""


class Columns(NamedTuple):
    """Where the wanted columns stand. `whole`: the header has no other column."""

    delimiter: str
    at: Mapping[str, int]
    width: int
    whole: bool

    def of(self, cells: Sequence[str], text: str) -> dict[str, str]:
        """The wanted cells of a row; empty where it is short.

        :raises Unreadable: where a cell stands beyond the header."""
        if any(cells[self.width :]):
            raise UnreadableField(gettext("{text} has more cells than the header", text=quoted(text)))
        return {name: cells[at] if at < len(cells) else "" for name, at in self.at.items()}


def columns(line: str, wanted: Wanted) -> Columns | None:
    """The columns of a header, split by whichever delimiter finds most; None where none is wanted.

    :raises Unreadable: where two columns have the same wanted name."""
    found = [match for delimiter in ",;\t" if (match := _match(line, delimiter, wanted)).at]
    return max(found, key=lambda match: len(match.at), default=None)


def _match(line: str, delimiter: str, wanted: Wanted) -> Columns:
    try:
        names = [plain(cell) for cell in split(line, delimiter)]
    except UnreadableField:
        names = []
    at: dict[str, int] = {}
    for column, aliases in wanted.items():
        if alias := next((alias for alias in aliases if alias in names), None):
            if names.count(alias) > 1:
                raise UnreadableField(gettext("two columns are called {alias}", alias=alias))
            at[column] = names.index(alias)
    known = {alias for aliases in wanted.values() for alias in aliases}
    return Columns(delimiter, at, len(names), known.issuperset(names))
