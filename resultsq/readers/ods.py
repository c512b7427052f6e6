"""The sheets of an .ods document: cell values as a person sees them, times as H:MM:SS."""

import re
from collections.abc import Mapping
from typing import Final

from resultsq.readers.text import MAX_LINE, MAX_ROWS
from resultsq.readers.unpacked import Archive, Grid, UnpacksTooLarge, clock

CONTENT: Final = "content.xml"
_DURATION = re.compile(r"PT(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})(?:[.,][0-9]+)?S)?")


class _Content:
    def __init__(self) -> None:
        self.grids: list[Grid] = []
        self._row = self._column = 0
        self._rows = self._cells = 1
        self._attributes: Mapping[str, str] = {}
        self._parts: list[str] = []
        self._paragraphs = self._hidden = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        match name:
            case "table":
                self.grids.append(Grid(attributes.get("name", "")))
                self._row = 0
            case "table-row":
                self._rows = int(attributes.get("number-rows-repeated", "1"))
                self._column = 0
            case "table-cell" | "covered-table-cell":
                self._cells = int(attributes.get("number-columns-repeated", "1"))
                self._attributes, self._parts = attributes, []
            case "annotation":
                self._hidden += 1  # a note is no value
            case "p" if not self._hidden:
                self._paragraphs += 1
                self._parts.append(" ")
            case "s" | "tab" | "line-break":
                self._parts.append(" ")
            case _:
                pass

    def text(self, data: str) -> None:
        if self._paragraphs and not self._hidden:
            self._parts.append(data)

    def end(self, name: str) -> None:
        match name:
            case "table-row" if self.grids:
                self._end_row()
            case "table-cell" | "covered-table-cell" if self.grids:
                self._end_cell()
            case "annotation":
                self._hidden -= 1
            case "p" if not self._hidden:
                self._paragraphs -= 1
            case _:
                pass

    def _end_row(self) -> None:
        self.grids[-1].end_row(self._row + 1, self._rows)
        self._row += self._rows

    def _end_cell(self) -> None:
        value = self._value()
        if value.strip():
            if self._cells > MAX_LINE or self._rows > 3 * MAX_ROWS:
                raise UnpacksTooLarge
            for column in range(self._column, self._column + self._cells):
                self.grids[-1].cell(value, column)
        self._column += self._cells

    def _value(self) -> str:
        kind = self._attributes.get("value-type", "")
        if kind == "time" and (found := _DURATION.fullmatch(self._attributes.get("time-value", ""))):
            hours, minutes, seconds = (int(group or 0) for group in found.groups())
            return clock(hours * 3600 + minutes * 60 + seconds)
        if kind == "float":
            number = float(self._attributes.get("value", "nan"))
            return str(int(number)) if number.is_integer() else f"{number:.9f}".rstrip("0")
        return "".join(self._parts)


def grids(archive: Archive) -> list[Grid]:
    """The sheets in the order of their tabs."""
    content = _Content()
    archive.parse(CONTENT, content)
    return content.grids
