"""The mail server as a destination: TLS that is verified, one copy of each mail, and what each answer means."""

import base64
import email
import json
import re
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from resultsq import settings_sources
from resultsq.clock import SystemClock
from resultsq.delivery.mail.letter import Sender
from resultsq.delivery.mail.server import MailServer
from resultsq.delivery.mail.session import SmtpAddress
from resultsq.dkim_key import signer
from resultsq.domain import code128
from resultsq.domain.errors import SettingsError, StoreUnavailable
from resultsq.domain.outcome import Accepted, Cause, Deferred, Outcome, Rejected, Unauthorised
from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import digest
from tests.support.certificates import write as write_certificates
from tests.support.office import Office, office
from tests.support.services import HOST

ID = "0b1f5f0c-6f3a-4e8e-9d55-3f6c1f0f7a10"
NAME = "mail.test"
TO = "team@bushy.example"
Port = Callable[[], int]


class Book:
    """What a node knows of addresses."""

    def __init__(self) -> None:
        self.accounts = {"bushy": TO}
        self.suppressed: set[str] = set()
        self.unsubscribed: set[str] = set()

    def unsubscribe_secret(self, account: str) -> str | None:
        return f"of-{account}"

    def of_account(self, account: str) -> str | None:
        return self.accounts.get(account)

    def is_suppressed(self, address: str, notice: bool) -> bool:
        return address in self.suppressed or (notice and address in self.unsubscribed)

    def suppress(self, address: str) -> None:
        self.suppressed.add(address)


def lookup(host: str, port: int) -> list[Any]:
    return [(socket.AF_INET, (HOST, port))]


@contextmanager
def server(
    url: str, book: Book | None = None, departs: Callable[[Parcel], bool] = lambda _: True, **more: Any
) -> Iterator[MailServer]:
    clear = more.pop("clear", False)
    sender = Sender("Results <node@results.example>", **more)
    made = MailServer(SmtpAddress.parse(url, clear), sender, book or Book(), SystemClock(), departs, lookup)
    try:
        yield made
    finally:
        made.close()


def parcel(in_doubt: bool = False, **more: Any) -> Parcel:
    said = {
        "schema": "resultsq.mail/1",
        "account": "bushy",
        "address": None,
        "subject": "Bushy, 7 December 2013: published",
        "text": "Published at 12:04.\n\n.A line with a dot",
        "expires_at": None,
        "repeat": False,
        "notice": False,
        "submitted_by": "resultsq",
        "submitted_at": "2013-12-07T12:04:00Z",
        **more,
    }
    body = json.dumps(said).encode()
    return Parcel("mails", ID, "", "2013-12-07", body, digest(body), None, in_doubt)


def read(text: str) -> EmailMessage:
    return email.message_from_string(text, policy=policy.default)


