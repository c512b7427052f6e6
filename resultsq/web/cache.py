"""What a web process remembers for a few seconds, so that the same question does not reach the database twice."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from resultsq.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TTLCache(Generic[K, V]):
    """Answers that are good for `life_s` seconds, `most` of them at once. "None" is never remembered, so that
    a new row is found at once. Two threads may ask the same question together: the answers are equal."""

    def __init__(self, clock: Clock, life_s: float, most: int = 1000) -> None:
        self._clock = clock
        self._life_s = life_s
        self._most = most
        self._kept: dict[K, tuple[float, V]] = {}

    def get(self, key: K, look_up: Callable[[], V]) -> V:
        """The answer for `key`: remembered, or looked up now."""
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        value = look_up()
        if value is not None:
            if len(self._kept) >= self._most:
                self._kept = {}  # far beyond what one node is asked for; all are found again in a moment
            self._kept[key] = (now + self._life_s, value)
        return value
