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
    that is not here."""

    athlete: Athlete
    event: EventRow | None
    runs: tuple[Run, ...]
    listed: ListInUse


def load(conn: Connection, mine: Sequence[EventRow], number: str) -> Profile | None:
    """The profile; None where there is no list, where it lacks the number, or where no sheet of these events has it:
    the answer is the same."""
    listed = lookup.in_use(conn)
    athlete = lookup.by_number(conn, [number]).get(number)
    found = [run for event in mine[:MOST_EVENTS] for run in _runs(conn, event, number)]
    if listed is None or athlete is None or athlete.name is None or not found:
        return None
    found.sort(key=lambda run: run.date, reverse=True)
    return Profile(athlete, found[0].event, tuple(found), listed)


def of_runner(conn: Connection, number: str) -> Profile | None:
    """The same for the athlete, whether or not any sheet here has the number: the home event's sheets are looked
    through before those of others. None where there is no list, or it lacks the number."""
    listed = lookup.in_use(conn)
    athlete = lookup.by_number(conn, [number]).get(number)
    if listed is None or athlete is None or athlete.name is None:
        return None
    here = sorted(events.every(conn), key=lambda event: event.slug != athlete.home_event)[:MOST_EVENTS]
    found = [run for event in here for run in _runs(conn, event, number)]
    found.sort(key=lambda run: run.date, reverse=True)
    home = next((event for event in here if event.slug == athlete.home_event), None)
    return Profile(athlete, found[0].event if found else home, tuple(found), listed)


def of_anybody(conn: Connection, number: str) -> Profile | None:
    """The public part of the profile: initials, the number and published runs."""
    found = of_runner(conn, number)
    if found is None:
        return None
    runs = tuple(run for run in found.runs if run.final)
    athlete = Athlete(number, initials(found.athlete.name or ""))
    return Profile(athlete, runs[0].event if runs else None, runs, found.listed)


def _runs(conn: Connection, event: EventRow, number: str) -> list[Run]:
    """On the newest sheet of each of the event's last days."""
    days, found = set[str](), []
    for one in versions.last_sheets(conn, event.id, SHEETS):
        if one.date in days:
            continue
        days.add(one.date)
        final = one.state in (State.PUBLISHED, State.CORRECTED)
        rows = (row for row in parse(one.body).finishers if row.athlete == number)
        found += [Run(event, one.date, row.position, row.time, final) for row in rows]
    return found
