"""The sheets of an .xlsx workbook: cell values as a person sees them, times as H:MM:SS."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from resultsq.readers.unpacked import Archive, Broken, Grid, clock

WORKBOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's dates have no zone
_MOST_DAYS = 200_000
_TIMES = frozenset({18, 19, 20, 21, 45, 46, 47})
_DATES = frozenset({14, 15, 16, 17, 22})
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


class _Workbook:
    """The titles of the sheets, and where each stands."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.targets: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            self.sheets.append((attributes.get("name", ""), attributes.get("id", "")))
        elif name == "Relationship":
            target = attributes.get("Target", "")
            self.targets[attributes.get("Id", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"

    def end(self, name: str) -> None: ...
    def text(self, data: str) -> None: ...


class _Strings:
    """Texts that cells name by number."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._parts: list[str] = []
        self._reading = self._sounding = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "si":
            self._parts = []
        elif name == "rPh":
            self._sounding = True
        self._reading = name == "t" and not self._sounding

    def end(self, name: str) -> None:
        self._reading = False
        if name == "si":
            self.strings.append("".join(self._parts))
        elif name == "rPh":
            self._sounding = False

    def text(self, data: str) -> None:
        if self._reading:
            self._parts.append(data)


class _Styles:
    """Which cell formats show a time, and which a date."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self._codes: dict[int, str] = {}
        self._cells = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt":
            self._codes[int(attributes["numFmtId"])] = _NOT_SHOWN.sub("", attributes.get("formatCode", "")).lower()
        elif name == "cellXfs":
            self._cells = True
        elif name == "xf" and self._cells:
            self.kinds.append(self._kind(int(attributes.get("numFmtId", "0"))))

    def _kind(self, number: int) -> str:
        code = self._codes.get(number, "")
        if number in _DATES or ("d" in code and "y" in code):
            return "date"
        return "time" if number in _TIMES or "h" in code or "s" in code or "[m" in code else ""

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._cells = False

    def text(self, data: str) -> None: ...


class _Sheet:
    def __init__(self, title: str, strings: list[str], kinds: list[str]) -> None:
        self.grid = Grid(title)
        self._strings, self._kinds = strings, kinds
        self._row = self._column = 0
        self._type = self._kind = ""
        self._reading = False
        self._parts: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "c":
            place = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = _number(place[1]) if place else self._column + 1
            self._type = attributes.get("t", "n")
            style = int(attributes.get("s", "0"))
            self._kind = self._kinds[style] if style < len(self._kinds) else ""
            self._parts = []
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            if self._row <= len(self.grid.lines):
                raise Broken
            self._column = 0
        self._reading = name in ("v", "t")

    def text(self, data: str) -> None:
        if self._reading:
            self._parts.append(data)

    def end(self, name: str) -> None:
        self._reading = False
        if name == "c":
            self.grid.cell(self._value("".join(self._parts)), self._column - 1)
        elif name == "row":
            self.grid.end_row(self._row)

    def _value(self, value: str) -> str:
        if self._type == "s" and value:
            return self._strings[int(value)]
        if self._type != "n" or not value:
            return value
        return shown(float(value), self._kind)


def shown(number: float, kind: str) -> str:
    """A number as its format shows it."""
    if kind == "time" and 0 <= number < 100:
        return clock(number * 86_400)
    if kind == "date" and 0 <= number < _MOST_DAYS:
        moment = _DAY_ZERO + timedelta(days=number)
        return moment.date().isoformat() if number >= 1 and number.is_integer() else clock(number * 86_400)
    return str(int(number)) if number.is_integer() else f"{number:.9f}".rstrip("0")


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def grids(archive: Archive) -> list[Grid]:
    """The sheets in the order of their tabs."""
    workbook, strings, styles = _Workbook(), _Strings(), _Styles()
    archive.parse(WORKBOOK, workbook)
    archive.parse(_RELATIONS, workbook)
    if "xl/sharedStrings.xml" in archive.names:
        archive.parse("xl/sharedStrings.xml", strings)
    if "xl/styles.xml" in archive.names:
        archive.parse("xl/styles.xml", styles)
    found = []
    for title, relation in workbook.sheets:
        member = workbook.targets.get(relation, "")
        if "worksheets/" in member:
            sheet = _Sheet(title, strings.strings, styles.kinds)
            archive.parse(member, sheet)
            found.append(sheet.grid)
    return found
