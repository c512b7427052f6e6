"""What strangers may cost the server before the application sees a request: connections, heads and bodies.

waitress reads requests in one thread and hands whole ones to the application. Its own limits are on all connections
together and on the largest body of any route; here each address has a limit of connections, each head and each body a
time, each body its own route's bound, and all unfinished bodies together a limit of bytes.
"""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver, FixedStreamReceiver
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask

from resultsq import languages
from resultsq.domain.current_language import current, in_language
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.web.language import of_head
from resultsq.web.limits import network
from resultsq.web.spare_memory import SpareMemory

CONNECTIONS: Final = 900
"""Open connections at once, below the usual limit of 1,024 files: each stalled upload holds one."""

HEAD_S: Final = 20.0
"""How long a head may take to arrive, on a new connection from its first moment on."""

BODY_S: Final = 600.0
"""How long a request may take to arrive: 8 MiB over 110 kbit/s."""

STALLED_S: Final = 10.0
"""An upload of which nothing has come for so long makes room for others where there is none."""

_RETRY_AFTER_S = 5


class BodyBudget:
    """How many bytes of bodies are kept, in memory or in temporary files, until their requests are answered."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._bytes = 0

    def take(self, count: int) -> bool:
        """Whether there is room for so many more; they count until they are given back."""
        with self._lock:
            if self._bytes + count > self._most:
                return False
            self._bytes += count
            return True

    def give_back(self, count: int) -> None:
        with self._lock:
            self._bytes -= count


class _ArrivingBody(OverflowableBuffer):  # type: ignore[misc]  # waitress has no types
    """A request's body up to a bound. Of one that is longer nothing is kept: it is read to its end and dropped, for a
    client that is still sending does not read its answer."""

    def __init__(self, overflow: int, most: int, kept: BodyBudget) -> None:
        super().__init__(overflow)
        self._most = most
        self._kept = kept
        self._taken = 0
        self.refused: HTTPStatus | None = None

    def append(self, piece: bytes) -> None:
        if self.refused is not None:
            return
        if self._taken + len(piece) > self._most:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif not self._kept.take(len(piece)):
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._taken += len(piece)
            super().append(piece)

    def refuse(self, status: HTTPStatus) -> None:
        """Keep nothing of it."""
        self.refused = status
        self.close()
        self.buf, self.strbuf, self.overflowed = None, b"", False

    def close(self) -> None:
        self._kept.give_back(self._taken)
        self._taken = 0
        super().close()


class _Error:
    """What waitress's answer to a refused request is made of."""

    def __init__(self, status: HTTPStatus) -> None:
        self.code = status.value
        self.reason = status.phrase


_TITLES = {413: gettext_noop("Too large"), 503: gettext_noop("Not available just now")}
_DETAILS = {
    413: gettext_noop(
        "This is larger than this node takes at once, so nothing was stored. Leave a file out and send the rest."
    ),
    503: gettext_noop(
        "Too much is being sent to this node at this moment, so nothing was stored. Try again in a minute."
    ),
}
_OTHER_TITLE = gettext_noop("This did not work")
_OTHER_DETAIL = gettext_noop("The server cannot take this request, so nothing was stored.")
_STYLE = (
    "body{margin:0;border-top:.5rem solid #4b45c6;font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;margin:auto;padding:2rem 1rem}h1{font-size:1.75rem}small{font-weight:normal;opacity:.75}"
)
_POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
_PAGE = """<!doctype html>
<html lang="{lang}" dir="{dir}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} – resultsq</title>
<style>{style}</style>
<body><main><h1>{title} <small>{status}</small></h1><p>{detail}</p>
<p><strong>{back}</strong> {kept}</p></main></body>
</html>
"""
"""For a browser without scripts. It stands alone: nothing of the application has been reached."""


class RefusalTask(ErrorTask):  # type: ignore[misc]
    """What the server refuses before the application sees it, in the application's manner and the reader's language."""

    def execute(self) -> None:
        error, headers = self.request.error, getattr(self.request, "headers", {})
        for_people = "text/html" in headers.get("ACCEPT", "")
        with in_language(of_head(headers)):
            body = (_page(error.code) if for_people else _problem(error)).encode()
        self.status = f"{error.code} {error.reason}"
        kind = "text/html; charset=utf-8" if for_people else "application/problem+json"
        self.response_headers += [("Content-Type", kind), ("Content-Security-Policy", _POLICY)]
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.response_headers.append(("Retry-After", str(_RETRY_AFTER_S)))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _detail(status: int) -> str:
    return gettext(_DETAILS.get(status, _OTHER_DETAIL))


