"""The base of all corrections: the types of their fields, and the conditions that a board must meet."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import ScannerFile
from resultsq.domain.i18n import gettext
from resultsq.domain.sheet import AthleteId
from resultsq.kinds.results.join_state import JoinState, Line
from resultsq.readers import MAX_ROWS
from resultsq.readers.marks import read_athlete, read_time, read_token, write_time

LONGEST_LINE = 200
"""Characters of a scanner's line that may be written anew."""

LONGEST_S = 99 * 3600 + 59 * 60 + 59
HIGHEST_TOKEN = 99_999


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return read_time(value) if value.strip() else None
    return value


def _athlete(value: object) -> object:
    if isinstance(value, str):
        return read_athlete(value.strip()) if value.strip() else None
    return value


def _token(value: object) -> object:
    if isinstance(value, str):
        value = value.strip()
        return read_token(value) if value.startswith("P") else value or None
    return value


Seconds = Annotated[Annotated[int, Field(ge=0, le=LONGEST_S)] | None, BeforeValidator(_seconds)]
"""An elapsed time in seconds; from outside also as people write it. Empty: no time."""

Athlete = Annotated[AthleteId | None, BeforeValidator(_athlete)]
"""A barcode. Empty: an Unknown."""

Position = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Token = Annotated[int, BeforeValidator(_token), Field(ge=1, le=HIGHEST_TOKEN)]
"""A finish token's number, with or without its P."""


class CorrectionBase(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def who(*athletes: str | None) -> str:
    return cldr.listed(filter(None, athletes)) or gettext("an Unknown")


def time_text(seconds: int | None) -> str:
    return gettext("no time") if seconds is None else write_time(seconds)


def token_range(first: int, last: int) -> range:
    if last < first:
        raise InputRefused(gettext("A range goes upward, and {last} is below {first}.", last=last, first=first))
    return range(first, last + 1)


def demand_highest(board: JoinState, first: int) -> int:
    highest = board.highest()
    if first > highest:
        raise InputRefused(gettext("No token from {first} on was scanned.", first=first))
    return highest


def demand_new(board: JoinState, athlete: str | None) -> None:
    if athlete is not None and (tokens := board.tokens_of(athlete)):
        places = cldr.listed(sorted(tokens))
        raise InputRefused(
            gettext(
                "{athlete} is at position {places} already, and nobody finishes twice.", athlete=athlete, places=places
            )
        )


def demand_scanned(board: JoinState, athlete: str) -> None:
    if all(scan.athlete != athlete for scan in board.scans):
        raise InputRefused(gettext("{athlete} was not scanned.", athlete=athlete))


def demand_times_of_files(board: JoinState) -> None:
    if board.times_by_hand:
        raise InputRefused(
            gettext("You edited times by hand, and this would join the files again: undo those edits first.")
        )


def demand_scanner(board: JoinState, digest: str) -> ScannerFile:
    file = board.file(digest)
    if not isinstance(file, ScannerFile):
        raise InputRefused(
            gettext("{name} is not a scanner file, so its lines cannot be edited singly.", name=file.name)
        )
    return file


def index_of_line(board: JoinState, line: Line) -> int:
    for index, scanned in enumerate(board.scans):
        if (scanned.file, scanned.line) == line:
            return index
    raise InputRefused(gettext("There is no scan in line {line} that counts.", line=line[1]))