@pytest.fixture
def papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Certificates whose authority this machine trusts."""
    folder = write_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "authority.pem"))
    return folder


@pytest.fixture
def local(free_port: Port) -> Iterator[Office]:
    with office(free_port()) as there:
        yield there


def send(there: Office, book: Book | None = None, **said: Any) -> Outcome:
    with server(f"smtp://{HOST}:{there.port}", book) as made:
        return made.send(parcel(**said))


# what is sent


def test_a_mail_has_an_id_of_its_submission_and_a_text_and_the_same_as_html(local: Office) -> None:
    outcome = send(local)
    assert isinstance(outcome, Accepted)
    assert (outcome.receipt.submission, outcome.exchange.status) == (ID, 250)
    assert local.recipients == [TO]
    letter = read(local.mails[0][0])
    assert letter["Message-ID"] == f"<{ID}@results.example>"
    assert (letter["From"], letter["To"]) == ("Results <node@results.example>", TO)
    assert letter["Date"] == "Sat, 07 Dec 2013 12:04:00 +0000"
    assert letter["List-Unsubscribe"] is None
    text, page = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text is not None
    assert page is not None
    assert text.get_content().replace("\r\n", "\n") == "Published at 12:04.\n\n.A line with a dot\n"
    assert 'name="color-scheme" content="light dark"' in page.get_content()
    assert "<p>.A line with a dot</p>" in page.get_content()


def test_barcodes_are_in_a_mail_as_pictures_beside_the_text(local: Office) -> None:
    for _ in range(2):
        send(local, barcodes=["A1234567", "A101"])
    letter = read(local.mails[0][0])
    assert local.mails[0] == local.mails[1]
    page = letter.get_body(("html",))
    assert page is not None
    shown = re.findall(r'<img src="cid:([^"]+)" alt="(\w+)"', page.get_content())
    pictures = {part["Content-ID"]: part for part in letter.walk() if part.get_content_type() == "image/png"}
    assert [number for _, number in shown] == ["A1234567", "A101"]
    for name, number in shown:
        assert bars(pictures[f"<{name}>"].get_content()) == code128.widths(number)


def bars(png: bytes) -> str:
    """The widths of bars and gaps in a picture of one bit a pixel, as a scanner sees them on each of its lines."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        size, name = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        content = png[at + 8 : at + 8 + size]
        assert int.from_bytes(png[at + 8 + size : at + 12 + size]) == zlib.crc32(name + content)
        chunks[name], at = content, at + 12 + size
    assert chunks[b"IHDR"][8:] == bytes((1, 0, 0, 0, 0)), "one bit a pixel, in shades of grey"
    wide, high = (int.from_bytes(chunks[b"IHDR"][n : n + 4]) for n in (0, 4))
    rows, each = zlib.decompress(chunks[b"IDAT"]), 1 + -(-wide // 8)
    lines = {rows[n * each : (n + 1) * each] for n in range(high)}
    assert len(lines) == 1
    line = lines.pop()
    assert line[0] == 0
    pixels = "".join(f"{one:08b}" for one in line[1:])[:wide]
    quiet = 10 * 3
    assert pixels[:quiet] == pixels[-quiet:] == "1" * quiet
    assert pixels[quiet] == pixels[-quiet - 1] == "0", "the first bar and the last are dark"
    return "".join(str(len(run.group()) // 3) for run in re.finditer("0+|1+", pixels[quiet:-quiet]))


def test_both_attempts_at_a_mail_have_the_same_bytes(local: Office) -> None:
    with server(f"smtp://{HOST}:{local.port}") as made:
        for _ in range(2):
            assert isinstance(made.send(parcel(repeat=True)), Accepted)
    (first, _), (second, _) = local.mails
    assert first == second


def test_what_a_mail_says_is_text_and_no_markup(local: Office) -> None:
    send(local, subject="<b>bold</b>", text="<script>alert(1)</script>")
    page = read(local.mails[0][0]).get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()


def test_a_notice_can_be_unsubscribed_from_with_one_click(local: Office) -> None:
    with server(f"smtp://{HOST}:{local.port}", node="https://node.example") as made:
        made.send(parcel(notice=True))
        made.send(parcel(notice=False))
    notice, other = (read(text) for text, _ in local.mails)
    assert notice["List-Unsubscribe"] == "<https://node.example/unsubscribe/of-bushy>"
    assert notice["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert other["List-Unsubscribe"] is None


def test_a_connection_carries_several_mails_and_a_fresh_one_follows_where_it_was_cut(free_port: Port) -> None:
    port = free_port()
    with server(f"smtp://{HOST}:{port}") as made:
        with office(port) as there:
            assert [type(made.send(parcel())) for _ in range(3)] == [Accepted] * 3
            assert there.sessions == 1
        with office(port) as there:
            assert isinstance(made.send(parcel()), Accepted)
            assert (there.sessions, len(there.mails)) == (1, 1)


# what is not sent


def test_a_mail_is_not_sent_after_it_has_expired(local: Office) -> None:
    late = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    outcome = send(local, expires_at=late)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.detail) == ("expired", "Expired, not sent.")
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert isinstance(send(local, expires_at=soon), Accepted)
    assert len(local.mails) == 1


def test_nothing_is_sent_to_an_account_without_an_address(local: Office) -> None:
    outcome = send(local, account="other")
    assert isinstance(outcome, Rejected)
    assert (outcome.code, local.sessions) == ("no-address", 0)


def test_nothing_is_sent_to_an_address_that_bounced_and_no_notice_to_one_that_unsubscribed(local: Office) -> None:
    book = Book()
    book.suppressed.add(TO)
    outcome = send(local, book)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "suppressed"
    book = Book()
    book.unsubscribed.add(TO)
    assert isinstance(send(local, book, notice=True), Rejected)
    assert isinstance(send(local, book), Accepted)
    assert len(local.mails) == 1


# what answers mean


def test_a_mail_is_tried_later_when_its_recipient_is_greylisted(local: Office) -> None:
    local.say("RCPT", "451 4.7.1 try again in five minutes")
    outcome = send(local)
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt, outcome.exchange.status) == (Cause.LATER, False, 451)
    assert isinstance(send(local), Accepted)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_the_server_is_out_of_order_when_it_says_421(local: Office, command: str) -> None:
    local.say(command, "421 4.3.2 closing")
    outcome = send(local)
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.MASTER_DOWN, False)


def test_an_address_that_there_is_not_is_written_to_no_more_and_is_in_no_answer_that_people_see(local: Office) -> None:
    book = Book()
    local.say("RCPT", f"550 5.1.1 <{TO.upper()}>: no such user")
    outcome = send(local, book)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "mail-refused"
    assert "no such user" in outcome.detail
    assert TO not in f"{outcome.detail} {outcome.exchange}".lower()
    assert book.suppressed == {TO}


@pytest.mark.parametrize("answer", ["550 5.7.1 we take no mail from you", "552 5.2.2 mailbox full", "554 no"])
def test_an_address_is_kept_when_its_mail_was_refused_for_another_reason(local: Office, answer: str) -> None:
    book = Book()
    local.say("RCPT", answer)
    assert isinstance(send(local, book), Rejected)
    assert book.suppressed == set()


def test_what_the_content_was_refused_for_is_said_by_its_answer(local: Office) -> None:
    local.say("DATA", "554 5.6.0 it looks like spam", "452 4.3.1 no room")
    assert isinstance(send(local), Rejected)
    later = send(local)
    assert isinstance(later, Deferred)
    assert (later.cause, later.in_doubt) == (Cause.LATER, False)


def test_the_destination_waits_when_the_password_is_refused(papers: Path, free_port: Port) -> None:
    with office(free_port(), starttls=papers / "named.pem") as there:
        with server(f"smtp://me:other@{NAME}:{there.port}") as made:
            outcome = made.send(parcel())
        assert isinstance(outcome, Unauthorised)
        assert there.mails == []
        with server(f"smtp://me:p%40ss@{NAME}:{there.port}") as made:
            assert isinstance(made.send(parcel()), Accepted)
        assert there.logins[-1] == ("me", "p@ss", True)


# what is lost


def test_a_mail_is_given_up_when_the_answer_to_it_is_lost_unless_it_says_repeat(local: Office) -> None:
    local.lose_answers = 2
    once = send(local)
    assert isinstance(once, Rejected)
    assert once.code == "perhaps-sent"
    assert "may have arrived" in once.detail
    again = send(local, repeat=True)
    assert isinstance(again, Deferred)
    assert again.in_doubt
    assert isinstance(send(local, repeat=True, in_doubt=True), Accepted)
    assert len({read(text)["Message-ID"] for text, _ in local.mails}) == 1


def test_a_mail_whose_sender_died_is_not_sent_again_unless_it_says_repeat(local: Office) -> None:
    outcome = send(local, in_doubt=True)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, local.sessions) == ("perhaps-sent", 0)