def _problem(error: Any) -> str:
    return json.dumps({"title": error.reason, "status": error.code, "detail": _detail(error.code)})


def _page(status: int) -> str:
    code = current().code
    return _PAGE.format(
        lang=languages.tag(code),
        dir=languages.direction(code),
        title=gettext(_TITLES.get(status, _OTHER_TITLE)),
        style=_STYLE,
        status=status,
        detail=_detail(status),
        back=gettext("Use your browser's Back button."),
        kept=gettext("What you sent before is kept."),
    )


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a request that gives its length twice. Where a proxy in front believed the other one, the rest of the
    body would be taken for the next caller's request (RFC 9112, 6.1)."""

    body: _ArrivingBody | None = None
    error: Any
    completed: bool
    expect_continue: bool

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:  # of numbers with thousands of digits, and of what is not an address
            raise ParsingError("This head cannot be read") from None
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("both Content-Length and Transfer-Encoding")
        if self.body_rcv is not None:
            self._bound_body()

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        refused = self.body.refused if self.body is not None and self.error is None else None
        # a client that asks first is answered at once; to another, the end of its body comes before the answer
        if refused is not None and (self.completed or self.expect_continue):
            self.error = _Error(refused)
            self.completed, self.expect_continue = True, False
        return consumed

    def _bound_body(self) -> None:
        path = self.path.encode("latin-1").decode(errors="replace")
        most = self.adj.most_bytes(self.command, path)
        self.body = _ArrivingBody(self.adj.inbuf_overflow, most, self.adj.kept)
        if self.content_length > most:
            self.body.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self.body_rcv = (
            ChunkedReceiver(self.body) if self.chunked else FixedStreamReceiver(self.content_length, self.body)
        )


class Connection(HTTPChannel):  # type: ignore[misc]
    """One client's connection, and since when its next bytes are due."""

    parser_class = _Parser
    error_task_class = RefusalTask

    def __init__(self, server: "Server", sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        self.caller = network(addr[0])
        self.began = self.heard = time.monotonic()
        self.is_new = True
        super().__init__(server, sock, addr, adj, map=map)
        server.make_room(self)

    def received(self, data: bytes) -> bool:
        self.heard = time.monotonic()
        if self.request is None:
            self.began = self.heard
        taken = bool(super().received(data))
        if self.request is None:
            self.is_new = False
        return taken

    def handle_close(self) -> None:
        if self.request is not None:
            self.request.close()
        super().handle_close()

    def in_use(self, now: float) -> bool:
        """Whether a request is being answered, or arrives as requests do."""
        if self.requests or self.total_outbufs_len:
            return True
        arriving = self.request is not None and self.request.headers_finished
        return arriving and now - self.heard < STALLED_S

    def is_overdue(self, now: float) -> bool:
        """Whether a head or a body has taken too long."""
        if self.requests:
            return False
        if self.request is None:
            return self.is_new and now - self.began > HEAD_S
        return now - self.began > (BODY_S if self.request.headers_finished else HEAD_S)


class Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server, with limits of connections and of time. `per_address` 0: a proxy in front has one address for
    everybody."""

    channel_class = Connection
    per_address = 0

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._spare = SpareMemory()

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        at = time.monotonic()
        self._spare.look(at)
        for one in self.active_channels.values():
            if one.is_overdue(at):
                one.will_close = True

    def make_room(self, newest: Connection) -> None:
        """Where there are too many connections, close the one that has been idle longest, or else the newest."""
        there = [one for one in self.active_channels.values() if not one.will_close]
        same = [one for one in there if one.caller == newest.caller]
        crowd = same if self.per_address and len(same) > self.per_address else there if len(there) > CONNECTIONS else []
        if not crowd:
            return
        now = time.monotonic()
        idle = [one for one in crowd if one is not newest and not one.in_use(now)]
        min(idle, key=lambda one: one.heard, default=newest).will_close = True


def limited(adjustments: Any, most_bytes: Callable[[str, str], int], most_kept: int) -> Any:
    """waitress's adjustments with what the parser asks for: the bound of a body at an address, and the room for all."""
    adjustments.most_bytes = most_bytes
    adjustments.kept = BodyBudget(most_kept)
    return adjustments
