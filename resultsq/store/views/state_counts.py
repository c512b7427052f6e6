"""How many submissions there are in each state, without reading again what is over.

Most are published, and no submission is ever removed. So the published ones are what is left of all when those in other
states are taken away; and of all, those that lie far behind the newest are counted once in a process.
"""

import threading
from collections import Counter
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Engine, bindparam, func, literal, select, union_all

from resultsq.domain.submission import State
from resultsq.store.engine.tables import Submission

MARGIN = 10_000
"""So far behind the newest no transaction is under way: others have been accepted after it, for many seconds."""

_ALL = "all"


class RunningCounts:
    """Of one database, as one process sees it."""

    def __init__(self) -> None:
        self._until = 0  # of those up to this seq there are so many
        self._kept = 0
        self._lock = threading.Lock()

    def count(self, conn: Connection) -> Counter[State]:
        """The first look reads an index of all; the others read those that are not published, and the newest."""
        with self._lock:
            self._keep_up(conn)
            until, kept = self._until, self._kept
        found: dict[str, int] = dict(conn.execute(_NOW[conn.dialect.name], {"until": until}).all())
        all_of_them = kept + found.pop(_ALL)
        counts = Counter({State(name): number for name, number in found.items()})
        counts[State.PUBLISHED] = all_of_them - counts.total()
        return counts

    def _keep_up(self, conn: Connection) -> None:
        newest = conn.execute(select(func.max(Submission.seq))).scalar_one() or 0
        until = newest - MARGIN
        if until <= self._until + MARGIN:
            return
        if self._until:
            more = select(func.count()).where(Submission.seq > self._until, Submission.seq <= until)
            self._kept += conn.execute(more).scalar_one()
        else:  # from any index, and not from the table
            every = conn.execute(select(func.count()).select_from(Submission)).scalar_one()
            later = conn.execute(select(func.count()).where(Submission.seq > until)).scalar_one()
            self._kept = every - later
        self._until = until


def _now(*where: ColumnElement[bool]) -> CompoundSelect[str, int]:
    """In one statement, so that all figures are of one moment."""
    others = select(Submission.state, func.count()).where(Submission.state.in_(sorted(set(State) - {State.PUBLISHED})))
    newest = select(literal(_ALL), func.count()).where(Submission.seq > bindparam("until"), *where)
    return union_all(others.group_by(Submission.state), newest)


# in SQLite the table itself is in order of seq: by the states it is read from a small index
_NOW = {"sqlite": _now(Submission.state.in_(sorted(State))), "postgresql": _now()}
_running: WeakKeyDictionary[Engine, RunningCounts] = WeakKeyDictionary()


def in_each_state(conn: Connection) -> Counter[State]:
    """How many there are; those of other destinations among them."""
    return _running.setdefault(conn.engine, RunningCounts()).count(conn)
