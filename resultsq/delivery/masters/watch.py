"""Bounds calls as a whole, from a thread of its own: no timeout of a library ends an answer that drips.

A call lasts until its deadline and not longer, whatever the network does: the thread shuts its socket down,
which wakes the thread that reads, writes or shakes hands there. The same thread notices calls on which nothing moves.
"""

import math
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.outcome import Cause, Exchange, plain
from resultsq.threads import SystemThreads, Thread, Threads

_log = logs.get("delivery")

_TCP_INFO = getattr(socket, "TCP_INFO", None)
_TCP_INFO_BYTES = 136
_LAST_SIGNS = struct.Struct("=II")  # milliseconds since the last data and since the last acknowledgement
_LAST_SIGNS_AT = 52
_MOVED = struct.Struct("=QQ")  # bytes that the peer has acknowledged, and that it has sent
_MOVED_AT = 120


class Failed(Exception):
    """A call came to no answer. `detail` is a sentence for people; `exchange` the request that was sent."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = plain(detail)  # a driver's words may quote what a stranger sent
        self.exchange = Exchange()


class Wire:
    """A second handle on a connection's socket, by which another thread looks at it and cuts it.

    It is a descriptor of its own, so that a number which has been closed and given to another socket is
    never shut down by mistake. Its maker closes it: the connection lives until both are closed."""

    def __init__(self, fileno: int) -> None:
        self._sock = socket.socket(fileno=os.dup(fileno))
        self._lock = threading.Lock()

    def moved(self) -> tuple[int, float] | None:
        """Bytes that the far side has taken and given so far, and seconds since its last sign; None where
        the kernel does not tell."""
        if _TCP_INFO is None:
            return None
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
        except OSError:
            return None
        if len(info) < _TCP_INFO_BYTES:
            return None
        return sum(_MOVED.unpack_from(info, _MOVED_AT)), min(_LAST_SIGNS.unpack_from(info, _LAST_SIGNS_AT)) / 1e3

    def cut(self) -> None:
        """End the connection, also while another thread uses it."""
        with self._lock, suppress(OSError):  # closed or never connected: there is nothing to end
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            self._sock.close()


class Call:
    """One call on its way; only `Watch` makes it. `patience_s` None: its silence is not watched."""

    def __init__(self, clock: Clock, limit_s: float, patience_s: float | None) -> None:
        self._clock = clock
        self._wire: Wire | None = None
        self._bytes = 0
        self._moved_at = clock.monotonic()
        self._told_of: float | None = None
        self._over: Cause | None = None
        self._limit_s = limit_s
        self.deadline = self._moved_at + limit_s
        self.patience_s = patience_s
        self.sent = False  # whether a byte of the present request may have left

    def attach(self, wire: Wire) -> None:
        """The call goes over this connection from now on."""
        moved = wire.moved()
        self._bytes = moved[0] if moved else 0
        self._wire = wire
        self.touch()
        self.left()  # an end that came before there was anything to cut

    def touch(self) -> None:
        """Something moved just now."""
        self._moved_at = self._clock.monotonic()

    def left(self) -> float:
        """Seconds until the deadline.

        :raises Failed: the call is over."""
        left = self.deadline - self._clock.monotonic()
        if self._over is None and left <= 0:
            self._over = Cause.TIMEOUT
        if self._over is not None:
            raise self.ending(self._over)
        return left

    def ending(self, cause: Cause) -> Failed:
        if cause is Cause.SILENT:
            return Failed(cause, "Nothing moved on this connection while a newer one worked. It is tried again.")
        if cause is Cause.TIMEOUT and self._wire is None:
            return Failed(cause, f"No connection was made within {self._limit_s:.0f} s.")
        return Failed(Cause.NO_ANSWER, f"There was no whole answer within {self._limit_s:.0f} s.")

    @property
    def over(self) -> Cause | None:
        """Why the call was ended from outside, if it was."""
        return self._over

    def end(self, cause: Cause) -> None:
        """End it now, whatever it waits for."""
        if self._over is None:
            self._over = cause
        if self._wire is not None:
            self._wire.cut()

    def quiet_since(self) -> float:
        """When (monotonic) something moved last, in either direction.

        The kernel is asked, for a large sheet on a thin line is handed over in one piece and then moves for
        minutes. Only bytes count: an acknowledgement of nothing new says that a kernel lives somewhere, not
        that the master does."""
        moved = self._wire.moved() if self._wire is not None else None
        if moved is not None and moved[0] != self._bytes:
            self._bytes = moved[0]
            self._moved_at = max(self._moved_at, self._clock.monotonic() - moved[1])
        return self._moved_at

    def look(self, now: float) -> tuple[float, bool]:
        """When to look again, and whether it has just fallen silent; ends the call at its deadline."""
        if now >= self.deadline:
            self.end(Cause.TIMEOUT)
            return math.inf, False
        if self.patience_s is None:
            return self.deadline, False
        since = self.quiet_since()
        if now < since + self.patience_s:
            return min(self.deadline, since + self.patience_s), False
        newly, self._told_of = self._told_of != since, since
        return min(self.deadline, now + self.patience_s), newly


class Watch:
    """The thread, and the calls that it watches. It sleeps while nothing is due.

    `on_stalled` is called, from that thread, each time a call with patience has run out of it; it must
    neither wait nor raise."""

    def __init__(self, clock: Clock, on_stalled: Callable[[], None], threads: Threads | None = None) -> None:
        self._clock = clock
        self._on_silent = on_stalled
        self._calls: dict[Call, None] = {}  # in the order in which they began
        self._threads = threads or SystemThreads()
        self._changed = self._threads.condition()
        self._next_look = math.inf
        self._thread: Thread | None = None
        self._closed = False

    @contextmanager
    def call(self, limit_s: float, patience_s: float | None = None) -> Iterator[Call]:
        """A call that ends within `limit_s` seconds."""
        call = Call(self._clock, limit_s, patience_s)
        first_look = call.deadline if patience_s is None else min(call.deadline, call.quiet_since() + patience_s)
        with self._changed:
            self._calls[call] = None
            # asked, not remembered: a thread does not survive a fork
            if self._thread is None or not self._thread.is_alive():
                self._closed = False
                self._thread = self._threads.thread(self._run, "master-watch")
                self._thread.start()
            if first_look < self._next_look:
                self._changed.notify()
        try:
            yield call
        finally:
            with self._changed:
                self._calls.pop(call, None)
                if self._closed:
                    self._changed.notify()

    def abort_stalled(self, began_before: float) -> int:
        """End the calls that have run out of patience and on which nothing has moved since `began_before`
        (monotonic): a connection that began then has worked, so theirs is dead. How many they were."""
        now = self._clock.monotonic()
        with self._changed:
            dead = [
                call
                for call in self._calls
                if call.patience_s is not None
                and (since := call.quiet_since()) < began_before
                and now >= since + call.patience_s
            ]
            for call in dead:
                call.end(Cause.SILENT)
        return len(dead)

    def close(self) -> None:
        """End the thread, as soon as the last call has ended; this does not wait for calls."""
        with self._changed:
            self._closed = True
            idle = not self._calls
            self._changed.notify()
        if idle and self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed and not self._calls:
                    return
                now = self._clock.monotonic()
                looks = [call.look(now) for call in self._calls]
                self._next_look = min((when for when, _ in looks), default=math.inf)
                if not any(silent for _, silent in looks):
                    self._changed.wait(None if math.isinf(self._next_look) else max(0.0, self._next_look - now))
                    continue
            try:
                self._on_silent()
            except Exception:  # noqa: BLE001 - this thread bounds every call, whatever a listener does
                _log.exception("delivery.silence_untold")
