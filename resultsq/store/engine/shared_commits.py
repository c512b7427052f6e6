"""Writers of one process share commits: those that come while another commits go into the next transaction.

One writer leads: it commits for all that wait, itself among them, wakes them, and hands on to the first that came
meanwhile. Each waits for its own end, and not for a lock that the next leader holds: so an answer never waits for
another's commit, and a writer that comes back at once finds no lock free that the others have waited for.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")

BATCH = 64
"""Most writers that share a commit: a bound on how long the first of them waits."""


class PendingWrite(Generic[T]):
    """One caller's piece of a shared transaction. `woken`: it has ended, or leads."""

    __slots__ = ("done", "error", "leads", "value", "woken", "work")

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.done = False
        self.leads = False
        self.value: T | None = None
        self.error: BaseException | None = None
        self.woken = threading.Lock()
        self.woken.acquire()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # set whenever there is no error


class CommitQueue:
    """The writers that wait, the oldest first. `commit` carries out some in one transaction, and marks each as done;
    it raises nothing. One thread at a time is in it, and none is kept for it."""

    def __init__(self, commit: Callable[[Sequence[PendingWrite[Any]]], None]) -> None:
        self._commit = commit
        self._waiting: deque[PendingWrite[Any]] = deque()
        self._lock = threading.Lock()
        self._led = False

    def __len__(self) -> int:
        return len(self._waiting)

    def write(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` once it is committed, or whatever it raised."""
        mine = PendingWrite(work)
        with self._lock:
            self._waiting.append(mine)
            mine.leads, self._led = not self._led, True
        if not mine.leads:
            self._wait(mine)
        if not mine.done:
            self._lead()  # for the first of those that wait
        return mine.result()

    def _wait(self, mine: PendingWrite[Any]) -> None:
        try:
            mine.woken.acquire()
        except BaseException:  # a signal's: nobody is to wait for one that has gone
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
            if mine.leads and not mine.done:
                self._hand_on()
            raise

    def _lead(self) -> None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
        try:
            self._commit(batch)
        except BaseException as error:  # a signal's, before or after the commit: nobody is told that it was written
            for write in batch:
                write.error, write.done = write.error or error, True
            raise
        finally:
            for write in batch:
                write.woken.release()
            self._hand_on()

    def _hand_on(self) -> None:
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._led = following is not None
            if following is not None:
                following.leads = True
        if following is not None:
            following.woken.release()
