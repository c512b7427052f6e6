"""The day of an event, judged by a clock that may be wrong."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from resultsq.domain.errors import InputRefused, SheetRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem, Where
from resultsq.kinds.results.days import long_ago
from resultsq.kinds.results.rules import BAD_VALUE, DATE_TO_COME
from resultsq.kinds.results.texts import day_text
from resultsq.store.admin.events import EventRow
from resultsq.store.engine.session import Database
from resultsq.store.views import queries

SATURDAY = 6

OF_THE_DAY: Final = frozenset({"other-day", "already-here", "day-long-ago"})
"""What a person confirms for one day only: another day is judged anew."""


def today_at(event: EventRow, now: datetime) -> date:
    """The date at the event."""
    return now.astimezone(ZoneInfo(event.time_zone)).date()


def last_saturday(event: EventRow, now: datetime) -> date:
    """The day that most results are of, offered as one tap: a date that is typed is easily wrong."""
    today = today_at(event, now)
    return today - timedelta(days=(today.isoweekday() - SATURDAY) % 7)


def clock_is_behind(conn: Connection, now: datetime) -> bool:
    """Whether this node's clock is known to be behind: the real day is a later one, or a later hour of it."""
    return queries.clock_off_s(conn, now) > 0


def demand_past(conn: Connection, event: EventRow, chosen: date, now: datetime) -> None:
    """:raises InputRefused: that day is still to come, and the clock is not known to be behind."""
    today = today_at(event, now)
    if chosen > today and not clock_is_behind(conn, now):
        raise InputRefused(
            gettext(
                "That day is still to come, so there can be no results for it. By this machine's clock it is {day}.",
                day=day_text(today.isoformat()),
            )
        )


def problems(
    conn: Connection, event: EventRow, chosen: str, now: datetime, confirmed: Collection[str]
) -> Iterable[Problem]:
    """A day that is still to come, or long ago and not `confirmed`."""
    if not chosen:
        return
    day, today = date.fromisoformat(chosen), today_at(event, now)
    if day > today and clock_is_behind(conn, now):
        yield DATE_TO_COME.broken([], date=chosen)
    if "day-long-ago" not in confirmed and long_ago(day, today):
        # a clock that is known to run ahead makes no day older
        right = now + timedelta(seconds=queries.clock_off_s(conn, now))
        yield from long_ago(day, today_at(event, right))


@dataclass(frozen=True, slots=True)
class Calendar:
    """What day it is, and how far the clock that says so is behind; asked only where that matters."""

    today: date
    clock_off_s: Callable[[], float] = lambda: 0.0

    def judge(self, day: date) -> tuple[Problem, ...]:
        """The problems of an event's day.

        :raises SheetRefused: it is still to come, and the clock is not known to be behind."""
        problems = to_come(day, self.today)
        if problems and self.clock_off_s() <= 0:
            reason = gettext(
                "it is still to come by this machine's clock, which says {today}, so there can be no results for it",
                today=self.today,
            )
            problem = BAD_VALUE.broken([Where(pointer="/date")], place=gettext("The date"), reason=reason)
            raise SheetRefused(gettext("This cannot be accepted as it is. Nothing was stored."), (problem,))
        return problems or self._long_ago(day)

    def _long_ago(self, day: date) -> tuple[Problem, ...]:
        if not long_ago(day, self.today):
            return ()
        # a clock that is known to run ahead makes no day older
        return long_ago(day, self.today + timedelta(seconds=self.clock_off_s()), [Where(pointer="/date")])


def calendar_of(database: Database, now: datetime) -> Calendar:
    """The calendar by this node's clock."""

    def off_s() -> float:
        with database.read() as conn:
            return queries.clock_off_s(conn, now)

    return Calendar(now.date(), off_s)


def to_come(day: date, today: date) -> tuple[Problem, ...]:
    """Tomorrow is allowed: it is today in another time zone."""
    if day <= today + timedelta(days=1):
        return ()
    return (DATE_TO_COME.broken([Where(pointer="/date")], date=day),)
