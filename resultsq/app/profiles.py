"""An athlete's profile, for a team on whose sheets the athlete is, for the athlete, and in part for everybody: from the
node's list, and from the sheets here."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from resultsq.domain.athletes import Athlete, initials
from resultsq.domain.sheet import parse
from resultsq.domain.submission import State
from resultsq.store.admin import events
from resultsq.store.admin.events import EventRow
from resultsq.store.athletes import lookup
from resultsq.store.athletes.lookup import ListInUse
from resultsq.store.views import versions

MOST_EVENTS = 20
SHEETS = 12
"""Sheets of each event that are looked through."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that this node knows. `final`: the master has published it."""

    event: EventRow
    date: str
    position: int
    time: str | None
    final: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """What a team sees of an athlete, or the athlete. `event` is the one of the newest run, else the home event; None:
    that is not here. `has_more_events`: there are events that were not looked through."""

    athlete: Athlete
    event: EventRow | None
    runs: tuple[Run, ...]
    listed: ListInUse
    has_more_events: bool


def load(conn: Connection, mine: Sequence[EventRow], number: str) -> Profile | None:
    """The profile; None where there is no list, where it lacks the number, or where no sheet of these events has it:
    the answer is the same."""
    listed = lookup.in_use(conn)
    athlete = lookup.by_number(conn, [number]).get(number)
    home = None if athlete is None else athlete.home_event
    found = _runs(conn, sorted(mine, key=lambda event: event.slug != home), number)
    if listed is None or athlete is None or athlete.name is None or not found:
        return None
    return Profile(athlete, found[0].event, found, listed, len(mine) > MOST_EVENTS)


def of_runner(conn: Connection, number: str) -> Profile | None:
    """The same for the athlete, whether or not any sheet here has the number: the home event's sheets are looked
    through before those of others. None where there is no list, or it lacks the number."""
    listed = lookup.in_use(conn)
    athlete = lookup.by_number(conn, [number]).get(number)
    if listed is None or athlete is None or athlete.name is None:
        return None
    home = None if athlete.home_event is None else events.find(conn, athlete.home_event)
    here = {event.id: event for event in ([] if home is None else [home])}
    here |= {event.id: event for event in events.search(conn, "", MOST_EVENTS + 1)}
    found = _runs(conn, list(here.values()), number)
    return Profile(athlete, found[0].event if found else home, found, listed, len(here) > MOST_EVENTS)


def of_anybody(conn: Connection, number: str) -> Profile | None:
    """The public part of the profile: initials, the number and published runs."""
    found = of_runner(conn, number)
    if found is None:
        return None
    runs = tuple(run for run in found.runs if run.final)
    athlete = Athlete(number, initials(found.athlete.name or ""))
    return Profile(athlete, runs[0].event if runs else None, runs, found.listed, found.has_more_events)


def _runs(conn: Connection, here: Sequence[EventRow], number: str) -> tuple[Run, ...]:
    """The athlete's runs at the first of these events, newest first: on the newest sheet of each of the last days."""
    of_id, days, found = {event.id: event for event in here[:MOST_EVENTS]}, set[tuple[int, str]](), list[Run]()
    for one in versions.sheets_with(conn, list(of_id), SHEETS, f'"{number}"'.encode()):
        day = (one.event_id, one.date)
        if day in days:
            continue
        days.add(day)
        if one.body is None:
            continue
        final = one.state in (State.PUBLISHED, State.CORRECTED)
        rows = (row for row in parse(one.body).finishers if row.athlete == number)
        found += [Run(of_id[one.event_id], one.date, row.position, row.time, final) for row in rows]
    return tuple(sorted(found, key=lambda run: run.date, reverse=True))
