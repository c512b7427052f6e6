"""The server: waitress, whose threads are given whole requests, so that stalled uploads hold no thread."""

import signal
import socket
import threading
from functools import partial
from types import FrameType
from typing import NoReturn

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.task import ThreadedTaskDispatcher

from resultsq import interpreter, logs
from resultsq.clock import Clock
from resultsq.domain.errors import SettingsError
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.wakeup import Bell
from resultsq.web import bounds
from resultsq.web.arrivals import CONNECTIONS, Server, limited
from resultsq.web.factory import create_app

TEMPORARY_BODIES = 32
"""Largest bodies whose bytes are kept at once until their requests are answered, in memory and temporary files."""

log = logs.get("web")


def serve(settings: Settings, database: Database, clock: Clock, bell: Bell) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are finished first. Port 0 takes a free one; the line
    `web.ready` names the address in any case.

    :raises SettingsError: the address cannot be listened on."""
    app = create_app(settings, database, clock=clock, bell=bell)
    listening = _listen(settings.host, settings.port)
    server = _server(app, listening, settings)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _leave)
    interpreter.ready()
    log.info("web.ready", address=f"http://{_in_url(settings.host)}:{listening.getsockname()[1]}")
    try:
        server.run()  # returns after SystemExit and KeyboardInterrupt, with its threads' work done
    finally:
        server.close()


def _server(app: Flask, listening: socket.socket, settings: Settings) -> Server:
    adjustments = Adjustments(
        sockets=[listening],
        threads=settings.web_threads,
        connection_limit=CONNECTIONS + 50,  # at CONNECTIONS idle ones are closed; at this one waitress would stop
        asyncore_use_poll=True,
        channel_timeout=120,
        cleanup_interval=1,
        ident="resultsq",
        inbuf_overflow=64 * 1024,
        max_request_header_size=32 * 1024,
        # the application answers a body over its limit politely, once it is there; from this size on it is not awaited
        max_request_body_size=4 * settings.max_body_bytes,
        clear_untrusted_proxy_headers=False,  # ProxyFix knows which to believe
    )
    limited(adjustments, partial(bounds.most_bytes, app), TEMPORARY_BODIES * settings.max_body_bytes)
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(settings.web_threads)
    at = (listening.family, listening.type, listening.proto, listening.getsockname())
    server = Server(app, {}, True, listening, dispatcher=dispatcher, adj=adjustments, bind_socket=False, sockinfo=at)
    server.per_address = 0 if settings.trusted_proxies else settings.connections_per_address
    return server


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise SettingsError(
            f"This node cannot listen on {_in_url(host)}:{port}: {error.strerror}. "
            "Is it running already? Else set another port."
        ) from None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
