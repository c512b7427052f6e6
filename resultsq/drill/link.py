"""The link between worker and master, with a switch: a TCP relay that can be refused, silenced and restored.

It runs an event loop in a thread of its own, so that switching never waits for the rehearsal.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

HOST = "127.0.0.1"
Outage = Literal["hole", "refuse", "flap"]

_CHUNK = 2**16
_SWITCH_S = 10.0


class LinkMode(StrEnum):
    """What the link does with a connection."""

    PASS = "pass"  # noqa: S105 - no password: it carries bytes both ways
    REFUSE = "refuse"  # no listener; open connections are reset
    HOLE = "hole"  # connections are made, then nothing comes back; open ones fall silent for ever


def schedule(outage: Outage, outage_s: float, rng: random.Random) -> Iterator[tuple[LinkMode, float]]:
    """The modes of an outage and how long each lasts, in seconds; together `outage_s`.

    A flapping link is refused or silent for a while, comes back for a moment, and so on; for the last quarter
    it stays away, so that something waits when it returns for good."""
    if outage != "flap":
        yield LinkMode(outage), outage_s
        return
    down = rng.choice((LinkMode.HOLE, LinkMode.REFUSE))
    left, last_s = outage_s * 0.75, outage_s * 0.25
    while left > 0:
        for mode, longest in ((down, outage_s / 8), (LinkMode.PASS, outage_s / 16)):
            spell_s = min(left, longest * rng.uniform(0.5, 1))
            if spell_s > 0:
                yield mode, spell_s
            left -= spell_s
        down = LinkMode.REFUSE if down is LinkMode.HOLE else LinkMode.HOLE
    yield down, last_s


class LinkRelay:
    """Relays `port` to `target` while the mode is PASS. A context manager: nothing of it outlives the block."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._mode = LinkMode.PASS
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._relays: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._listen())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.take(LinkMode.REFUSE)
        self._wait(self._forget())
        self._end()

    def take(self, mode: LinkMode) -> None:
        """Switch; when this returns, every byte that comes goes the new way."""
        self._wait(self._take(mode))

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_SWITCH_S)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port, backlog=128)

    async def _take(self, mode: LinkMode) -> None:
        self._mode = mode
        if mode is not LinkMode.PASS:
            for relay in self._relays:
                relay.cancel()
            while self._relays:  # each has to see this mode, not the next one
                await asyncio.sleep(0)
        if mode is LinkMode.REFUSE and self._server is not None:
            self._server.close()
            self._server = None
        elif mode is not LinkMode.REFUSE and self._server is None:
            await self._listen()

    async def _forget(self) -> None:
        """End what an outage left silent, too."""
        await asyncio.sleep(0)  # one that was just accepted begins, or nothing would close it
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        await asyncio.sleep(0)  # the transports close their sockets in the loop's next round

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            if self._mode is LinkMode.PASS:
                far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
                ends.append(far_writer)
                if self._mode is LinkMode.PASS:
                    await self._relay(_carry(reader, far_writer), _carry(far_reader, writer))
            if self._mode is LinkMode.HOLE:
                await _swallow(reader)
            if self._mode is LinkMode.PASS:
                for end in ends:
                    end.close()  # the last bytes read are still written
                    await end.wait_closed()
        except (OSError, asyncio.CancelledError):
            pass  # one end went away, or the link is being ended: the others are reset, which is how they learn of it
        finally:
            for end in ends:
                _reset(end)

    async def _relay(self, *ways: Coroutine[Any, Any, None]) -> None:
        """Carry both ways until both ends are done or the link is cut."""
        relay = asyncio.create_task(_together(*ways))
        self._relays.add(relay)
        try:
            await asyncio.wait([relay])
        finally:
            self._relays.discard(relay)
            relay.cancel()
        if not relay.cancelled():
            relay.result()


async def _together(*ways: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(*ways)


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()


def _reset(end: asyncio.StreamWriter) -> None:
    if not end.transport.is_closing():
        linger_no_time = struct.pack("ii", 1, 0)
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
    end.transport.abort()


async def _swallow(source: asyncio.StreamReader) -> None:
    while await source.read(_CHUNK):
        pass


def free_port(taken: frozenset[int] = frozenset()) -> int:
    """A port on loopback that nothing listens on and no client is given: while the link is refused its port is
    free, and a client that was given it would be connected to itself."""
    try:
        range_of_clients = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii")
        first_of_clients = int(range_of_clients.split()[0])
    except OSError:
        first_of_clients = 32_768
    pick = random.SystemRandom()
    while True:
        port = pick.randrange(10_240, max(first_of_clients, 16_384))
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            if port not in taken:
                return port
