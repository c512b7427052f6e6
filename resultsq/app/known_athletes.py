"""The node's list of athletes held against a sheet: whose each number is, and who an unknown number may mean."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from resultsq.domain.athletes import Athlete, can_hold, likely_misread
from resultsq.domain.sheet import Finisher, Volunteer
from resultsq.kinds.results.athletes import MOST_MEANT, KnownAthletes
from resultsq.store.admin.events import EventRow
from resultsq.store.athletes import lookup
from resultsq.store.views import versions

MOST_UNKNOWN = 250
"""Unknown numbers for which neighbours are looked for: a sheet with more has another trouble."""

SHEETS = 12
"""Sheets of the event from which is known who ran here before."""


def of_sheet(
    conn: Connection,
    event: EventRow,
    finishers: Sequence[Finisher],
    now: datetime,
    volunteers: Sequence[Volunteer] = (),
) -> KnownAthletes | None:
    """The list's entries for these athletes of the event; None where this node has no list."""
    listed = lookup.in_use(conn)
    if listed is None:
        return None
    on_sheet = {row.athlete for row in finishers if row.athlete is not None}
    people = lookup.by_number(conn, on_sheet | {one.athlete for one in volunteers})
    shown = as_of_text(listed.as_of, event.time_zone, now)
    known = KnownAthletes(listed.as_of, shown, not listed.events, people)
    unknown = [number for number in sorted(on_sheet) if known.lacks(number)][:MOST_UNKNOWN]
    if not unknown:
        return known
    meant = _meant(conn, event, unknown, on_sheet)
    return replace(known, meant=meant)


def as_of_text(as_of: datetime, zone: str, now: datetime) -> str:
    """The time of the list as people of the event read it; with the day where it was another."""
    local, today = as_of.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"


def named(conn: Connection, event: EventRow, typed: str) -> list[Athlete]:
    """Athletes of the name that was typed where a number belongs, this event's first. Empty: it is not a
    name, or there is no list."""
    if any(one.isdigit() for one in typed) or not any(one.isalpha() for one in typed):
        return []
    return lookup.by_name(conn, typed, [event.slug])


def _meant(
    conn: Connection, event: EventRow, unknown: Iterable[str], on_sheet: set[str]
) -> dict[str, Sequence[Athlete]]:
    """Who may have been meant: athletes at home here, or who ran here before, and are not on the sheet already."""
    near = {number: [one for one in likely_misread(number) if can_hold(one)] for number in unknown}
    candidates = {one for some in near.values() for one in some} - on_sheet
    here = {one.number: one for one in lookup.at_home(conn, candidates, [event.slug])}
    ran = candidates & _ran_before(conn, event)
    before = {number: one for number, one in lookup.by_number(conn, ran).items() if one.name is not None}
    found = {**before, **here}

    def rank(number: str) -> tuple[bool, bool, int]:
        return number not in ran, number not in here, -found[number].runs

    return {
        number: [found[one] for one in sorted(filter(found.__contains__, some), key=rank)][:MOST_MEANT]
        for number, some in near.items()
    }


class _PastFinisher(msgspec.Struct):
    athlete: str | None = None


class _PastSheet(msgspec.Struct):
    finishers: list[_PastFinisher]


_DECODER: Any = msgspec.json.Decoder(_PastSheet)


def _ran_before(conn: Connection, event: EventRow) -> set[str]:
    """Who is on the last sheets of this event."""
    found: set[str] = set()
    for sheet in versions.last_sheets(conn, event.id, SHEETS):
        found |= {line.athlete for line in _DECODER.decode(sheet.body).finishers if line.athlete is not None}
    return found
