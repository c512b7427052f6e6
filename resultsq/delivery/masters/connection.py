"""One HTTP call that ends by its deadline, on top of requests.

requests bounds the wait for each piece of an answer and never the answer; it resolves names outside every
timeout, follows a captive portal's redirect and takes an interim answer for the final one. A `MasterConnection` is one
connection that does none of this.
"""

import errno
import http.client
import socket
import ssl
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse
from urllib3.util.ssl_ import create_urllib3_context

from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.dial import Resolver, connect
from resultsq.delivery.masters.redact import Redactor, redactor
from resultsq.delivery.masters.tunnel import open_through
from resultsq.delivery.masters.watch import Call, Failed, Wire
from resultsq.domain.destinations import Address
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext_noop
from resultsq.domain.outcome import Cause, Exchange, plain
from resultsq.domain.proxy import Proxy
from resultsq.interim import FinalResponse

BODY_SHOWN = 4096  # bytes of an answer's body that are kept for people
_PIECE = 65_536
_SECRET_HEADERS = frozenset({"authorization", "set-cookie", "set-cookie2"})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})

_SENTENCES = {
    Cause.DNS: gettext_noop("The master's name could not be resolved."),
    Cause.UNREACHABLE: gettext_noop("There is no way to the master's network from here."),
    Cause.REFUSED: gettext_noop("Nothing listens at the master's address."),
    Cause.RESET: gettext_noop("The connection to the master was cut."),
    Cause.TIMEOUT: gettext_noop("The master did not answer in time."),
    Cause.NO_ANSWER: gettext_noop("The connection to the master was made, but no answer came in time."),
    Cause.TLS: gettext_noop("The certificate or the handshake is not the master's."),
    Cause.NOT_OUR_MASTER: gettext_noop("What answered does not speak like the master: a captive portal or a proxy."),
}