def test_nothing_is_sent_when_the_departure_cannot_be_written_down(local: Office) -> None:
    def is_away(_parcel: Parcel) -> bool:
        raise StoreUnavailable("The database does not answer.")

    for departs in (is_away, lambda _parcel: False):
        with server(f"smtp://{HOST}:{local.port}", departs=departs) as made:
            outcome = made.send(parcel())
        assert isinstance(outcome, Deferred)
        assert not outcome.in_doubt
    assert local.mails == []
    with server(f"smtp://{HOST}:{local.port}") as made:
        assert isinstance(made.send(parcel()), Accepted)


def _cut_at_the_content(listening: socket.socket) -> None:
    """Says yes to everything, and is gone when the content is announced."""
    conn, _ = listening.accept()
    with conn, conn.makefile("rwb") as file:
        file.write(b"220 here\r\n")
        file.flush()
        while not (line := file.readline()).startswith(b"DATA"):
            file.write(b"250 fine\r\n" if line else b"")
            file.flush()


def test_a_mail_of_which_nothing_has_left_was_not_sent() -> None:
    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=_cut_at_the_content, args=(listening,))
        thread.start()
        with server(f"smtp://{HOST}:{listening.getsockname()[1]}") as made:
            outcome = made.send(parcel())
        thread.join()
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.RESET, False)


# encryption


@pytest.mark.parametrize(("scheme", "papers_for"), [("smtp", "starttls"), ("smtps", "tls")])
def test_a_mail_travels_encrypted_to_a_server_whose_certificate_is_good(
    scheme: str, papers_for: str, papers: Path, free_port: Port
) -> None:
    with (
        office(free_port(), **{papers_for: papers / "named.pem"}) as there,  # type: ignore[arg-type]
        server(f"{scheme}://{NAME}:{there.port}") as made,
    ):
        assert made.probe().cause is None
        assert isinstance(made.send(parcel()), Accepted)
        assert [secure for _, secure in there.mails] == [True]


@pytest.mark.parametrize("certificate", ["expired.pem", "other.pem", "good.pem"])
@pytest.mark.parametrize(("scheme", "papers_for"), [("smtp", "starttls"), ("smtps", "tls")])
def test_nothing_is_sent_when_the_certificate_is_anothers(
    scheme: str, papers_for: str, certificate: str, papers: Path, free_port: Port
) -> None:
    with (
        office(free_port(), **{papers_for: papers / certificate}) as there,  # type: ignore[arg-type]
        server(f"{scheme}://me:p%40ss@{NAME}:{there.port}") as made,
    ):
        assert made.probe().cause is Cause.TLS
        outcome = made.send(parcel())
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.TLS
    assert (there.logins, there.mails) == ([], [])


