"""Days for nodes that go by the machine's own clock: one of years ago would be asked about."""

from datetime import date, timedelta

from resultsq.clock import SystemClock
from resultsq.kinds.results.texts import day_text


def last_saturday() -> date:
    """The last Saturday before today."""
    today = SystemClock().now().date()
    return today - timedelta(days=(today.weekday() - 5) % 7 or 7)


SATURDAY = last_saturday()
DAY = SATURDAY.isoformat()
SPOKEN = day_text(DAY)
IN_FILES = f"{SATURDAY:%d/%m/%Y}"
BEFORE = SATURDAY - timedelta(days=7)


def weeks_before(weeks: int) -> str:
    """The Saturday so many weeks before the last."""
    return (SATURDAY - timedelta(weeks=weeks)).isoformat()
