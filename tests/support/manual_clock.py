"""A clock that tests move by hand."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime, monotonic: float = 0.0) -> None:
        if now.tzinfo is None:
            raise ValueError("A clock is set to an aware time: give the datetime a time zone.")
        self._now = now.astimezone(UTC)
        self._monotonic = monotonic

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock `seconds` on (or back, if negative); no time passes."""
        self._now += timedelta(seconds=seconds)


class SlowClock(ManualClock):
    """Each look at the time that passes takes `look_s`."""

    def __init__(self, now: datetime, look_s: float, monotonic: float = 0.0) -> None:
        super().__init__(now, monotonic)
        self._look_s = look_s

    def monotonic(self) -> float:
        self.advance(self._look_s)
        return super().monotonic()
