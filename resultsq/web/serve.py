"""The server: waitress, whose threads are given whole requests, so that stalled uploads starve nobody."""

import json
import signal
import socket
import threading
from types import FrameType
from typing import NoReturn

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask

from resultsq import interpreter, logs
from resultsq.clock import Clock
from resultsq.domain.errors import SettingsError
from resultsq.settings import Settings
from resultsq.store.session import Database
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app

CONNECTIONS = 900
"""Open connections at once, below the usual limit of 1,024 files: each stalled upload holds one."""

log = logs.get("web")


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """What the server refuses before the application sees it, in the application's manner."""

    def execute(self) -> None:
        error = self.request.error
        detail = "The server cannot take this request, so nothing was stored."
        content = {"title": error.reason, "status": error.code, "detail": detail}
        body = json.dumps(content).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a request whose length is told twice. Where a proxy in front believed the other one, the rest of the
    body would be taken for the next caller's request (RFC 9112, 6.1)."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("both Content-Length and Transfer-Encoding")


class _Channel(HTTPChannel):  # type: ignore[misc]
    parser_class = _Parser
    error_task_class = _Refusal


def serve(settings: Settings, database: Database, clock: Clock, bell: Bell) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are finished first. Port 0 takes a free one; the line
    `web.ready` names the address in any case.

    :raises SettingsError: the address cannot be listened on."""
    app = create_app(settings, database, clock=clock, bell=bell)
    listening = _listen(settings.host, settings.port)
    server = create_server(
        app,
        sockets=[listening],
        threads=settings.web_threads,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
        channel_timeout=120,
        ident="resultsq",
        # the application answers a body over its limit politely, once it is there; this one only saves the disk
        max_request_body_size=4 * settings.max_body_bytes,
        clear_untrusted_proxy_headers=False,  # ProxyFix knows which to believe
    )
    server.channel_class = _Channel
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _leave)
    interpreter.ready()
    log.info("web.ready", address=f"http://{_in_url(settings.host)}:{listening.getsockname()[1]}")
    try:
        server.run()  # returns after SystemExit and KeyboardInterrupt, with its threads' work done
    finally:
        server.close()


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
