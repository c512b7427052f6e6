"""The senders of one worker. Each sends one sheet at a time.

A sheet is *prefetched* when its lease is committed and no sender has begun with it. A sender whose sheet was accepted
begins with a prefetched one at once, without waiting for the cycle that settles. So senders do not wait for cycles, and
a cycle settles several attempts. The number of calls under way does not grow: one ends, one begins.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.outcome import Accepted
from resultsq.domain.settlement import Settlement
from resultsq.store.outbox import Lease
from resultsq.threads import SystemThreads, Threads

PREFETCHED_S = 1.0
"""How long a sheet may stay prefetched: its lease runs, and a hold no longer stops it."""

_log = logs.get("senders")


class SenderPool:
    """`deliver` sends one sheet and raises nothing; `tell` is called with each settlement, in the sender's thread."""

    def __init__(
        self,
        ceiling: int,
        clock: Clock,
        deliver: Callable[[Lease], Settlement],
        tell: Callable[[Lease, Settlement], None],
        threads: Threads | None = None,
    ) -> None:
        self._clock = clock
        self._deliver = deliver
        self._tell = tell
        self._pool = (threads or SystemThreads()).pool(ceiling, "sender")
        self._prefetched: deque[tuple[float, Lease]] = deque()
        self._begun: deque[tuple[float, Lease]] = deque()  # for whichever thread comes first
        self._out = 0
        self._lock = threading.Lock()

    @property
    def out(self) -> int:
        """How many sheets are being sent, at most."""
        return self._out

    @property
    def prefetched(self) -> int:
        """How many are prefetched."""
        return len(self._prefetched)

    @property
    def has_spares(self) -> bool:
        """Whether most senders have a prefetched sheet."""
        return 2 * len(self._prefetched) > self._out

    @property
    def is_stale(self) -> bool:
        """Whether one was prefetched too long ago to be begun."""
        with self._lock:
            return bool(self._prefetched) and self._prefetched[0][0] <= self._clock.monotonic()

    def send(self, leases: Sequence[Lease], free_slots: int) -> None:
        """Begin with `free_slots` more, the oldest first; the rest stays prefetched."""
        until = self._clock.monotonic() + PREFETCHED_S
        with self._lock:
            self._prefetched.extend((until, lease) for lease in leases)
            begun = [self._prefetched.popleft() for _ in range(min(free_slots, len(self._prefetched)))]
            self._begun.extend(begun)
            self._out += len(begun)
        for _ in begun:
            try:
                self._pool.submit(self._work)
            except RuntimeError as error:  # the system has no more threads for us
                self._not_begun(error)

    def cancel_prefetch(self) -> list[Lease]:
        """Take all prefetched leases away; no sender will begin with them."""
        with self._lock:
            taken = [lease for _, lease in self._prefetched]
            self._prefetched.clear()
        return taken

    def close(self) -> None:
        """Begin with none; this does not wait for calls under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _not_begun(self, error: RuntimeError) -> None:
        """A sheet that no thread takes is prefetched again: a sender that is done begins with it, or it is released."""
        with self._lock:
            if self._begun:
                self._prefetched.appendleft(self._begun.pop())
                self._out -= 1
        _log.warning("sender.no_thread", error=str(error))

    def _work(self) -> None:
        with self._lock:
            # the pool keeps a call that it could not start, so such a call may find nothing to do
            lease = self._begun.popleft()[1] if self._begun else None
        while lease is not None:
            ending = self._deliver(lease)
            with self._lock:
                # choose the next before reporting the end: the cycle that learns of the end then counts the
                # prefetched without it
                following = self._next(ending)
                self._tell(lease, ending)
            lease = following

    def _next(self, ending: Settlement) -> Lease | None:
        # after trouble of any kind a cycle decides, not a sender
        accepted = isinstance(ending.outcome, Accepted)
        if accepted and self._prefetched and self._clock.monotonic() < self._prefetched[0][0]:
            return self._prefetched.popleft()[1]
        self._out -= 1
        return None
