"""Stopwatch files that were downloaded from WebFMS or EMS.

    I, CP765, 47
    S, 001, SPLIT
    T,1,1,00:18:11.000

The position is in the second field.
"""

import re
from typing import Final

from resultsq.domain.event_files import FileKind, StopwatchFile, Text, TimeRow
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Where
from resultsq.readers.marks import TIME, UnreadableField, cut_off, quoted, read_time
from resultsq.readers.rules import IRREGULAR_NUMBERING, NO_ROWS, bad_lines, refused
from resultsq.readers.text import check_rows

KIND: Final = FileKind.STOPWATCH

_START = re.compile(r"\s*I\s*,\s*CP")
_HEADER = re.compile(r"\s*[IS]\s*,")
_ROW = re.compile(rf"\s*T\s*,\s*([0-9]{{1,9}})\s*,[^,]*,\s*({TIME})\s*")


def recognises(line: str) -> bool:
    return _START.match(line) is not None


def read(text: Text) -> StopwatchFile:
    """:raises FileRefused: where one line is bad, for everybody behind a line that is left out would move."""
    numbered: list[tuple[int, TimeRow]] = []
    bad: dict[int, str] = {}
    idle = 0
    for at, line in enumerate(text.lines, 1):
        if row := _ROW.fullmatch(line):
            number, time = row.groups()
            numbered.append((int(number), TimeRow(at, read_time(time))))
        elif not line.strip() or _HEADER.match(line):
            idle += 1
        else:
            bad[at] = _reason(line)
    if numbered and numbered[-1][1].line == len(text.lines) and not text.ends_whole:
        times = [text.lines[row.line - 1].rsplit(",", 1)[1].strip() for _, row in numbered]
        if cut_off(times[-1], times[:-1]):
            bad[len(text.lines)] = gettext("{text} is cut off, and the file ends there", text=quoted(times[-1]))
    if bad:
        raise bad_lines(text.name, bad)
    if not numbered:
        raise refused(NO_ROWS, text.name, len(text.lines))
    check_rows(text, len(numbered))
    numbered.sort(key=lambda pair: pair[0])
    odd = [row.line for due, (number, row) in enumerate(numbered, 1) if number != due]
    places = [Where(file=text.name, line=line) for line in odd]
    return StopwatchFile(
        name=text.name,
        digest=text.digest,
        lines=len(text.lines),
        idle=idle,
        rows=tuple(row for _, row in numbered),
        problems=(IRREGULAR_NUMBERING.broken(places, file=text.name, line=odd[0]),) if odd else (),
    )


def _reason(line: str) -> str:
    fields = line.split(",")
    if len(fields) != 4 or fields[0].strip() != "T":
        return gettext("{text} is not a line of T, position, lap and time", text=quoted(line))
    try:
        read_time(fields[3])
    except UnreadableField as reason:
        return str(reason)
    return gettext("{text} is not a position", text=quoted(fields[1]))
