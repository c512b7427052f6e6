"""How the mail server's address is read, and what an exception under a conversation means."""

import errno
import smtplib
import socket
import ssl
from datetime import UTC, datetime

import pytest

from resultsq.delivery.mail import session
from resultsq.delivery.mail.letter import Sender
from resultsq.delivery.mail.session import SmtpAddress
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Cause
from tests.support.manual_clock import ManualClock


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://mail.test", 25, False),
        ("smtps://mail.test", 465, True),
        ("smtp://mail.test:587", 587, False),
        ("smtps://mail.test:2465", 2465, True),
    ],
)
def test_each_scheme_has_its_port(url: str, port: int, tls: bool) -> None:
    assert SmtpAddress.parse(url) == SmtpAddress("mail.test", port, tls)


def test_credentials_are_unquoted_and_not_shown() -> None:
    found = SmtpAddress.parse("smtp://me%40x:p%40ss@mail.test", clear=True)
    assert (found.user, found.password, found.clear) == ("me@x", "p@ss", True)
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(("host", "here"), [("127.0.0.1", True), ("localhost", True), ("mail.test", False)])
def test_only_this_machine_is_here(host: str, here: bool) -> None:
    assert SmtpAddress.parse(f"smtp://{host}").here is here


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ssl.SSLError(), Cause.TLS),
        (socket.gaierror(), Cause.DNS),
        (ConnectionRefusedError(), Cause.REFUSED),
        (TimeoutError(), Cause.NO_ANSWER),
        (OSError(errno.ENETUNREACH, "no"), Cause.UNREACHABLE),
        (OSError(errno.EPERM, "no"), Cause.RESET),
        (ConnectionResetError(), Cause.RESET),
        (smtplib.SMTPServerDisconnected(), Cause.RESET),
        (smtplib.SMTPException(), Cause.RESET),
    ],
)
def test_each_exception_has_its_cause(error: Exception, cause: Cause) -> None:
    call = Call(ManualClock(datetime(2013, 12, 7, tzinfo=UTC)), 5.0, None)
    found = session.failed(error, call)
    assert found.cause is cause
    assert found.detail == f"{session._SENTENCES[cause]} ({type(error).__name__})"
    hidden = smtplib.SMTPServerDisconnected()
    hidden.__context__ = error
    assert session.failed(hidden, call).cause is cause, "the library hides what it met"
    if not isinstance(error, smtplib.SMTPServerDisconnected):
        other = smtplib.SMTPException()
        other.__context__ = error
        assert session.failed(other, call).cause is Cause.RESET
    call.end(Cause.SILENT)
    assert session.failed(error, call).cause is Cause.SILENT
    own = Failed(Cause.DNS, "No name.")
    assert session.failed(own, call) is own


@pytest.mark.parametrize(
    ("address", "bare", "domain"),
    [
        ("Results <node@results.example>", "node@results.example", "results.example"),
        ("node@results.example", "node@results.example", "results.example"),
        ("node", "node", "node"),
        ("", "", "localhost"),
    ],
)
def test_a_sender_is_an_address_with_or_without_a_name(address: str, bare: str, domain: str) -> None:
    sender = Sender(address)
    assert (sender.bare, sender.domain) == (bare, domain)
