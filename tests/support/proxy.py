"""A link with a switch: a TCP proxy that can be slow, silent, cut, half-open, or a hotel's Wi-Fi.

It knows nothing of what it carries, but for the portal's own page. What it cannot do is lose a SYN: its kernel
takes every connection while it listens. netns.py loses real packets, where the machine allows it.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NoReturn, Self, TypeVar

from tests.support.listening import Listening, end_all_else
from tests.support.services import HOST, free_port

T = TypeVar("T")
_CHUNK = 16_384
_PAGE = b"<html><title>Welcome</title><body>Tick the box to use our guest Wi-Fi.</body></html>"


class _Kind(Enum):
    PASS = auto()
    DELAY = auto()
    RATE = auto()
    REFUSE = auto()
    RESET = auto()
    HOLE = auto()
    HANG = auto()
    CUT = auto()
    PORTAL = auto()
    ASTRAY = auto()
    LEAVE = auto()


@dataclass
class _Mode:
    kind: _Kind
    amount: float = 0.0  # seconds, bytes a second, bytes, a status or a port
    times: int | None = None  # None: until it is switched again


class _Cut(Exception):
    """This connection ends here, with a reset."""


class _End(Exception):
    """This connection ends here, in order."""


class _Connection:
    def __init__(self, task: asyncio.Task[None], client: asyncio.StreamWriter) -> None:
        self.task = task
        self.writers = [client]  # and the target's, once there is one
        self.dead = False  # nothing moves any more, whatever becomes of the link
        self.hung = False  # everything is swallowed, whatever becomes of the link
        self.left = False  # it was closed, and nobody was told before
        self.answered = 0  # bytes that reached the client since it last spoke

    def leave(self) -> None:
        self.left = True
        self.task.cancel()

    def reset(self) -> None:
        for writer in self.writers:
            if raw := writer.get_extra_info("socket"):
                try:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                except OSError:  # it is closed already
                    continue
            writer.transport.abort()


class Proxy:
    """A link on loopback to `target_port`. It starts passing; each method switches it for all connections,
    those that exist included, until the next. `times`: only so often, then it passes again."""

    def __init__(self, target_port: int, port: int | None = None, target_host: str = HOST) -> None:
        self.port = port or free_port()
        self.connections = 0
        """How many connections were taken, ever."""
        self.bytes_up = 0
        """What reached the target."""
        self.bytes_down = 0
        """What reached the clients."""
        self._target = (target_host, target_port)
        self._mode = _Mode(_Kind.PASS)
        self._open: dict[asyncio.Task[None], _Connection] = {}
        self._listening: Listening | None = None
        self._through = asyncio.Event()
        self._line = {up: asyncio.Lock() for up in (True, False)}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    # the switch

    def restore(self) -> None:
        """Pass. What waited in a hole goes on, as retransmission would have it."""
        self._switch(_Mode(_Kind.PASS))

    def delay(self, seconds: float) -> None:
        """Each piece of up to 16 kB arrives so much later, both ways."""
        self._switch(_Mode(_Kind.DELAY, seconds))

    def rate(self, bytes_per_s: float) -> None:
        """A narrow line: so many bytes a second each way, for all connections together."""
        self._switch(_Mode(_Kind.RATE, bytes_per_s))

    def refuse(self) -> None:
        """Nothing listens here; what was connected is reset."""
        self._switch(_Mode(_Kind.REFUSE))

    def reset(self, times: int | None = None) -> None:
        """Connections are taken and reset at once; what was connected too."""
        self._switch(_Mode(_Kind.RESET, times=times))

    def hole(self) -> None:
        """Nothing gets through, either way, and nobody is told."""
        self._switch(_Mode(_Kind.HOLE))

    def hang(self) -> None:
        """Requests are swallowed whole and never answered, not even when the link is back."""
        self._switch(_Mode(_Kind.HANG))

    def drop_answer(self, times: int | None = None) -> None:
        """Requests reach the target; when it begins to answer, the connection is reset."""
        self._switch(_Mode(_Kind.CUT, 0, times))

    def cut_at(self, answer_bytes: int, times: int | None = None) -> None:
        """So many bytes of what the target says on a connection, and then a reset."""
        self._switch(_Mode(_Kind.CUT, answer_bytes, times))

    def half_open(self) -> None:
        """What is connected now is silent for ever; new connections pass."""

        async def forget() -> None:
            for connection in self._open.values():
                connection.dead = True

        self._switch(_Mode(_Kind.PASS), forget())

    def portal(self, status: int = 200) -> None:
        """Every request is answered by a captive portal: its page (200), or the way to it (302)."""
        self._switch(_Mode(_Kind.PORTAL, status))

    def lead_to(self, port: int) -> None:
        """The way leads to another host, as an answer of a lying nameserver would have it."""
        self._switch(_Mode(_Kind.ASTRAY, port))

    def move_to(self, port: int) -> None:
        """The address is another server's from now on; what is connected stays with the one before."""
        self._target = (self._target[0], port)

    def leave_after(self, seconds: float) -> None:
        """Each connection is closed so long after something was answered on it, whatever is under way by then."""
        self._switch(_Mode(_Kind.LEAVE, seconds))

    @property
    def open_connections(self) -> int:
        return len(self._open)

    # life

    def __enter__(self) -> Self:
        self._thread.start()
        self._switch(self._mode)
        return self

    def __exit__(self, *_: object) -> None:
        self._in_loop(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _switch(self, mode: _Mode, first: Coroutine[Any, Any, None] | None = None) -> None:
        async def act() -> None:
            if first is not None:
                await first
            self._mode = mode
            if mode.kind is _Kind.HOLE:
                self._through.clear()
            else:
                self._through.set()
            if mode.kind in {_Kind.REFUSE, _Kind.RESET, _Kind.ASTRAY}:
                for connection in self._open.values():
                    connection.reset()
            if mode.kind is _Kind.REFUSE:
                self._stop_listening()
            elif self._listening is None:
                self._listening = Listening(HOST, self.port, self._serve)

        self._in_loop(act())

    def _stop_listening(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _shut(self) -> None:
        self._stop_listening()
        for connection in self._open.values():
            connection.reset()
        await end_all_else()

    # one connection

    async def _serve(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client, limit=_CHUNK)
        if self._listening is None:  # it came just before nothing listened here any more
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        connection = self._open[task] = _Connection(task, writer)
        try:
            await self._join(connection, reader, writer)
        except* (_Cut, OSError):
            connection.reset()
        except* _End:
            pass
        finally:
            for end in connection.writers:
                end.close()
            del self._open[task]

    async def _join(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._clear(connection)
        if self._mode.kind is _Kind.RESET:
            self._use()
            raise _Cut
        if self._mode.kind is _Kind.RATE:  # or the kernel would take a whole upload at once
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK // 4)
        if self._mode.kind in {_Kind.HANG, _Kind.PORTAL}:  # neither needs a target
            await self._carry(connection, reader, None)
            return
        host, port = self._target
        if self._mode.kind is _Kind.ASTRAY:
            port = int(self._mode.amount)
        target_reader, target = await asyncio.open_connection(host, port, limit=_CHUNK)
        connection.writers.append(target)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(connection, reader, target))
                both.create_task(self._carry(connection, target_reader, writer))
        except asyncio.CancelledError:
            if not connection.left:
                raise
            connection.task.uncancel()

    async def _clear(self, connection: _Connection) -> None:
        """Until the link lets something through on this connection."""
        while connection.dead or not self._through.is_set():
            await (asyncio.Event() if connection.dead else self._through).wait()

    async def _carry(
        self, connection: _Connection, source: asyncio.StreamReader, sink: asyncio.StreamWriter | None
    ) -> None:
        """One direction, to its end."""
        up = sink is not connection.writers[0]
        while data := await source.read(_CHUNK):
            await self._clear(connection)
            kind, amount = self._mode.kind, self._mode.amount
            connection.hung |= kind is _Kind.HANG
            if connection.hung:
                continue
            if kind is _Kind.PORTAL and up:
                await self._show_portal(source, connection.writers[0])
            if sink is None:  # it hung or was the portal's, and the link is back: the client has to come anew
                raise _Cut
            if up:
                connection.answered = 0
            elif kind is _Kind.CUT and connection.answered + len(data) > amount:
                self._use()
                await self._write(connection, sink, data[: int(amount) - connection.answered], up)
                raise _End if amount else _Cut
            await self._write(connection, sink, data, up)
        await self._clear(connection)
        if sink is None or (connection.hung and up):
            raise _Cut  # the client has given up
        if not connection.hung:
            sink.write_eof()

    async def _write(self, connection: _Connection, sink: asyncio.StreamWriter, data: bytes, up: bool) -> None:
        mode = self._mode
        if mode.kind is _Kind.DELAY:
            await asyncio.sleep(mode.amount)
        step = max(1, int(mode.amount / 20)) if mode.kind is _Kind.RATE else _CHUNK
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            if mode.kind is _Kind.RATE:
                async with self._line[up]:
                    await asyncio.sleep(len(piece) / mode.amount)
            await self._clear(connection)
            sink.write(piece)
            await sink.drain()
            if up:
                self.bytes_up += len(piece)
            else:
                self.bytes_down += len(piece)
                connection.answered += len(piece)
                if mode.kind is _Kind.LEAVE:
                    self._loop.call_later(mode.amount, connection.leave)

    async def _show_portal(self, source: asyncio.StreamReader, client: asyncio.StreamWriter) -> NoReturn:
        status, where = "200 OK", ""
        if self._mode.amount == 302:
            status, where = "302 Found", "Location: http://portal.invalid/welcome\r\n"
        head = f"HTTP/1.1 {status}\r\n{where}Content-Type: text/html\r\nContent-Length: {len(_PAGE)}\r\n"
        client.write(f"{head}Connection: close\r\n\r\n".encode() + _PAGE)
        client.write_eof()
        while await source.read(_CHUNK):  # closing on unread bytes would reset, and could lose the page
            continue
        raise _End

    def _use(self) -> None:
        """One of the `times` of the mode is over."""
        if self._mode.times is not None:
            self._mode.times -= 1
            if self._mode.times == 0:
                self._mode = _Mode(_Kind.PASS)
