"""Scanner files: Opticon OPN-2001, Symbol CS1504, Virtual Volunteer.

    Start of File,DD/MM/YYYY HH:MM:SS,virtual_volunteer_…     only Virtual Volunteer
    A1234567,P0047,DD/MM/YYYY HH:MM:SS[ AM|PM]

A missing half is empty or the word null. Clocks of scanners cannot be trusted, so no line is refused for
its clock. A line that cannot be read is set aside with its reason and the rest of the file is used.
"""

import re
from datetime import date
from typing import Final

from resultsq.domain.event_files import AsideLine, FileKind, ScannerFile, ScanRow, Text
from resultsq.domain.words import say, say_many
from resultsq.readers.marks import Unreadable, quoted, read_athlete, read_token
from resultsq.readers.rules import NO_ROWS, refused
from resultsq.readers.text import check_rows

KIND: Final = FileKind.SCANNER

_START = re.compile(r"\s*Start of File\b")
# *+ gives no space back: a line of spaces must not be tried in all ways to share them out
_SCAN = re.compile(r"\s*+(?:(A[1-9][0-9]{0,30})|(?i:null))?\s*+,\s*+(?:P([0-9]{1,5})|(?i:null))?\s*+(?:,[^,]*)?")
_SHAPE = re.compile(r"\s*+(?:Start of File\b|A[0-9]+\s*,|(?:null)?\s*,\s*P[0-9]|P[0-9]+\s*,\s*A[0-9])")
_DATE = re.compile(r"\s*([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})\b")


def recognises(line: str) -> bool:
    return _SHAPE.match(line) is not None


def read(text: Text) -> ScannerFile:
    """:raises FileRefused: where not one line is a scan."""
    rows: list[ScanRow] = []
    aside: list[AsideLine] = []
    idle = 0
    for at, line in enumerate(text.lines, 1):
        if not line.strip() or _START.match(line):
            idle += 1
            continue
        try:
            athlete, token = scan(line)
        except Unreadable as reason:
            aside.append(AsideLine(at, line, str(reason)))
        else:
            rows.append(ScanRow(at, athlete, token))
    if not rows and not aside:
        raise refused(NO_ROWS, text.name, len(text.lines))
    check_rows(text, len(rows) + len(aside))
    if rows and rows[-1].line == len(text.lines) and _cut_off(text):
        last = rows.pop()
        aside.append(AsideLine(last.line, text.lines[-1], say("the file ends in the middle of its token")))
    return ScannerFile(
        name=text.name,
        digest=text.digest,
        lines=len(text.lines),
        idle=idle,
        rows=tuple(rows),
        aside=tuple(aside),
        scanned_on=_last_date(text, rows),
    )


def scan(line: str) -> tuple[str | None, int | None]:
    """The athlete and the token of one line; one of them may be missing.

    :raises Unreadable: where it is not a scan."""
    if (found := _SCAN.fullmatch(line)) and (found[1] or found[2]):
        athlete, token = found.groups()
        if token is None:
            return athlete, None
        if number := int(token):
            return athlete, number
    fields = [field.strip() for field in line.split(",")]
    if not 2 <= len(fields) <= 3:
        raise Unreadable(
            say_many(
                "{text} has one field instead of athlete, token and clock",
                "{text} has {number} fields instead of athlete, token and clock",
                len(fields),
                text=quoted(line),
            )
        )
    first, second = ("" if field.lower() == "null" else field for field in fields[:2])
    if not first and not second:
        raise Unreadable(say("it has neither an athlete nor a finish token"))
    if first.startswith("P") and second.startswith("A"):
        raise Unreadable(say("{text} has the athlete and the finish token the wrong way round", text=quoted(line)))
    # one of the two is no mark, and its reader says so
    return read_athlete(first) if first else None, read_token(second)


def _cut_off(text: Text) -> bool:
    """Whether a last line without an end lost the end of its token, and its clock, beside the line before:
    P004 could have been P0047, which is somebody else's place."""
    last = text.lines[-1].split(",")
    before = text.lines[-2].split(",") if len(text.lines) > 1 else []
    return not text.ends_whole and len(last) == 2 and len(before) == 3 and len(last[1]) < len(before[1])


def _last_date(text: Text, rows: list[ScanRow]) -> str | None:
    for row in reversed(rows):
        if found := _DATE.match(text.lines[row.line - 1].rpartition(",")[2]):
            day, month, year = map(int, found.groups())
            try:
                return date(year, month, day).isoformat()
            except ValueError:
                continue
    return None
