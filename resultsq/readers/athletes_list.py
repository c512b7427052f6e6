"""A list of athletes as organisers have it: a table of text with a header, read line by line, however long it is."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from resultsq.domain.athletes import LONGEST_TEXT, Athlete, can_hold
from resultsq.domain.destinations import MAIL_ADDRESS
from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext
from resultsq.readers.columns import Wanted, columns
from resultsq.readers.marks import UnreadableField

_WANTED: Wanted = {
    "number": ("athlete", "athleteid", "athletenumber", "barcode", "id", "parkrunid", "number", "no"),
    "name": ("name", "fullname", "athletename"),
    "given": ("givenname", "firstname", "forename"),
    "family": ("familyname", "lastname", "surname"),
    "club": ("club", "team"),
    "home": ("homeevent", "homerun", "home", "homeparkrun"),
    "runs": ("runs", "totalruns", "numberofruns"),
    "events": ("events",),
    "address": ("mail", "email", "emailaddress", "mailaddress"),
}


_LONGEST_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class ListedAthlete:
    """A line of the list. `events` are others at which the athlete ran, and `address` is the mail address, where the
    list says so."""

    athlete: Athlete
    events: tuple[str, ...] = ()
    address: str | None = None


def read_list(lines: Iterable[str]) -> Iterator[ListedAthlete]:
    """The athletes of a list, one by one.

    :raises InputRefused: the header names no numbers or no names, or a line cannot be read; it is named"""
    rest = iter(lines)
    header = next(rest, "").removeprefix("\ufeff")
    try:
        found = columns(header, _WANTED)
    except UnreadableField as error:
        raise InputRefused(gettext("The header of the list cannot be used: {reason}.", reason=str(error))) from None
    if found is None or "number" not in found.at or not {"name", "family"} & found.at.keys():
        raise InputRefused(
            gettext("The first line of the list must name its columns, a number and a name at least: number, name.")
        )
    reader = csv.reader(rest, delimiter=found.delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                row = {name: cells[at].strip() if at < len(cells) else "" for name, at in found.at.items()}
                yield _listed(row, reader.line_num + 1)
    except csv.Error as error:
        raise InputRefused(
            gettext("Line {line} of the list cannot be read: {reason}.", line=reader.line_num + 1, reason=str(error))
        ) from None


def _listed(row: Mapping[str, str], line: int) -> ListedAthlete:
    number, name = _number(row["number"]), row.get("name") or f"{row.get('given', '')} {row.get('family', '')}".strip()
    if not can_hold(number):
        raise InputRefused(gettext("Line {line} of the list has no athlete's number, like A1234567.", line=line))
    if not 0 < len(name) <= LONGEST_TEXT or not name.isprintable():
        raise InputRefused(gettext("Line {line} of the list has no name that can be used.", line=line))
    runs, club = row.get("runs", ""), row.get("club", "")[:LONGEST_TEXT]
    athlete = Athlete(
        number,
        name,
        club if club and club.isprintable() else None,
        home_slug(row.get("home", "")),
        int(runs) if runs.isascii() and runs.isdigit() and len(runs) < 7 else 0,
    )
    events = (home_slug(one) for one in row.get("events", "").split())
    address = row.get("address", "")
    known = address if re.fullmatch(MAIL_ADDRESS, address) and len(address) <= _LONGEST_ADDRESS else None
    return ListedAthlete(athlete, tuple(one for one in events if one), known)


def _number(text: str) -> str:
    text = text.upper()
    return text if text.startswith("A") else f"A{text}"


def home_slug(text: str) -> str | None:
    """A home event as it stands in addresses: `Bushy Park` is `bushy-park`; None where there is none."""
    return "-".join("".join(one if one.isalnum() else " " for one in text.casefold()).split())[:63] or None