def test_nothing_is_sent_when_the_offer_of_encryption_was_taken_out(papers: Path, free_port: Port) -> None:
    with office(free_port(), clear_login=True) as there:
        with server(f"smtp://me:p%40ss@{NAME}:{there.port}", clear=True) as made:
            assert made.probe().cause is Cause.TLS, "a password never travels in clear"
        with server(f"smtp://{NAME}:{there.port}") as made:
            answer, outcome = made.probe(), made.send(parcel())
        assert (there.logins, there.mails) == ([], [])
        assert answer.detail == "The mail server offers no encryption, so nothing was sent."
        assert isinstance(outcome, Deferred)
        assert (answer.cause, outcome.cause) == (Cause.TLS, Cause.TLS)
        with server(f"smtp://{NAME}:{there.port}", clear=True) as made:
            assert isinstance(made.send(parcel()), Accepted), "unless the settings allow it"


def test_a_server_on_this_machine_needs_no_certificate(papers: Path, free_port: Port) -> None:
    with (
        office(free_port(), starttls=papers / "other.pem", clear_login=True) as there,
        server(f"smtp://me:p%40ss@{HOST}:{there.port}") as made,
    ):
        assert isinstance(made.send(parcel()), Accepted)
    assert there.logins == [("me", "p@ss", False)]


# probes


def test_a_probe_tells_a_server_that_is_there_from_one_that_is_away(free_port: Port) -> None:
    port = free_port()
    with server(f"smtp://{HOST}:{port}") as made:
        assert made.probe().cause is Cause.REFUSED
        with office(port):
            assert made.probe().cause is None


def test_a_probe_ends_when_nothing_is_said() -> None:
    with socket.create_server((HOST, 0)) as silent, server(f"smtp://{HOST}:{silent.getsockname()[1]}") as made:
        answer = made.probe()
    assert answer.cause is Cause.NO_ANSWER
    assert answer.duration_s < 10


@pytest.mark.parametrize("greeting", [b"554 5.3.2 no service\r\n", b"421 busy\r\n"])
def test_a_server_that_greets_with_a_refusal_is_out_of_order(greeting: bytes) -> None:
    with socket.create_server((HOST, 0)) as listening:

        def greet() -> None:
            conn, _ = listening.accept()
            with conn:
                conn.sendall(greeting)
                conn.recv(100)

        thread = threading.Thread(target=greet)
        thread.start()
        with server(f"smtp://{HOST}:{listening.getsockname()[1]}") as made:
            assert made.probe().cause is Cause.MASTER_DOWN
        thread.join()


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dkim") / "key.pem"
    path.write_bytes(_pem(rsa.generate_private_key(65537, 2048)))
    return path


def _pem(key: Any) -> bytes:
    found: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return found


def _dns(key_file: Path) -> Callable[..., bytes]:
    """What the DNS says of the public key."""
    key = load_pem_private_key(key_file.read_bytes(), password=None)
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def answer(name: bytes, timeout: float = 5) -> bytes:
        return b"v=DKIM1; k=rsa; p=" + public if name == b"node1._domainkey.results.example." else b""

    return answer


def test_the_signature_holds_for_what_arrives_and_not_for_what_was_changed(free_port: Port, key_file: Path) -> None:
    at, sign = free_port(), signer(key_file, "node1", "results.example")
    with office(at) as there, server(f"smtp://{HOST}:{at}", sign=sign, node="https://node.example") as mails:
        sent = mails.send(parcel(notice=True, subject="Bushy, 7. Dezember: veröffentlicht"))
        assert isinstance(sent, Accepted), sent
    ((text, _),) = there.mails
    arrived = text.encode().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert dkim.verify(arrived, dnsfunc=_dns(key_file))
    for old, new in [(b"12:04.", b"12:05."), (b"Subject: ", b"Subject: Not "), (b"From: Results", b"From: Others")]:
        assert old in arrived
        assert not dkim.verify(arrived.replace(old, new, 1), dnsfunc=_dns(key_file)), old


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"no key", "holds no private key in PEM"),
        (_pem(ed25519.Ed25519PrivateKey.generate()), "is not an RSA key of at least 1024 bits"),
    ],
)
def test_a_key_that_signs_nothing_is_refused_when_a_worker_starts(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    environ = {"RESULTSQ_DKIM_KEY_FILE": str(path), "RESULTSQ_DKIM_SELECTOR": "node1"}
    with pytest.raises(SettingsError, match=f"dkim_key_file .* makes no sense: .*{said}"):
        settings_sources.load(environ, calls_master=True)


def test_a_key_without_its_name_in_the_dns_is_refused(key_file: Path) -> None:
    with pytest.raises(SettingsError, match="It needs dkim_selector"):
        settings_sources.load({"RESULTSQ_DKIM_KEY_FILE": str(key_file)}, calls_master=True)
