"""A list of volunteers: a CSV with the columns athlete and role, its header matched as a table's is."""

from typing import Final

from resultsq.domain.sheet import Volunteer
from resultsq.domain.words import say
from resultsq.readers.columns import Columns, columns
from resultsq.readers.marks import Unreadable, read_athlete
from resultsq.readers.rules import NO_ROWS, bad_lines, refused
from resultsq.readers.text import check_rows, text_of

WANTED: Final = {
    "athlete": ("athleteid", "barcode", "athlete"),
    "role": ("role", "roles", "task"),
}

_LONGEST_ROLE = 100


def read_volunteers(name: str, content: bytes) -> tuple[Volunteer, ...]:
    """Athletes and their roles in the order of the file; one athlete may have several lines.

    :raises FileRefused: naming every bad line; nothing of the file is then used."""
    text = text_of(name, content)
    volunteers: list[Volunteer] = []
    bad: dict[int, str] = {}
    header: Columns | None = None
    for at, line in enumerate(text.lines, 1):
        if not line.strip():
            continue
        try:
            if header is None:
                header = _header(line)
                continue
            cells = header.cells(line)
            if any(cells.values()):
                volunteers.append(_volunteer(cells))
        except Unreadable as reason:
            bad[at] = str(reason)
            if header is None:
                break
    if bad:
        raise bad_lines(name, bad)
    if not volunteers:
        raise refused(NO_ROWS, name, len(text.lines))
    check_rows(text, len(volunteers))
    return tuple(volunteers)


def _header(line: str) -> Columns:
    header = columns(line, WANTED)
    if header is None or len(header.at) < len(WANTED):
        raise Unreadable(say("a list of volunteers begins with a header of athlete and role"))
    return header


def _volunteer(cells: dict[str, str]) -> Volunteer:
    athlete, role = read_athlete(cells["athlete"]), cells["role"]
    if not role:
        raise Unreadable(say("the role is missing"))
    if not role.isprintable():
        raise Unreadable(say("the role holds a character that no text has"))
    if len(role) > _LONGEST_ROLE:
        raise Unreadable(say("the role is longer than {most} characters", most=_LONGEST_ROLE))
    return Volunteer(athlete=athlete, role=role)
