"""What day it is at an event, and what a draft's page says of the day that was chosen."""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem
from resultsq.kinds.results.days import long_ago
from resultsq.kinds.results.rules import DATE_TO_COME
from resultsq.kinds.results.texts import day_text
from resultsq.store.admin.events import EventRow
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
