"""Alert mail travels over TLS with a certificate that is checked, and a password never in clear."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from resultsq.domain.errors import SettingsError
from resultsq.watch import mail
from resultsq.watch.unsent import Unsent
from tests.support.certificates import write as write_certificates
from tests.support.services import HOST

TIMEOUT_S = 5.0
NAME = "mail.test"


def is_secure(server: Any) -> bool:
    return server.transport.get_extra_info("sslcontext") is not None


@dataclass
class Office:
    """A mail server: what arrived, whether over TLS, and who logged in, in clear or not."""

    port: int
    mails: list[tuple[str, bool]] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append((envelope.content.decode(), is_secure(server)))
        return "250 taken"

    def authenticate(self, server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> Any:
        self.logins.append((data.login.decode(), data.password.decode(), is_secure(server)))
        right = data.password == b"p@ss"
        return AuthResult(success=right, handled=right)


def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


@contextmanager
def office(
    port: int, *, starttls: Path | None = None, tls: Path | None = None, clear_login: bool = False
) -> Iterator[Office]:
    """aiosmtpd with these certificates, for STARTTLS or from the start, in a thread with a loop of its own."""
    made = Office(port)
    loop = asyncio.new_event_loop()

    def server_of_one() -> SMTP:
        return SMTP(
            made,
            hostname="office",
            tls_context=context(starttls) if starttls else None,
            authenticator=made.authenticate,
            auth_require_tls=not clear_login,
            loop=loop,
        )

    async def begin() -> asyncio.Server:
        secure = context(tls) if tls else None
        return await loop.create_server(server_of_one, HOST, port, ssl=secure)

    async def end() -> None:
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0.05)  # lets the transports close their sockets

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Certificates whose authority this machine trusts, and a name for it that is not plainly its own."""
    folder = write_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    real = socket.getaddrinfo

    def nameserver(host: Any, *more: Any, **options: Any) -> Any:
        return real(HOST if host == NAME else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", nameserver)
    return folder


def letter() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "node@example.org", "ops@example.org", "resultsq: link-down"
    made.set_content("The link is down.")
    return made


def send(url: str) -> None:
    mail.send(url, letter(), TIMEOUT_S)


def test_the_password_travels_over_tls_when_the_server_offers_it(papers: Path, free_port: Callable[[], int]) -> None:
    with office(free_port(), starttls=papers / "named.pem") as there:
        send(f"smtp://me:p%40ss@{NAME}:{there.port}")
    assert there.logins == [("me", "p@ss", True)]
    ((text, secure),) = there.mails
    assert secure
    assert "Subject: resultsq: link-down" in text


def test_a_mail_without_a_password_travels_over_tls_too(papers: Path, free_port: Callable[[], int]) -> None:
    with office(free_port(), starttls=papers / "named.pem") as there:
        send(f"smtp://{NAME}:{there.port}")
    assert [secure for _, secure in there.mails] == [True]


def test_the_password_stays_here_when_the_server_offers_no_tls(papers: Path, free_port: Callable[[], int]) -> None:
    with office(free_port(), clear_login=True) as there:
        with pytest.raises(Unsent, match="no encryption") as refused:
            send(f"smtp://me:p%40ss@{NAME}:{there.port}")
        assert "p@ss" not in str(refused.value)
        send(f"smtp://{NAME}:{there.port}")
    assert there.logins == []
    assert [secure for _, secure in there.mails] == [False], "a mail without a password may go in clear"


@pytest.mark.parametrize("certificate", ["expired.pem", "other.pem", "good.pem"])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_nothing_is_sent_when_the_certificate_is_anothers(
    scheme: str, certificate: str, papers: Path, free_port: Callable[[], int]
) -> None:
    starttls, tls = (papers / certificate, None) if scheme == "smtp" else (None, papers / certificate)
    with (
        office(free_port(), starttls=starttls, tls=tls) as there,
        pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        send(f"{scheme}://me:p%40ss@{NAME}:{there.port}")
    assert (there.logins, there.mails) == ([], [])


def test_a_mail_travels_over_tls_from_the_start_when_the_url_says_so(
    papers: Path, free_port: Callable[[], int]
) -> None:
    with office(free_port(), tls=papers / "named.pem", clear_login=True) as there:
        send(f"smtps://me:p%40ss@{NAME}:{there.port}")
    assert there.logins == [("me", "p@ss", True)]
    assert [secure for _, secure in there.mails] == [True]


def test_a_server_on_this_machine_needs_no_certificate(papers: Path, free_port: Callable[[], int]) -> None:
    with office(free_port(), starttls=papers / "other.pem", clear_login=True) as there:
        send(f"smtp://me:p%40ss@{HOST}:{there.port}")
    assert there.logins == [("me", "p@ss", False)]


def test_a_server_on_this_machine_is_spoken_to_over_tls_when_it_takes_no_password_else(
    papers: Path, free_port: Callable[[], int]
) -> None:
    with office(free_port(), starttls=papers / "good.pem") as there:
        send(f"smtp://me:p%40ss@{HOST}:{there.port}")
    assert there.logins == [("me", "p@ss", True)]


def test_it_is_an_error_when_the_server_refuses_the_password(papers: Path, free_port: Callable[[], int]) -> None:
    with office(free_port(), starttls=papers / "named.pem") as there, pytest.raises(OSError, match="535"):
        send(f"smtp://me:other@{NAME}:{there.port}")
    assert there.mails == []


@pytest.mark.parametrize(
    "url", ["mail.test", "http://mail.test", "smtp://", "smtp://mail.test:x", "smtp://mail.test:0"]
)
def test_a_url_is_refused_when_it_is_no_mail_servers(url: str) -> None:
    with pytest.raises(SettingsError, match="SMTP_URL is smtp://"):
        send(url)
