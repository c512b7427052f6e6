"""Threads and what they wait on, handed in as the clock is, so that they can be run in any order that is wanted.

The names and the behaviour are those of Python's `threading`, `queue` and `concurrent.futures`.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol

Empty = queue.Empty


class Thread(Protocol):
    def start(self) -> None: ...
    def is_alive(self) -> bool: ...
    def join(self, timeout: float | None = None) -> None: ...


class Flag(Protocol):
    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Condition(Protocol):
    def __enter__(self) -> bool: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def notify(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Mailbox(Protocol):
    def put(self, item: Any) -> None: ...
    def get(self, *, timeout: float | None = None) -> Any: ...
    def get_nowait(self) -> Any: ...
    def empty(self) -> bool: ...


class Pool(Protocol):
    def submit(self, work: Callable[[], object], /) -> object: ...
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None: ...


class Threads(Protocol):
    """Makes them. No thread keeps the process from ending."""

    def thread(self, work: Callable[[], None], name: str) -> Thread: ...
    def event(self) -> Flag: ...
    def condition(self) -> Condition: ...
    def queue(self) -> Mailbox: ...
    def pool(self, size: int, name: str) -> Pool: ...


class SystemThreads:
    """The machine's own threads."""

    def thread(self, work: Callable[[], None], name: str) -> Thread:
        return threading.Thread(target=work, name=name, daemon=True)

    def event(self) -> Flag:
        return threading.Event()

    def condition(self) -> Condition:
        return threading.Condition()

    def queue(self) -> Mailbox:
        return queue.SimpleQueue[Any]()

    def pool(self, size: int, name: str) -> Pool:
        return ThreadPoolExecutor(size, thread_name_prefix=name)
