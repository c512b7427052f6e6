"""Reads the pages of a long list ahead, in a thread of its own, while those before them are sorted and written: the way
to the master and back, and the master's work, cost no time then."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from resultsq.clock import Clock
from resultsq.domain.athletes import ListPage, ListQuestion, MustRefetch, NoList
from resultsq.domain.outcome import Outcome

AHEAD = 16
"""Pages that wait at most: some ten megabytes."""

Answer = ListPage | MustRefetch | NoList | Outcome
Ask = Callable[[ListQuestion], Answer]


@dataclass(frozen=True, slots=True)
class AskedPage:
    """What the master answered, and when it was asked."""

    asked_at: datetime
    answer: Answer


class PagesAhead:
    """The answers from a question on, one after the other, as long as each is a page that leads on. Nothing is read
    ahead before a second one is taken: of changes, which are few, there is one."""

    def __init__(self, ask: Ask, clock: Clock, question: ListQuestion) -> None:
        self._ask = ask
        self._clock = clock
        self._next: ListQuestion | None = question
        self._read = queue.Queue[AskedPage | BaseException | None](AHEAD)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._took_one = False

    def take(self) -> AskedPage | None:
        """The next answer; None: there is none after the last, or it was stopped.

        Raises what the call raised."""
        if self._took_one and self._thread is None and self._next is not None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="list of athletes", daemon=True)
            self._thread.start()
        self._took_one = True
        read = self._one() if self._thread is None else self._read.get()
        if read is None:
            self._thread = None
            self.stop()
        elif isinstance(read, BaseException):
            raise read
        return read

    def stop(self) -> None:
        """Begin no call any more. What was read already can still be taken."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and wait until a call that has begun is at its end."""
        self.stop()
        while self._thread is not None and self._read.get() is not None:
            continue

    def _run(self) -> None:
        while (read := self._one()) is not None:
            self._read.put(read)
        self._read.put(None)

    def _one(self) -> AskedPage | BaseException | None:
        question, self._next = self._next, None
        if question is None or self._stopped.is_set():
            return None
        asked_at = self._clock.now()
        try:
            answer = self._ask(question)
        except BaseException as error:  # noqa: BLE001 - carried to `take`, which raises it
            return error
        self._next = _after(question, answer)
        return AskedPage(asked_at, answer)


def _after(asked: ListQuestion, answer: Answer) -> ListQuestion | None:
    """The question that this answer leads to."""
    if not isinstance(answer, ListPage) or answer.up_to_date or answer.after == asked.after:
        return None
    if asked.handle and answer.handle != asked.handle:
        return None
    return replace(asked, handle=answer.handle, after=answer.after, etag="")
