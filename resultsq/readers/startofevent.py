"""Stopwatch files that begin with STARTOFEVENT: Junsd watches, Virtual Volunteer on Android and iOS.

    STARTOFEVENT,DD/MM/YYYY HH:MM:SS,source
    0,DD/MM/YYYY HH:MM:SS                      two fields: the start, no finisher
    n,DD/MM/YYYY HH:MM:SS,HH:MM:SS             a finisher
    ENDOFEVENT,DD/MM/YYYY HH:MM:SS

Junsd and iOS write row 0 with two fields, Android writes the winner there with three: the third field
decides, never the device's name. The clocks in the second field are dummies or late, so no reader looks at
them. A position is the order in the file.
"""

import re
from datetime import datetime
from typing import Final

from resultsq.domain.event_files import AsideLine, FileKind, StopwatchFile, Text, TimeRow
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.problem import Problem, Where
from resultsq.readers.marks import TIME, UnreadableField, cut_off, quoted, read_time
from resultsq.readers.rules import DOUBLE_TAP_DROPPED, IRREGULAR_NUMBERING, NO_END_MARKER, NO_ROWS, bad_lines, refused
from resultsq.readers.text import check_rows

KIND: Final = FileKind.STOPWATCH

_START = re.compile(r"\s*STARTOFEVENT\s*(?:,|$)")
_DAY = re.compile(
    r"\s*STARTOFEVENT\s*,\s*([0-9]{1,2})[/.-]([0-9]{1,2})[/.-](20[1-9][0-9])\b(?:\s+([0-9]{1,2}):([0-9]{2}))?[^,]*,"
    r"\s*virtual_?volunteer.*",
    re.IGNORECASE,
)
_END = re.compile(r"\s*ENDOFEVENT\s*(?:,|$)")
_MARKER = re.compile(r"\s*0+\s*,[^,]*(?:,\s*)?")
_ROW = re.compile(rf"\s*([0-9]{{1,9}})\s*,[^,]*,\s*({TIME})\s*")


def recognises(line: str) -> bool:
    return _START.match(line) is not None


def read(text: Text) -> StopwatchFile:
    """:raises FileRefused: where one line is bad, for everybody behind a line that is left out would move."""
    rows: list[TimeRow] = []
    numbers: list[int] = []
    bad: dict[int, str] = {}
    idle = 0
    started = marked = ended = False
    clock: str | None = None
    for at, line in enumerate(text.lines, 1):
        row = None if ended else _ROW.fullmatch(line)
        if row:
            number, time = row.groups()
            numbers.append(int(number))
            rows.append(TimeRow(at, read_time(time)))
        elif not line.strip():
            idle += 1
        elif not started and recognises(line):
            started = True
            clock = _clock_of(line)
            idle += 1
        elif not ended and _END.match(line):
            ended = True
            idle += 1
        elif not (marked or rows or ended) and _MARKER.fullmatch(line):
            marked = True
            idle += 1
        else:
            bad[at] = gettext("it comes after the ENDOFEVENT line") if ended else _reason(line)
    if rows and rows[-1].line == len(text.lines) and not text.ends_whole:
        times = [text.lines[row.line - 1].rsplit(",", 1)[1].strip() for row in rows]
        if cut_off(times[-1], times[:-1]):
            bad[len(text.lines)] = gettext("{text} is cut off, and the file ends there", text=quoted(times[-1]))
    if bad:
        raise bad_lines(text.name, bad)
    check_rows(text, len(rows))
    taps = next((index for index, row in enumerate(rows) if row.seconds), len(rows))
    if taps == len(rows):
        raise refused(NO_ROWS, text.name, len(text.lines))
    return StopwatchFile(
        name=text.name,
        digest=text.digest,
        lines=len(text.lines),
        idle=idle,
        rows=tuple(rows[taps:]),
        held_on=None if clock is None else clock[:10],
        clock=clock,
        aside=tuple(AsideLine(tap.line, text.lines[tap.line - 1], gettext("a double tap")) for tap in rows[:taps]),
        problems=tuple(_oddities(text.name, rows, numbers, taps, ended)),
    )


def _clock_of(line: str) -> str | None:
    """Date and time in a first line of Virtual Volunteer; other devices' dates are dummies."""
    if not (found := _DAY.fullmatch(line)):
        return None
    day, month, year, hour, minute = map(int, found.groups(default="12"))
    try:
        moment = datetime(year, month, day, hour % 24, minute % 60)  # noqa: DTZ001 - no file says of which zone
    except ValueError:
        return None
    return moment.isoformat(timespec="minutes")


def _reason(line: str) -> str:
    fields = line.split(",")
    if len(fields) != 3:
        return ngettext(
            "{text} has one field instead of number, clock and time",
            "{text} has {number} fields instead of number, clock and time",
            len(fields),
            text=quoted(line),
        )
    try:
        read_time(fields[2])
    except UnreadableField as reason:
        return str(reason)
    return gettext("{text} is not the number of a row", text=quoted(fields[0]))


def _oddities(name: str, rows: list[TimeRow], numbers: list[int], taps: int, ended: bool) -> list[Problem]:
    found = []
    if taps:
        places = [Where(file=name, line=tap.line) for tap in rows[:taps]]
        found.append(DOUBLE_TAP_DROPPED.broken(places, file=name, line=rows[0].line))
    start = 0 if numbers[0] == 0 else 1
    due = [start, *(number + 1 for number in numbers)]
    odd = [row.line for row, number, wanted in zip(rows, numbers, due, strict=False) if number != wanted]
    if odd:
        places = [Where(file=name, line=line) for line in odd]
        found.append(IRREGULAR_NUMBERING.broken(places, file=name, line=odd[0]))
    if not ended:
        found.append(NO_END_MARKER.broken([Where(file=name, line=rows[-1].line)], file=name))
    return found
