"""What readers make of an event team's files: rows with the line each came from, and a count of every line.

Rows are named tuples and not models: a large event has twenty thousand of them, and a reader has already
checked each. For every file `lines == used + set_aside + idle`: no line is lost silently.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from resultsq.domain.problem import Problem


class FileKind(StrEnum):
    """What a file holds, decided by its content."""

    STOPWATCH = "stopwatch"  # times in order of finishing
    SCANNER = "scanner"  # pairs of athlete and finish token
    TABLE = "table"  # a finished table: position, time, athlete


class Text(NamedTuple):
    """A file's text: its lines without their ends, whether the last one had an end, and a digest (16
    hexadecimal digits) that names the content whatever the file is called."""

    name: str
    digest: str
    lines: list[str]
    ends_whole: bool


class TimeRow(NamedTuple):
    """One press of a stopwatch, in seconds since the start."""

    line: int
    seconds: int


class ScanRow(NamedTuple):
    """One scan: an athlete's barcode, a finish token's number, or both."""

    line: int
    athlete: str | None
    token: int | None


class TableRow(NamedTuple):
    """One line of a finished table. `athlete` None is an Unknown, `seconds` None a missing time."""

    line: int
    position: int
    seconds: int | None
    athlete: str | None


class TableColumn(NamedTuple):
    """A column of a table: its name and its use (empty: none). `could_be`: its possible uses
    until a person chooses one; `cells` are kept as long, one for each row."""

    name: str
    use: str = ""
    could_be: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


class AsideLine(NamedTuple):
    """A line that was not used, with the reason as a clause of a sentence."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """`name` is what the team calls the file: shown to the team, never a path and never logged. `lines`
    counts all, `idle` those that carry nothing (headers, markers, blank lines)."""

    name: str
    digest: str
    lines: int
    idle: int
    aside: tuple[AsideLine, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def set_aside(self) -> int:
        """How many lines were not used; each is named in a problem."""
        return len(self.aside)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopwatchFile(_File):
    """`held_on` is the date (ISO 8601) of a device whose dates can be trusted, `clock` date and time of day."""

    rows: tuple[TimeRow, ...]
    held_on: str | None = None
    clock: str | None = None
    kind: Literal[FileKind.STOPWATCH] = FileKind.STOPWATCH

    @property
    def used(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerFile(_File):
    """`scanned_on` is the date (ISO 8601) of the last scan whose clock can be read. `days` are the lines of each
    day where there are scans of more than one. `clocks` has date and time of one scan of each day."""

    rows: tuple[ScanRow, ...]
    scanned_on: str | None = None
    days: tuple[tuple[str, tuple[int, ...]], ...] = ()
    clocks: tuple[tuple[str, str], ...] = ()
    kind: Literal[FileKind.SCANNER] = FileKind.SCANNER

    @property
    def used(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile(_File):
    """`columns` are those of the header; none where the rows did not come from a table with one. `changed`: a
    spreadsheet has written the times its own way."""

    rows: tuple[TableRow, ...]
    columns: tuple[TableColumn, ...] = ()
    changed: bool = False
    kind: Literal[FileKind.TABLE] = FileKind.TABLE

    @property
    def used(self) -> int:
        return len(self.rows)


ReadFile = StopwatchFile | ScannerFile | TableFile
"""One file that could be read; `kind` says which."""