class _TlsSocket(ssl.SSLSocket):
    """Closed at once if the far side was gone before the handshake: Python 3.11 asks for the peer then, takes the
    socket for one that is yet to be connected, and leaves it open in the exception's frames."""

    def getpeername(self) -> Any:
        try:
            return super().getpeername()
        except OSError as gone:
            self.close()
            raise ConnectionResetError(errno.ECONNRESET, "it was cut before the handshake") from gone


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trusts the authorities of `ca_file` alone, or the usual ones.

    :raises SettingsError: the file cannot be read as certificates"""
    context = create_urllib3_context()
    context.sslsocket_class = _TlsSocket
    try:
        context.load_verify_locations(ca_file or DEFAULT_CA_BUNDLE_PATH)
    except OSError as error:
        raise SettingsError(f"The master's CA file cannot be used: {error}.") from None
    return context


class _Plain(HTTPConnection):
    """A connection that its line opens, and that says when a request begins to leave."""

    response_class = FinalResponse

    def __init__(self, *arguments: Any, line: "MasterConnection", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.line = line
        line.connection = self

    def _new_conn(self) -> socket.socket:
        return self.line.open()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.line.leaving()
        super().send(data)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        # urllib3 swallows a reset while the request leaves, and then looks for the answer on a socket that is not there
        if self.sock is None:
            raise ConnectionResetError("it was cut before the request had left")
        return super().getresponse()


class _Tls(_Plain, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class MasterConnection(HTTPAdapter):
    """One connection to the master, for one call at a time.

    It is requests' adapter without a session: no redirects, cookies, proxies or netrc, by construction."""

    def __init__(
        self,
        address: Address,
        tls: ssl.SSLContext | None,
        resolver: Resolver,
        generation: int,
        proxy: Proxy | None = None,
    ) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self.generation = generation
        self.rested_since = 0.0
        self.connection: _Plain | None = None
        self.reused = False
        """Whether the last request left on a connection that had carried another before."""
        self._address = address
        self._proxy = proxy
        self._resolver = resolver
        self._call: Call | None = None
        self._wire: Wire | None = None
        self._opened: socket.socket | None = None
        self._pool: HTTPConnectionPool
        if tls is None:
            self._pool = _PlainPool(address.host, address.port, maxsize=1, line=self)
        else:
            self._pool = _TlsPool(address.host, address.port, maxsize=1, ssl_context=tls, line=self)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any) -> None:
        """Nothing to do: the TLS context was made once, with its authorities, and verifies."""

    def open(self) -> socket.socket:
        """A new connection within the time of the call; urllib3 asks for it."""
        sock, self._opened = self._opened, None
        return sock or self._open()

    def _open(self) -> socket.socket:
        call = self._running()
        self.reused = False
        sock = self._connected(call)
        try:
            self._drop_wire()
            self._wire = Wire(sock.fileno())
            call.attach(self._wire)
            if self._proxy is not None:
                open_through(sock, self._proxy, self._address.host, self._address.port, call)
            sock.settimeout(call.left())
        except BaseException:
            sock.close()
            raise
        return sock

    def _connected(self, call: Call) -> socket.socket:
        try:
            return connect(self._resolver.addresses(call), call)
        except OSError as error:
            if self._proxy is None:
                raise
            cause = _cause(error, sent=False) or Cause.UNREACHABLE
            raise Failed(cause, f"The proxy on the way to the master cannot be reached. ({error})") from error

    def leaving(self) -> None:
        """From here on the call is in doubt: the master may have the sheet."""
        call = self._running()
        call.sent = True
        call.touch()

    def fetch(self, call: Call, request: requests.PreparedRequest, limit: int) -> Answer:
        """The whole answer, of at most `limit` bytes when unpacked.

        :raises Failed: there is none; the line is of no more use"""
        self._call = call
        call.sent = False
        self.reused = self.connected
        hide = redactor(request.headers.get("Authorization", ""))
        shown = _head(f"{request.method} {request.path_url} HTTP/1.1", request.headers)
        try:
            if self._wire is not None:
                call.attach(self._wire)
            if self.connection is None:
                # before requests is asked: its way to say that nothing listens costs four times as much
                self._opened = self._open()
            response = self.send(request, stream=True, timeout=call.left())
            try:
                body = hide.data(bytes(_body(response, call, limit)))
            finally:
                response.close()
            if call.over is not None:  # what we cut ourselves can look like a whole answer without a body
                raise call.ending(call.over)
        except Failed as failed:
            failed.exchange = Exchange(request_head=shown)
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError,
                ValueError) as error:  # fmt: skip
            meant = _failure(error, call, hide)
            meant.exchange = Exchange(request_head=shown)
            raise meant from error
        finally:
            self._call = None
            self._drop_opened()
        exchange = Exchange(
            status=response.status_code,
            request_head=shown,
            answer_head=hide.text(_head(f"HTTP/1.1 {response.status_code} {response.reason or ''}", response.headers)),
            answer_body=plain(body[:BODY_SHOWN].decode(errors="replace")),
        )
        headers = {name.lower(): hide.text(value) for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body, exchange, len(request.body or b""))

    @property
    def connected(self) -> bool:
        """Whether the last answer left the connection good for another request."""
        return self.connection is not None and self.connection.sock is not None

    def close(self) -> None:
        super().close()
        if self.connection is not None:
            self.connection.close()
        self._pool.close()
        self._drop_wire()

    def _drop_opened(self) -> None:
        """Close the connection that was opened for this call, if the call did not use it."""
        sock, self._opened = self._opened, None
        if sock is not None:
            sock.close()

    def _drop_wire(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _running(self) -> Call:
        if self._call is None:
            raise RuntimeError("a line is used outside a call")
        return self._call


def _body(response: requests.Response, call: Call, limit: int) -> bytearray:
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        call.left()
        call.touch()
        body += piece
        if len(body) > limit:
            raise Failed(Cause.NOT_OUR_MASTER, f"The answer is longer than any of the master's ({limit} bytes).")
    return body


def _head(first: str, headers: Any) -> str:
    shown = (f"{name}: {value}" for name, value in headers.items() if name.lower() not in _SECRET_HEADERS)
    return plain("\n".join((first.rstrip(), *shown)))


def _failure(error: BaseException, call: Call, hide: Redactor) -> Failed:
    """What an exception means; the innermost one knows best, unless we ended the call ourselves."""
    if call.over is not None:
        return call.ending(call.over)
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for link in reversed(chain):
        if (cause := _cause(link, call.sent)) is not None:
            return Failed(cause, f"{_SENTENCES[cause]} ({hide.text(str(link))[:200]})")
    return Failed(Cause.UNREACHABLE, f"{_SENTENCES[Cause.UNREACHABLE]} ({hide.text(str(error))[:200]})")


def _cause(error: BaseException, sent: bool) -> Cause | None:
    match error:
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLSyscallError():
            return Cause.RESET
        case ssl.SSLError():
            return Cause.RESET if sent else Cause.TLS
        case socket.gaierror():
            return Cause.DNS
        case TimeoutError() if error.errno == errno.ETIMEDOUT and not sent:
            return Cause.TIMEOUT  # the kernel's own, while it connects
        case TimeoutError() | urllib3.exceptions.TimeoutError():
            return Cause.NO_ANSWER
        case ConnectionRefusedError():
            return Cause.REFUSED
        case ConnectionError():
            return Cause.RESET
        case OSError() if error.errno in _NO_ROUTE:
            return Cause.UNREACHABLE
        case http.client.HTTPException() | urllib3.exceptions.DecodeError() | urllib3.exceptions.InvalidHeader():
            return Cause.NOT_OUR_MASTER
        case ValueError() if not isinstance(error, OSError):
            return Cause.NOT_OUR_MASTER
        case _:
            return None
