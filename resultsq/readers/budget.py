"""What may be read of all files that came together: the bound of a request's processor time.

One file's own bounds are not enough: fifty files of nonsense cost fifty times as much, and one that is refused is no
cheaper than one that is read."""

from typing import Final

from resultsq.readers.records import DELIMITERS
from resultsq.readers.rules import TOO_MUCH_TOGETHER, refused

MOST_CELLS: Final = 330_000
"""Of lines and their cells. Eighty thousand lines of a scanner, with three cells each, have 320,000."""

MOST_ELEMENTS: Final = 300_000
"""Of XML. A spreadsheet of twenty thousand rows with three columns has about 200,000."""

MOST_UNPACKED: Final = 24 * 1024 * 1024
"""Bytes of XML that are unpacked of spreadsheets. Twenty thousand rows have about eight million."""

_DEAR = '"' + DELIMITERS


class Budget:
    """The rest of each bound. A file that asks for more than that is refused before it is read."""

    def __init__(self) -> None:
        self.cells = MOST_CELLS
        self.elements = MOST_ELEMENTS
        self.unpacked = MOST_UNPACKED

    def spend(self, name: str, text: str, lines: int) -> None:
        """Take a file's lines, cells and quotation marks, without splitting the lines.

        :raises FileRefused: they are more than the rest."""
        found = 2 * lines + sum(map(text.count, _DEAR))  # a line, and one cell more than it has delimiters
        if found > self.cells:
            raise refused(TOO_MUCH_TOGETHER, name, 1)
        self.cells -= found
