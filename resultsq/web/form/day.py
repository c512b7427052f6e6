"""What the form says of the chosen day itself."""

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from resultsq.domain.problem import Problem
from resultsq.kinds.results.days import long_ago
from resultsq.kinds.results.rules import DATE_TO_COME
from resultsq.store import queries
from resultsq.store.events import EventRow
from resultsq.web.form.frame import today
from resultsq.web.node import node

OF_THE_DAY: Final = frozenset({"other-day", "already-here", "day-long-ago"})
"""What a person confirms for one day only: another day is judged anew."""


def problems(conn: Connection, event: EventRow, chosen: str, confirmed: Collection[str]) -> Iterable[Problem]:
    """A day that is still to come, or long ago and not `confirmed`."""
    if not chosen:
        return
    day, there = date.fromisoformat(chosen), today(event)
    if day > there and queries.clock_off_s(conn, node().clock.now()) > 0:
        yield DATE_TO_COME.broken([], date=chosen)
    if "day-long-ago" not in confirmed and long_ago(day, there):
        yield from long_ago(day, _today_by_the_master(conn, event))


def _today_by_the_master(conn: Connection, event: EventRow) -> date:
    """The date at the event, when this node's clock is known to be wrong by some seconds."""
    now = node().clock.now()
    right = now + timedelta(seconds=queries.clock_off_s(conn, now))
    return right.astimezone(ZoneInfo(event.time_zone)).date()
