"""How much an event has handed in on a day: one row an event, which its first submission of another day begins anew."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.store.engine.tables import EventDay


@dataclass(frozen=True, slots=True)
class Used:
    """What an event has handed in on a day."""

    submissions: int
    bytes: int


def day_of(now: datetime) -> str:
    """The day (UTC) that counts."""
    return now.date().isoformat()


def counting(new: postgresql.Insert | sqlite.Insert) -> Any:
    """The INSERT of one more, which adds to the row that is there and returns what the event has used with it."""
    same = EventDay.day == new.excluded.day
    counted = {
        "day": new.excluded.day,
        "submissions": case((same, EventDay.submissions), else_=0) + new.excluded.submissions,
        "bytes": case((same, EventDay.bytes), else_=0) + new.excluded.bytes,
    }
    return new.on_conflict_do_update(index_elements=["event_id"], set_=counted).returning(
        EventDay.submissions, EventDay.bytes
    )
