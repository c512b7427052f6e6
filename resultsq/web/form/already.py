"""Whether the rows of a draft are here already, for another day of the same event: last week's files, chosen again."""

from collections.abc import Sequence

from sqlalchemy import Connection

from resultsq.domain.problem import Problem
from resultsq.domain.sheet import Finisher, rows_of
from resultsq.kinds.results.findings_files import already_here
from resultsq.kinds.results.join import Work
from resultsq.store import queries, versions

_NEWEST = 20
"""So many of an event's submissions are looked at."""

_ENOUGH = 10
"""Sheets with fewer finishers may be alike by chance."""


def elsewhere(conn: Connection, event_id: int, day: str, work: Work, finishers: Sequence[Finisher]) -> Problem | None:
    """The problem that these finishers stand in a sheet of another day. Only sheets of as many are read, and none is
    parsed: the canonical bytes are looked for."""
    said = {change.correction.code for change in work.changes if change.correction.action == "as-given"}
    if len(finishers) < _ENOUGH or not day or "already-here" in said:
        return None
    rows: bytes | None = None
    for one in versions.of_event(conn, event_id, _NEWEST):
        if one.date == day or one.finishers != len(finishers):
            continue
        rows = rows or rows_of(finishers, ()).canonical.partition(b',"volunteers":')[0][1:]
        if rows in (queries.body(conn, one.seq) or b""):
            return already_here(one.date)
    return None
