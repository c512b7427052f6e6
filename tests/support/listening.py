"""A listening socket in an event loop, which can be closed and opened again at any moment.

`asyncio.start_server` is no such thing: a connection that it took just before its server is closed stays open, and only
the collector of garbage tells of it. (In Python 3.11 the server has no sockets any more when it is to count that one.)
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any


class Listening:
    """Listens at `host` and `port` from now on; `serve` is run for each connection. Begin and close it in its loop."""

    def __init__(self, host: str, port: int, serve: Callable[[socket.socket], Coroutine[Any, Any, object]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._serve = serve
        self._serving: set[asyncio.Task[object]] = set()  # kept, for a loop itself keeps no task
        self._socket = socket.create_server((host, port), backlog=512)
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._take)

    def _take(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # who came has left already
            connection, _ = self._socket.accept()
            connection.setblocking(False)
            self._serving.add(task := self._loop.create_task(self._serve(connection)))
            task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[object]) -> None:
        self._serving.discard(task)
        with suppress(asyncio.CancelledError, OSError):  # who came has left meanwhile
            task.result()

    def close(self) -> None:
        """What was not taken yet is reset by the kernel."""
        self._loop.remove_reader(self._socket)
        self._socket.close()


async def end_all_else() -> None:
    """Cancel all that runs in this loop, and return when its connections are closed."""
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.sleep(0)  # one that was just taken begins, or nothing would close it
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await asyncio.sleep(0.01)  # lets the transports close their sockets
