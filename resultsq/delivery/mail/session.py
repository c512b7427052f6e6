"""One SMTP connection, for one call at a time. Every step ends by the call's deadline."""

import errno
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

from resultsq.delivery.masters.dial import Resolver, connect
from resultsq.delivery.masters.watch import Call, Failed, Wire
from resultsq.domain.destinations import is_loopback, mail_parts
from resultsq.domain.i18n import gettext_noop
from resultsq.domain.outcome import Cause

NOT_ENCRYPTED = "The mail server offers no encryption, so nothing was sent."
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_SENTENCES = {
    Cause.DNS: gettext_noop("The mail server's name could not be resolved."),
    Cause.UNREACHABLE: gettext_noop("There is no way to the mail server's network from here."),
    Cause.REFUSED: gettext_noop("Nothing listens at the mail server's address."),
    Cause.RESET: gettext_noop("The connection to the mail server was cut."),
    Cause.NO_ANSWER: gettext_noop("The mail server did not answer in time."),
    Cause.TLS: gettext_noop("The certificate or the handshake is not the mail server's."),
}


class Answered(Exception):
    """The server has answered, and not with what a step needs."""

    def __init__(self, code: int, text: bytes) -> None:
        super().__init__(code)
        self.code = code
        self.text = text.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class SmtpAddress:
    """Where the mail server is and how it is spoken to. `clear`: the settings allow mails that anyone can read."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = field(default="", repr=False)
    clear: bool = False

    @classmethod
    def parse(cls, url: str, clear: bool = False) -> "SmtpAddress":
        """:raises SettingsError: the URL is not that of a mail server"""
        parts = mail_parts(url)
        tls = parts.scheme == "smtps"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname or "", parts.port or (465 if tls else 25), tls, user, password, clear)

    @property
    def here(self) -> bool:
        """On this machine there is no network to listen on."""
        return is_loopback(self.host)


class _Client(smtplib.SMTP):
    """Speaks over a connection that was made for it."""

    def __init__(self, address: SmtpAddress, sock: socket.socket) -> None:
        super().__init__()
        self._host = address.host  # the name that STARTTLS verifies
        self.sock: socket.socket = sock
        self.file = None


class Session:
    """An open connection: greeted, encrypted where it has to be, and logged in."""

    def __init__(self, address: SmtpAddress, resolver: Resolver, context: ssl.SSLContext, call: Call) -> None:
        self._address, self._context = address, context
        self.rested_since = 0.0
        sock = connect(resolver.addresses(call), call)
        self._wire = Wire(sock.fileno())
        self._client = _Client(address, sock)
        try:
            call.attach(self._wire)
            sock.settimeout(call.left())
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        address, client = self._address, self._client
        if address.tls:
            client.sock = self._context.wrap_socket(client.sock, server_hostname=address.host)
        self._expect(client.getreply(), 220)
        self._greet()
        encrypted = address.tls
        if not encrypted and self._wants_tls():
            self._expect(client.starttls(context=self._context), 220)
            self._greet()
            encrypted = True
        if not encrypted and not address.here and (address.user or not address.clear):
            raise Failed(Cause.TLS, NOT_ENCRYPTED)

    def _wants_tls(self) -> bool:
        """A local server's certificate is mostly one of its own making: there only where a password is wanted that it
        takes over TLS alone."""
        if not self._client.has_extn("starttls"):
            return False
        return not self._address.here or (bool(self._address.user) and not self._client.has_extn("auth"))

    def _greet(self) -> None:
        code, _text = self._client.ehlo()
        if code != 250:
            self._expect(self._client.helo(), 250)

    def use(self, call: Call) -> None:
        """Another call goes over it, if it is still good."""
        call.attach(self._wire)
        self._client.sock.settimeout(call.left())
        self._expect(self._client.rset(), 250)

    def noop(self) -> None:
        self._expect(self._client.noop(), 250)

    def log_in(self) -> None:
        """:raises Answered: the server refuses the credentials"""
        try:
            self._client.login(self._address.user, self._address.password)
        except smtplib.SMTPAuthenticationError as error:
            said = error.smtp_error
            raise Answered(error.smtp_code, said if isinstance(said, bytes) else said.encode()) from None
        except smtplib.SMTPNotSupportedError:
            raise Answered(535, b"It takes no password in this way.") from None

    def command(self, line: str, *good: int) -> tuple[int, bytes]:
        """:raises Answered: the answer is none of these"""
        return self._expect(self._client.docmd(line), *good)

    def content(self, letter: bytes) -> None:
        """The whole content with the final dot. From its end on, the server may have taken it."""
        dotted = b"".join(b"." + line if line.startswith(b".") else line for line in letter.splitlines(keepends=True))
        self._client.send(dotted + b".\r\n")

    def verdict(self) -> tuple[int, bytes]:
        """The answer to the content."""
        return self._expect(self._client.getreply(), 250)

    def _expect(self, reply: tuple[int, bytes], *good: int) -> tuple[int, bytes]:
        if reply[0] not in good:
            raise Answered(reply[0], reply[1])
        return reply

    def quit(self) -> None:
        """Take leave without waiting for an answer."""
        with suppress(OSError):
            self._client.send(b"QUIT\r\n")
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._client.close()
        self._wire.close()


def failed(error: Exception, call: Call) -> Failed:
    """What ended a conversation, as a cause of the link."""
    if isinstance(error, Failed):
        return error
    if call.over is not None:
        return call.ending(call.over)
    inner = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) and error.__context__ else error
    cause = _cause(inner)
    return Failed(cause, f"{_SENTENCES[cause]} ({type(inner).__name__})")


def _cause(error: BaseException) -> Cause:
    match error:
        case ssl.SSLError():
            return Cause.TLS
        case socket.gaierror():
            return Cause.DNS
        case ConnectionRefusedError():
            return Cause.REFUSED
        case TimeoutError():  # the call's deadline, seen by the socket before the call was told
            return Cause.NO_ANSWER
        case OSError() if error.errno in _NO_ROUTE:
            return Cause.UNREACHABLE
        case _:
            return Cause.RESET
