"""A list of volunteers: CSV or a spreadsheet with the columns athlete and role, its header matched as a table's is."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

from resultsq.domain import cldr
from resultsq.domain.errors import FileRefused
from resultsq.domain.event_files import Text
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem, Where
from resultsq.domain.sheet import Volunteer
from resultsq.kinds.results.rules import BAD_VOLUNTEER, NO_VOLUNTEERS, VOLUNTEERS_ABOVE_HEADER
from resultsq.readers import headings, spreadsheet
from resultsq.readers.budget import Budget
from resultsq.readers.columns import Columns, columns
from resultsq.readers.marks import UnreadableField, read_athlete
from resultsq.readers.records import Record, holds_anything, records, separator
from resultsq.readers.rules import SHEETS_NOT_USED, above_header
from resultsq.readers.text import check_rows, text_of

WANTED: Final = {
    "athlete": (
        *("athleteid", "barcode", "athlete", "id", "bib", "number"),
        *sorted(headings.NAMES[headings.ATHLETE] - {"athleteid", "barcode", "athlete", "id", "bib", "number"}),
    ),
    "role": headings.ROLES,
}

_LONGEST_ROLE = 100
_LOOKED_AT = 10
_NAMED = 50
_BLANKS = re.compile(r"\s+")


def lists_roles(name: str, content: bytes, budget: Budget | None = None) -> bool:
    """Whether a file is a list of volunteers: its header has an athlete and a role."""
    try:
        return any(_find_header(text) is not None for _, text in _texts(name, content, budget))
    except FileRefused:
        return False


class VolunteerList(NamedTuple):
    """`problems` say which parts of the file are not used."""

    volunteers: tuple[Volunteer, ...]
    problems: tuple[Problem, ...] = ()


def read_volunteers(name: str, content: bytes, budget: Budget | None = None) -> VolunteerList:
    """Athletes and their roles in the order of the list; one athlete may have several lines.

    :raises FileRefused: naming every bad line; nothing of the file is then used."""
    texts = _texts(name, content, budget)
    for title, text in texts:
        if (found := _find_header(text)) is not None:
            at, header = found
            return VolunteerList(_read(text, at, header), _not_used(text, title, at, [other for other, _ in texts]))
    raise _bad(name, {1: gettext("a list of volunteers begins with a line that names its columns, athlete and role")})


def _texts(name: str, content: bytes, budget: Budget | None) -> list[tuple[str, Text]]:
    """The sheets, each with its title; a text file is one without."""
    budget = budget or Budget()
    if spreadsheet.is_one(content):
        return spreadsheet.sheets(name, content, budget)
    return [("", text_of(name, content, budget))]


def _not_used(text: Text, title: str, at: int, titles: Sequence[str]) -> tuple[Problem, ...]:
    """The lines above the header in line `at`, and the other sheets."""
    above = [(number, line) for number, line in enumerate(text.lines[: at - 1], 1) if holds_anything(line)]
    found = above_header(VOLUNTEERS_ABOVE_HEADER, text.name, above)
    others = cldr.listed(other for other in titles if other != title)
    if not others:
        return found
    where = [Where(file=text.name)]
    return (*found, SHEETS_NOT_USED.broken(where, file=text.name, sheet=title, others=others))


def _find_header(text: Text) -> tuple[int, Columns] | None:
    """The header among the first lines, and in which line it is; a title may stand above it."""
    meaningful = ((at, line) for at, line in enumerate(text.lines, 1) if line.strip() and not separator(line))
    for at, line in islice(meaningful, _LOOKED_AT):
        try:
            header = columns(line, WANTED)
        except UnreadableField as reason:
            raise _bad(text.name, {at: str(reason)}) from None
        if header is not None and len(header.at) == len(WANTED):
            return at, header
    return None


def _read(text: Text, at: int, header: Columns) -> tuple[Volunteer, ...]:
    volunteers: list[Volunteer] = []
    bad: dict[int, str] = {}
    for record in records(text.lines, at + 1, header.delimiter):
        try:
            cells = _cells(record, header)
            if any(cells.values()):
                volunteers.append(_volunteer(cells))
        except UnreadableField as reason:
            bad[record.line] = str(reason)
    if bad:
        raise _bad(text.name, bad)
    if not volunteers:
        where = [Where(file=text.name, line=len(text.lines))]
        problem = NO_VOLUNTEERS.broken(where, file=text.name)
        raise FileRefused(problem.message, (problem,))
    check_rows(text, len(volunteers))
    return tuple(volunteers)


def _cells(record: Record, header: Columns) -> dict[str, str]:
    if record.reason:
        raise UnreadableField(record.reason)
    return header.of(record.cells, record.text)


def _volunteer(cells: dict[str, str]) -> Volunteer:
    role = cells["role"]
    if not cells["athlete"]:
        raise UnreadableField(gettext("the volunteer's number is missing"))
    athlete = read_athlete(_BLANKS.sub("", cells["athlete"]).upper())
    if not role:
        raise UnreadableField(gettext("the role is missing"))
    if not role.isprintable():
        raise UnreadableField(gettext("the role contains a control character"))
    if len(role) > _LONGEST_ROLE:
        raise UnreadableField(gettext("the role is longer than {most} characters", most=_LONGEST_ROLE))
    return Volunteer(athlete=athlete, role=role)


def _bad(name: str, reasons: dict[int, str]) -> FileRefused:
    """The refusal of a list with bad lines: one problem for each of the first."""
    problems = tuple(
        BAD_VOLUNTEER.broken([Where(file=name, line=line)], file=name, line=line, reason=reason)
        for line, reason in islice(reasons.items(), _NAMED)
    )
    return FileRefused(problems[0].message, problems)
