"""Scanner files: Opticon OPN-2001, Symbol CS1504, Virtual Volunteer.

    Start of File,DD/MM/YYYY HH:MM:SS,virtual_volunteer_…     only Virtual Volunteer
    A1234567,P0047,DD/MM/YYYY HH:MM:SS[ AM|PM]

A missing half is empty or the word null. Clocks of scanners cannot be trusted, so no line is refused for
its clock. A line that cannot be read is set aside with its reason and the rest of the file is used.
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from resultsq.domain.event_files import AsideLine, FileKind, ScannerFile, ScanRow, Text
from resultsq.domain.i18n import gettext, ngettext
from resultsq.readers.marks import UnreadableField, quoted, read_athlete, read_token
from resultsq.readers.rules import NO_ROWS, refused
from resultsq.readers.text import check_rows

KIND: Final = FileKind.SCANNER

_START = re.compile(r"\s*Start of File\b")
# *+ gives no space back: a line of spaces must not be tried in all ways to share them out
_SCAN = re.compile(
    r"\s*+(?:(A[1-9][0-9]{0,30})|(?i:null))?\s*+,\s*+(?:P([0-9]{1,5})|(?i:null))?\s*+"
    r"(?:,[^,]*|,\s*[0-9./-]+\s*,\s*[0-9:.]+(?: ?[AaPp][Mm])?\s*)?"
)
_SHAPE = re.compile(
    r"\s*+(?:Start of File\b|[AaАа][0-9]+\s*,|(?:null)?\s*,\s*[PpРр][0-9]|[PpРр][0-9]+\s*,\s*[AaАа][0-9]"
    r"|[0-9]{2,}\s*,\s*[PpРр][0-9]{1,5}\s*(?:,|$))"
)
_DATE = re.compile(r"\s*([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})(?:\s*,?\s*([0-9]{1,2}):([0-9]{1,2}))?")
_DIGITS = re.compile(r"[1-9][0-9]+")
_LOOK_ALIKE = str.maketrans("АаРрΑαΡρ", "AaPpAaPp")
_DUMMY = 2010
"""Devices that have lost their clock count from 2000 or 2001."""

_ONE_MORNING_MIN = 6 * 60
"""Scans this close are of one event, though midnight (in a clock's own zone) may lie between them."""


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
        except UnreadableField as reason:
            aside.append(AsideLine(at, line, str(reason)))
        else:
            rows.append(ScanRow(at, athlete, token))
    if not rows and not aside:
        raise refused(NO_ROWS, text.name, len(text.lines))
    check_rows(text, len(rows) + len(aside))
    if rows and rows[-1].line == len(text.lines) and _cut_off(text):
        last = rows.pop()
        aside.append(AsideLine(last.line, text.lines[-1], gettext("the file ends in the middle of its token")))
    scanned_on, days, clocks = _days_of(text, rows)
    return ScannerFile(
        name=text.name,
        digest=text.digest,
        lines=len(text.lines),
        idle=idle,
        rows=tuple(rows),
        aside=tuple(aside),
        scanned_on=scanned_on,
        days=days,
        clocks=clocks,
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
    if any(letter in line for letter in "АаРрΑαΡρ"):
        raise UnreadableField(
            gettext("{text} has a letter that only looks like A or P, and is of another alphabet", text=quoted(line))
        )
    if not 2 <= len(fields) <= 3:
        raise UnreadableField(
            ngettext(
                "{text} has one field instead of athlete, token and clock",
                "{text} has {number} fields instead of athlete, token and clock",
                len(fields),
                text=quoted(line),
            )
        )
    first, second = ("" if field.lower() == "null" else field for field in fields[:2])
    if not first and not second:
        raise UnreadableField(gettext("it has neither an athlete nor a finish token"))
    if first.startswith("P") and second.startswith("A"):
        raise UnreadableField(
            gettext("{text} has the athlete and the finish token the wrong way round", text=quoted(line))
        )
    # one of the two is no mark, and its reader says so
    return read_athlete(first) if first else None, read_token(second)


def _cut_off(text: Text) -> bool:
    """Whether a last line without an end lost the end of its token, and its clock, beside the line before:
    P004 could have been P0047, which is another's place."""
    last = text.lines[-1].split(",")
    before = text.lines[-2].split(",") if len(text.lines) > 1 else []
    return not text.ends_whole and len(last) == 2 and len(before) == 3 and len(last[1]) < len(before[1])


_Days = tuple[tuple[str, tuple[int, ...]], ...]


def _days_of(text: Text, rows: list[ScanRow]) -> tuple[str | None, _Days, tuple[tuple[str, str], ...]]:
    """The day of the last scan whose clock can be read, the lines of each day where there are more than one, and the
    clock of a scan of each day."""
    lines: dict[date, list[int]] = {}
    clocks: dict[date, str] = {}
    moments: list[datetime] = []
    last = None
    for row in rows:
        if (moment := _moment(text.lines[row.line - 1])) is not None:
            last = moment.date()
            lines.setdefault(last, []).append(row.line)
            clocks[last] = moment.isoformat(timespec="minutes")
            moments.append(moment)
    if len(lines) > 1:
        _join_mornings(lines, sorted(moments))
    if last is not None and last not in lines:
        last = max(lines)
    days = tuple((day.isoformat(), tuple(lines[day])) for day in sorted(lines))
    shown = tuple((day.isoformat(), clocks[day]) for day in sorted(lines))
    return (None if last is None else last.isoformat()), days if len(days) > 1 else (), shown


def _moment(line: str) -> datetime | None:
    clock = line.split(",", 2)[2] if line.count(",") > 1 else ""
    found = _DATE.match(clock)
    if found is None:
        return None
    day, month, year, hour, minute = found.groups()
    return _moment_of(day, month, year, hour or "12", minute or "0")  # at noon it is the same day nearly everywhere


@lru_cache(4096)
def _moment_of(day: str, month: str, year: str, hour: str, minute: str) -> datetime | None:
    if int(year) < _DUMMY:
        return None
    try:
        moment = datetime(int(year), int(month), int(day))  # noqa: DTZ001 - the zone of a scanner is unknown
        return moment + timedelta(hours=int(hour) % 24, minutes=int(minute) % 60)
    except ValueError:
        return None


def _join_mornings(lines: dict[date, list[int]], moments: list[datetime]) -> None:
    """Count two days as one where the scans go on from one to the other without a pause."""
    for before, after in pairwise(moments):
        day, other = before.date(), after.date()
        if day != other and after - before < timedelta(minutes=_ONE_MORNING_MIN) and day in lines:
            kept, gone = (day, other) if len(lines[day]) > len(lines[other]) else (other, day)
            lines[kept] = sorted(lines[kept] + lines.pop(gone))


def meant(line: str) -> str | None:
    """An unreadable line as it was meant: small letters are capitals, letters of other alphabets that look like A and P
    are A and P, and an athlete's number without its A gets one. None: that does not make it readable."""
    first, comma, rest = line.translate(_LOOK_ALIKE).partition(",")
    second, other, clock = rest.partition(",")
    first, second = first.strip().upper(), second.strip().upper()
    if _DIGITS.fullmatch(first):
        first = f"A{first}"
    anew = f"{first}{comma}{second}{other}{clock}"
    try:
        scan(anew)
    except UnreadableField:
        return None
    return anew
