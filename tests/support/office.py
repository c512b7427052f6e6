"""A mail server of its own: aiosmtpd in a thread, with certificates, refusals and cut connections as a test asks."""

import asyncio
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.support.listening import Listening, end_all_else
from tests.support.services import HOST


def is_secure(server: Any) -> bool:
    return server.transport.get_extra_info("sslcontext") is not None


@dataclass
class Office:
    """What arrived, whether over TLS, and who logged in. `answers`: what it says next to a command, one each; then
    all is well. `lose_answers`: so many mails are taken, and the connection is cut before their answer."""

    port: int
    mails: list[tuple[str, bool]] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    answers: dict[str, deque[str]] = field(default_factory=dict)
    sessions: int = 0
    lose_answers: int = 0
    work_s: float = 0.0

    def say(self, command: str, *answers: str) -> None:
        self.answers.setdefault(command, deque()).extend(answers)

    def _next(self, command: str) -> str | None:
        waiting = self.answers.get(command)
        return waiting.popleft() if waiting else None

    async def handle_EHLO(self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: Any) -> Any:
        session.host_name = hostname
        self.sessions += 1
        return responses

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: Any) -> str:
        if (said := self._next("MAIL")) is not None:
            return said
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 fine"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if (said := self._next("RCPT")) is not None:
            return said
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        if self.work_s:
            await asyncio.sleep(self.work_s)
        if (said := self._next("DATA")) is not None:
            return said
        self.mails.append((envelope.content.decode(), is_secure(server)))
        self.recipients += envelope.rcpt_tos
        if self.lose_answers:
            self.lose_answers -= 1
            server.transport.abort()
        return "250 taken"

    def authenticate(self, server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> Any:
        self.logins.append((data.login.decode(), data.password.decode(), is_secure(server)))
        right = data.password == b"p@ss"
        return AuthResult(success=right, handled=right)


def _context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


@contextmanager
def office(
    port: int, *, starttls: Path | None = None, tls: Path | None = None, clear_login: bool = False
) -> Iterator[Office]:
    """It listens, with these certificates for STARTTLS or from the start."""
    made = Office(port)
    loop = asyncio.new_event_loop()

    def server_of_one() -> SMTP:
        return SMTP(
            made,
            hostname="office",
            tls_context=_context(starttls) if starttls else None,
            authenticator=made.authenticate,
            auth_require_tls=not clear_login,
            loop=loop,
        )

    secure = _context(tls) if tls else None

    async def serve(client: socket.socket) -> None:
        await loop.connect_accepted_socket(server_of_one, client, ssl=secure)

    async def begin() -> Listening:
        return Listening(HOST, port, serve)

    async def end() -> None:
        listening.close()
        await end_all_else()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
