"""The node's list of athletes held against a sheet: whose each number is, and who an unknown number may mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from resultsq.domain import cldr
from resultsq.domain.athletes import Athlete, can_hold, digits_of, likely_misread
from resultsq.domain.i18n import gettext
from resultsq.domain.link import LinkState
from resultsq.domain.problem import Problem
from resultsq.domain.sheet import Finisher, Rows, Volunteer, parse_rows
from resultsq.kinds.results import athletes
from resultsq.kinds.results.athletes import MOST_MEANT, KnownAthletes
from resultsq.store.admin import events
from resultsq.store.admin.events import EventRow
from resultsq.store.athletes import lookup
from resultsq.store.outbox import links
from resultsq.store.views import slip_lines, versions

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
    """The list's entries for these athletes of the event, and the names of runners who registered here since; None
    where this node has no list."""
    listed = lookup.in_use(conn)
    if listed is None:
        return None
    on_sheet = {row.athlete for row in finishers if row.athlete is not None}
    helpers = {one.athlete for one in volunteers}
    people = lookup.by_number(conn, on_sheet | helpers)
    begins = as_of_beginning(listed.as_of, event.time_zone, now)
    said = as_of_sentence(listed.as_of, event.time_zone, now)
    known = KnownAthletes(listed.as_of, begins, said, not listed.events, people)
    lacking = [number for number in (*sorted(on_sheet), *sorted(helpers - on_sheet)) if known.lacks(number)]
    if not lacking:
        return known
    registered = slip_lines.names(conn, lacking)
    known = replace(known, people={**people, **{one: Athlete(one, name) for one, name in registered.items()}})
    unknown = [number for number in lacking if known.lacks(number)]
    # an athlete finishes once, and helps once; many do both
    ran, helped = digits_of(on_sheet), digits_of(helpers)
    meant = _meant(conn, event, {one: ran if one in on_sheet else helped for one in unknown[:MOST_UNKNOWN]})
    return replace(known, meant=meant)


@dataclass(frozen=True, slots=True)
class ListFindings:
    """What the list says of results: its problems; as of when it is, also as a sentence; whether the master is away."""

    problems: tuple[Problem, ...]
    at: datetime
    said: str
    is_away: bool


def findings(
    conn: Connection, slug: str, finishers: Sequence[Finisher], volunteers: Sequence[Volunteer], now: datetime
) -> ListFindings | None:
    """What the list says of these results of the event; None where there is no list, or no such event."""
    event = events.find(conn, slug)
    known = None if event is None else of_sheet(conn, event, finishers, now, volunteers)
    if known is None:
        return None
    problems = tuple(athletes.findings(finishers, known, volunteers))
    return ListFindings(problems, known.at, known.said, master_is_away(conn))


def of_rows(conn: Connection, slug: str, rows: Rows, now: datetime) -> ListFindings | None:
    """The same of rows that are about to be accepted: afterwards nothing is asked any more that could fail."""
    if not lookup.is_there(conn):
        return None
    said = parse_rows(rows)
    return findings(conn, slug, said.finishers, said.volunteers, now)


def master_is_away(conn: Connection) -> bool:
    """Whether the master cannot be reached now, so that the list may lack what changed."""
    link = links.facts(conn)
    return link is not None and link.state is not LinkState.UP


def as_of_beginning(as_of: datetime, zone: str, now: datetime) -> str:
    """The time of the list as people of the event read it, as a sentence begins. A language has other words before a
    time than before a day."""
    time, day = _time_and_day(as_of, zone, now)
    return gettext("As of {time} on {day}", time=time, day=day) if day else gettext("As of {time}", time=time)


def as_of_sentence(as_of: datetime, zone: str, now: datetime) -> str:
    """The same as a sentence of its own."""
    time, day = _time_and_day(as_of, zone, now)
    if day:
        return gettext("Names are as of {time} on {day}.", time=time, day=day)
    return gettext("Names are as of {time}.", time=time)


def _time_and_day(as_of: datetime, zone: str, now: datetime) -> tuple[str, str]:
    """The day only where it was another."""
    local = as_of.astimezone(ZoneInfo(zone))
    day = "" if local.date() == now.astimezone(ZoneInfo(zone)).date() else cldr.long_day(local)
    return f"{local:%H:%M}", day


def named(conn: Connection, event: EventRow, typed: str) -> list[Athlete]:
    """Athletes of the name that was typed where a number belongs, this event's first. Empty: it is not a
    name, or there is no list."""
    if any(one.isdigit() for one in typed) or not any(one.isalpha() for one in typed):
        return []
    return lookup.by_name(conn, typed, [event.slug])


def _meant(conn: Connection, event: EventRow, unknown: Mapping[str, set[int]]) -> dict[str, Sequence[Athlete]]:
    """Who may have been meant by each of these numbers: athletes at home here, or who ran here before, but for those
    beside it, who are there already. Near numbers go without their letter: there are many."""
    near = {number: likely_misread(int(number[1:])) - there for number, there in unknown.items() if can_hold(number)}
    candidates = set[int]().union(*near.values())
    here = {int(one.number[1:]): one for one in lookup.at_home(conn, candidates, event.slug)}
    ran = candidates & digits_of(_ran_before(conn, event))
    before = lookup.by_number(conn, [f"A{digits}" for digits in ran]).values()
    found = {**{int(one.number[1:]): one for one in before if one.name is not None}, **here}

    def rank(digits: int) -> tuple[bool, bool, int, int]:
        return digits not in ran, digits not in here, -found[digits].runs, digits

    return {
        number: [found[one] for one in sorted(some & found.keys(), key=rank)[:MOST_MEANT]]
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
