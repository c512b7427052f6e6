"""How often and how much at once one caller may do. Counted in this process alone, so that no broker can
get in the way.

Posts are not counted here: an event day's may all come from one address."""

import ipaddress
import threading
from collections import Counter, OrderedDict, deque

from resultsq.clock import Clock


class RateLimiter:
    """At most `most` tries of one key within `within_s` seconds; the `keys` last seen are remembered."""

    def __init__(self, clock: Clock, most: int, within_s: float, keys: int = 10_000) -> None:
        self._clock = clock
        self._most = most
        self._within_s = within_s
        self._keys = keys
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> float:
        """Count a try. 0: go on. Else the seconds until the next one is free; this one must not be made."""
        now = self._clock.monotonic()
        with self._lock:
            times = self._seen.setdefault(key, deque())
            self._seen.move_to_end(key)
            if len(self._seen) > self._keys:
                self._seen.popitem(last=False)
            while times and times[0] <= now - self._within_s:
                times.popleft()
            if len(times) >= self._most:
                return times[0] + self._within_s - now
            times.append(now)
            return 0.0

    def take_back(self, key: str) -> None:
        """The last try of this key does not count after all."""
        with self._lock:
            if times := self._seen.get(key):
                times.pop()

    def forget(self, key: str) -> None:
        """It was who it said it was: the tries before do not count any more."""
        with self._lock:
            self._seen.pop(key, None)


class ConcurrencyLimit:
    """At most `most` things of one key at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, key: str) -> bool:
        """Whether one more of this key may begin; it runs until `end`."""
        with self._lock:
            if self._running[key] >= self._most:
                return False
            self._running[key] += 1
            return True

    def end(self, key: str) -> None:
        with self._lock:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]


def network(address: str | None) -> str:
    """What counts as one caller: an IPv4 address, or the /64 that an IPv6 host may draw its addresses from."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
