"""Clocks of devices: some show the time at the event, some show UTC, and no file says which."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(1024)
def day_there(clock: str, zone: str) -> str:
    """The day at an event in `zone` when a clock of UTC shows `clock` (`2026-03-13T20:30`). A Saturday's 9:30 in
    Auckland is Friday there."""
    return datetime.fromisoformat(clock).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date().isoformat()
