"""Figures that only grow, counted from the store: how attempts ended, and how long publications took.

Rows that ended a while ago are counted once and kept; each look then counts only newer ones. Every process that
looks counts the same rows, so all show the same figures, and a restart forgets nothing.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, select

from resultsq.store.engine import sql_time
from resultsq.store.engine.tables import Attempt, Submission

SETTLED = timedelta(minutes=10)
"""Longer ago than any transaction lasts: what bears such a time is all there."""


@dataclass(frozen=True, slots=True)
class Totals:
    """`attempts`: how many ended with each outcome. `delays`: how many were published after so many seconds."""

    attempts: Counter[str] = field(default_factory=Counter)
    delays: Counter[int] = field(default_factory=Counter)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.attempts + other.attempts, self.delays + other.delays)


class RunningTotals:
    """The figures from the node's beginning until now."""

    def __init__(self) -> None:
        self._kept = Totals()
        self._until: datetime | None = None
        self._lock = threading.Lock()

    def count(self, conn: Connection, now: datetime) -> Totals:
        """Everything until now. The first look reads all that there ever was, the others the last minutes."""
        with self._lock:
            since, until = self._until, now - SETTLED
            if since is None or until - since > SETTLED:
                self._kept += _between(conn, since, until)
                self._until = since = until
            return self._kept + _between(conn, since, None)


def _between(conn: Connection, since: datetime | None, until: datetime | None) -> Totals:
    """What ended in that time, `until` not counted; None is no bound."""
    ended, published = Attempt.ended_at, Submission.published_at
    attempts = select(Attempt.outcome, func.count()).where(ended.is_not(None)).group_by(Attempt.outcome)
    within: list[ColumnElement[bool]] = []
    if since is not None:
        attempts = attempts.where(ended >= since)
        within.append(published >= since)
    if until is not None:
        attempts = attempts.where(ended < until)
        within.append(published < until)
    return Totals(
        Counter({str(outcome): count for outcome, count in conn.execute(attempts)}),
        Counter(dict(sql_time.delays(conn, *within).counts)),
    )
