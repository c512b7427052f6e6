"""Finishers that are stored for another date or event: last week's files, or a neighbour's."""

from collections.abc import Callable

from sqlalchemy import Connection

from resultsq.domain.problem import Problem
from resultsq.domain.sheet import Rows
from resultsq.kinds.results.findings_files import already_here
from resultsq.store.views import versions


def find_elsewhere(
    conn: Connection, event_id: int, day: str, rows: Rows, may_see: Callable[[int], bool]
) -> Problem | None:
    """The problem that another sheet has the same finishers. It names the sheet only where the caller may see it."""
    digest = rows.digest_of_finishers if day else None
    found = None if digest is None else versions.with_finishers(conn, digest, event_id, day)
    if found is None:
        return None
    if found.event_id == event_id:
        return already_here(found.date)
    return already_here(found.date, found.event) if may_see(found.event_id) else already_here(None)
