"""One computation that serves every reader of a page, however many there are and however dear it is.

A value is computed again no sooner than twenty times as long as it took: at most a twentieth of a core goes into
it, whatever the backlog. While one thread computes, the others are given the value before.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from resultsq.clock import Clock

V = TypeVar("V")

PART_OF_A_CORE = 20


@dataclass(frozen=True, slots=True)
class CachedValue:
    """A value, when it was computed and until when it is good (monotonic seconds)."""

    value: Any
    at: float
    until: float


class SingleFlightCache:
    """Values by key. A failed computation raises in the caller; the value before stays."""

    def __init__(self, clock: Clock, most: int = 500) -> None:
        self._clock = clock
        self._most = most
        self._kept: dict[Hashable, CachedValue] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._making_locks = threading.Lock()

    def get(self, key: Hashable, life_s: float, compute: Callable[[], V]) -> tuple[V, float]:
        """The value, good for at least `life_s`, and its age in seconds."""
        kept = self._fresh(key)
        if kept is None:
            lock = self._lock(key)
            before = self._kept.get(key)
            if before is not None and not lock.acquire(blocking=False):
                kept = before
            else:
                if before is None:
                    lock.acquire()
                try:
                    kept = self._fresh(key) or self._compute(key, life_s, compute)
                finally:
                    lock.release()
        return cast(V, kept.value), self._clock.monotonic() - kept.at

    def peek(self, key: Hashable) -> Any:
        """The value last kept under the key, however old; None: nothing."""
        kept = self._kept.get(key)
        return None if kept is None else kept.value

    def keep(self, key: Hashable, value: object) -> None:
        """Put a value there for `peek`."""
        at = self._clock.monotonic()
        self._store(key, CachedValue(value, at, at))

    def _fresh(self, key: Hashable) -> CachedValue | None:
        kept = self._kept.get(key)
        return kept if kept is not None and self._clock.monotonic() < kept.until else None

    def _compute(self, key: Hashable, life_s: float, compute: Callable[[], Any]) -> CachedValue:
        began = self._clock.monotonic()
        value = compute()
        ended = self._clock.monotonic()
        kept = CachedValue(value, began, ended + max(life_s, PART_OF_A_CORE * (ended - began)))
        self._store(key, kept)
        return kept

    def _store(self, key: Hashable, kept: CachedValue) -> None:
        if key not in self._kept and len(self._kept) >= self._most:
            self._kept = {}
        self._kept[key] = kept

    def _lock(self, key: Hashable) -> threading.Lock:
        with self._making_locks:
            if len(self._locks) >= 2 * self._most:
                self._locks = {}
            return self._locks.setdefault(key, threading.Lock())
