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
from resultsq.kinds.results.rules import BAD_VALUE, DATE_TO_COME, DAY_LONG_AGO
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


@dataclass(frozen=True, slots=True)
class Calendar:
    """What day it is, and how far the clock that says so is behind; asked only where that matters.

    As it is without an event: a program's day, of which no time zone is known."""

    today: date
    clock_off_s: Callable[[], float] = lambda: 0.0
    leeway: timedelta = timedelta(days=1)
    """Tomorrow is allowed: it is today in another time zone."""
    where: tuple[Where, ...] = (Where(pointer="/date"),)
    today_after: Callable[[float], date] | None = None
    """The day when the clock is so many seconds further."""

    def forbids(self, day: date) -> bool:
        """Whether it is still to come, and the clock is not known to be behind."""
        return self._is_to_come(day) and self.clock_off_s() <= 0

    def problems(self, day: date) -> tuple[Problem, ...]:
        """Those of a day that is not forbidden: it is still to come, or long ago."""
        if self._is_to_come(day):
            return (DATE_TO_COME.broken(self.where, date=day),)
        if not long_ago(day, self.today):
            return ()
        # a clock that is known to run ahead makes no day older
        return long_ago(day, self._right_day(), self.where)

    def judge(self, day: date) -> tuple[Problem, ...]:
        """The problems of an event's day.

        :raises SheetRefused: it is still to come, and the clock is not known to be behind."""
        if self.forbids(day):
            reason = gettext(
                "it is still to come by this machine's clock, which says {today}, so there can be no results for it",
                today=self.today,
            )
            problem = BAD_VALUE.broken(self.where, place=gettext("The date"), reason=reason)
            raise SheetRefused(gettext("This cannot be accepted as it is. Nothing was stored."), (problem,))
        return self.problems(day)

    def _is_to_come(self, day: date) -> bool:
        return day > self.today + self.leeway

    def _right_day(self) -> date:
        off_s = self.clock_off_s()
        return self.today + timedelta(seconds=off_s) if self.today_after is None else self.today_after(off_s)


def calendar_of(database: Database, now: datetime) -> Calendar:
    """The calendar by this node's clock."""

    def off_s() -> float:
        with database.read() as conn:
            return queries.clock_off_s(conn, now)

    return Calendar(now.date(), off_s)


def calendar_at(conn: Connection, event: EventRow, now: datetime) -> Calendar:
    """The calendar at an event: its time zone is known, so no day after today is allowed."""
    return Calendar(
        today_at(event, now),
        lambda: queries.clock_off_s(conn, now),
        leeway=timedelta(0),
        where=(),
        today_after=lambda seconds: today_at(event, now + timedelta(seconds=seconds)),
    )


def demand_past(conn: Connection, event: EventRow, chosen: date, now: datetime) -> None:
    """:raises InputRefused: that day is still to come, and the clock is not known to be behind."""
    calendar = calendar_at(conn, event, now)
    if calendar.forbids(chosen):
        raise InputRefused(
            gettext(
                "That day is still to come, so there can be no results for it. By this machine's clock it is {day}.",
                day=day_text(calendar.today.isoformat()),
            )
        )


def problems(
    conn: Connection, event: EventRow, chosen: str, now: datetime, confirmed: Collection[str]
) -> Iterable[Problem]:
    """A day that is still to come, or long ago and not `confirmed`."""
    if not chosen:
        return ()
    day, calendar = date.fromisoformat(chosen), calendar_at(conn, event, now)
    if calendar.forbids(day):
        return ()  # it was refused when it was chosen
    return [one for one in calendar.problems(day) if one.code != DAY_LONG_AGO.code or one.code not in confirmed]
