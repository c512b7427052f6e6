"""The only reader of the time: every other module is handed `now`."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, aware, in UTC. It may step; never measure a duration with it."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that only ever grow: what durations are measured with."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
