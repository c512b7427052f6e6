"""What a team has to see first: results that need its decision, and work that it began."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from resultsq.app.drafts import Workspace
from resultsq.store.admin import drafts
from resultsq.store.admin.events import EventRow
from resultsq.store.views import versions
from resultsq.store.views.versions import Version
from resultsq.web.auth import me

MOST = 20
"""Results that are named at once; the history has the others."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Work in progress of an event; `date` may be empty."""

    event: EventRow
    date: str


@dataclass(frozen=True, slots=True)
class Needs:
    """Results that were refused or clash, with their events, and work in progress."""

    undecided: Sequence[tuple[EventRow, Version]]
    begun: Sequence[Begun]


def needs(conn: Connection, mine: Sequence[EventRow]) -> Needs:
    """The tasks of the team in these events."""
    by_id = {event.id: event for event in mine}
    found = versions.undecided(conn, list(by_id), MOST)
    begun = [
        Begun(by_id[event_id], date)
        for event_id, date, work in drafts.of_account(conn, me().id, MOST)
        if event_id in by_id and not Workspace.model_validate_json(work).empty
    ]
    return Needs([(by_id[event_id], one) for event_id, one in found], begun)
