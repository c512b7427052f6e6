"""What each answer of a mail server means at each step, and which connections are used again."""

import json
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, BinaryIO

import pytest

from resultsq.delivery.mail import server
from resultsq.delivery.mail.letter import Sender
from resultsq.delivery.mail.server import MailServer
from resultsq.delivery.mail.session import SmtpAddress
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.outcome import Accepted, Cause, Deferred, Outcome, Rejected, Scope, Unauthorised
from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import digest
from resultsq.kinds.mails.kind import SUBJECT_MOST
from resultsq.kinds.registry import KINDS
from tests.support.far_side import far_side
from tests.support.manual_clock import ManualClock
from tests.support.services import HOST
from tests.support.waiting import wait_until

NOW = datetime(2013, 12, 7, 12, 4, tzinfo=UTC)
TO = "team@bushy.example"


class Cut(Enum):
    """How a server ends a conversation where an answer is due."""

    CLOSED = 0
    RESET = 1


Said = str | Cut
FINE: dict[str, Said] = {
    "open": "220 office",
    "login": "235 fine",
    "RSET": "250 fine",
    "MAIL": "250 fine",
    "RCPT": "250 fine",
    "DATA": "354 go on",
    "verdict": "250 taken as 7",
    "NOOP": "250 fine",
}


@dataclass
class Conversation:
    """What was asked over one connection, and whether it has ended."""

    steps: list[str] = field(default_factory=list)
    is_open: bool = True


class Talk:
    """What the server says at each step, and the connections that were made."""

    def __init__(self) -> None:
        self.says: dict[str, Said] = dict(FINE)
        self.made: list[Conversation] = []

    def __call__(self, connection: socket.socket) -> None:
        made = Conversation()
        self.made.append(made)
        try:
            with connection.makefile("rb") as lines:
                self._converse(connection, lines, made.steps)
        finally:
            made.is_open = False

    def _converse(self, connection: socket.socket, lines: BinaryIO, steps: list[str]) -> None:
        goes_on = self._say(connection, "open")
        while goes_on and (line := lines.readline()):
            word = line.split()[0].decode()
            if word.upper() == "EHLO":
                connection.sendall(b"250-office\r\n250 AUTH PLAIN\r\n")
                continue
            step = {"AUTH": "login"}.get(word, word.upper())
            steps.append(step)
            goes_on = step != "QUIT" and self._say(connection, step)
            if step == "DATA" and self.says[step] == FINE[step]:
                while lines.readline() not in (b".\r\n", b""):
                    continue
                goes_on = self._say(connection, "verdict")

    def _say(self, connection: socket.socket, step: str) -> bool:
        said = self.says[step]
        if said is Cut.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(said, str):
            connection.sendall(said.encode() + b"\r\n")
        return isinstance(said, str)

    def wait_for_open(self, *are_open: bool) -> None:
        """Until those and no other connections are open."""
        wait_until(lambda: [one.is_open for one in self.made] == [*are_open], 10, "the end of a connection")


class Book:
    """Every account has one address; nothing is suppressed."""

    def __init__(self) -> None:
        self.bounced: list[str] = []

    def of_account(self, account: str) -> str | None:
        return TO

    def unsubscribe_secret(self, account: str) -> str | None:
        return None

    def is_suppressed(self, address: str, notice: bool) -> bool:
        return False

    def suppress(self, address: str) -> None:
        self.bounced.append(address)


class Here:
    """The destination, on a clock that stands still."""

    def __init__(self, talk: Talk, port: int, user: str = "", office: str = "") -> None:
        self.talk, self.book, self.clock = talk, Book(), ManualClock(NOW, monotonic=1000.0)
        self.departs: Callable[[Parcel], bool] = lambda _: True
        address = SmtpAddress(HOST, port, tls=False, user=user, password="word" if user else "")
        self.mails = MailServer(
            address, Sender("node@results.example"), self.book, self.clock, lambda one: self.departs(one), office=office
        )

    def send(self, in_doubt: bool = False, **more: Any) -> Outcome:
        said = {
            "schema": "resultsq.mail/1",
            "account": "bushy",
            "address": None,
            "subject": "Published",
            "text": "Published at 12:04.",
            "expires_at": None,
            "repeat": False,
            "notice": False,
            "submitted_by": "resultsq",
            "submitted_at": "2013-12-07T12:04:00Z",
            **more,
        }
        body = json.dumps(said).encode()
        return self.mails.send(Parcel("mails", "id", "", "2013-12-07", body, digest(body), None, in_doubt))


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def opened(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Here]]:
    """Opens a destination at the server."""
    monkeypatch.setattr(ssl, "create_default_context", lambda: None)  # reading the authorities takes its time
    made: list[Here] = []
    with far_side(talk) as port:

        def at(user: str = "", office: str = "") -> Here:
            made.append(Here(talk, port, user, office))
            return made[-1]

        yield at
        for one in made:
            one.mails.close()


@pytest.fixture
def here(opened: Callable[..., Here]) -> Here:
    return opened()


def deferred(outcome: Outcome) -> Deferred:
    assert isinstance(outcome, Deferred), outcome
    return outcome


def test_a_mail_that_is_taken_has_the_servers_word(here: Here) -> None:
    outcome = here.send()
    assert isinstance(outcome, Accepted)
    assert (outcome.exchange.status, outcome.exchange.answer_body) == (250, "taken as 7")
    assert outcome.receipt.received_at == NOW


STEPS = ["MAIL", "RCPT", "DATA", "verdict"]


@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("code", [421, 450, 499, 500, 550])
@pytest.mark.parametrize("step", STEPS)
def test_a_refusal_is_for_good_from_five_hundred_on_unless_the_mail_says_repeat(
    here: Here, step: str, code: int, repeat: bool
) -> None:
    here.talk.says[step] = f"{code} no"
    outcome = here.send(repeat=repeat)
    if code >= 500 and not repeat:
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.detail) == ("mail-refused", f"The mail server answered {code}: no")
    else:
        assert deferred(outcome).cause is (Cause.MASTER_DOWN if code == 421 else Cause.LATER)
        assert not deferred(outcome).in_doubt
    assert outcome.exchange.status == code


@pytest.mark.parametrize("code", [421, 454, 554])
def test_a_server_that_refuses_at_its_greeting_is_out_of_order(here: Here, code: int) -> None:
    here.talk.says["open"] = f"{code} no"
    outcome = deferred(here.send())
    assert (outcome.cause, outcome.in_doubt) == (Cause.MASTER_DOWN, False)


@pytest.mark.parametrize(("code", "is_refused"), [(421, False), (454, False), (500, True), (535, True)])
def test_credentials_are_refused_from_five_hundred_on(
    talk: Talk, opened: Callable[..., Here], code: int, is_refused: bool
) -> None:
    talk.says["login"] = f"{code} no"
    here = opened(user="me")
    outcome = here.send()
    if is_refused:
        assert isinstance(outcome, Unauthorised)
        assert outcome.scope is Scope.DESTINATION
    else:
        assert (deferred(outcome).cause, deferred(outcome).in_doubt) == (Cause.MASTER_DOWN, False)
    talk.wait_for_open(False)


def test_credentials_are_given_where_there_are_any(talk: Talk, opened: Callable[..., Here]) -> None:
    here, other = opened(), opened(user="me")
    here.send()
    assert "login" not in talk.made[0].steps
    assert isinstance(other.send(), Accepted)
    assert talk.made[1].steps[:2] == ["login", "MAIL"]


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("step", [*STEPS, "open"])
def test_a_mail_may_have_been_sent_once_its_content_has_left(here: Here, step: str, repeat: bool, cut: Cut) -> None:
    here.talk.says[step] = cut
    outcome = here.send(repeat=repeat)
    if step == "verdict" and not repeat:
        assert isinstance(outcome, Rejected)
        assert outcome.code == "perhaps-sent"
    else:
        assert deferred(outcome).in_doubt is (step == "verdict")
    here.talk.wait_for_open(False)


@pytest.mark.parametrize("text", ["5.1.1 no such user", "user unknown (5.1.10)"])
def test_an_address_that_there_is_not_is_noted(here: Here, text: str) -> None:
    here.talk.says["RCPT"] = f"550 {text}"
    here.send()
    assert here.book.bounced == [TO]
    here.book.bounced.clear()
    here.send(repeat=True)
    assert here.book.bounced == [], "it is tried again"


def test_what_a_server_says_is_shown_in_part_and_without_the_address(here: Here) -> None:
    here.talk.says["RCPT"] = f"550 <{TO.upper()}> " + "x" * 1000
    outcome = here.send()
    assert isinstance(outcome, Rejected)
    assert outcome.exchange.answer_body == "<the recipient> " + "x" * 484


# times


@pytest.mark.parametrize(("late_s", "is_sent"), [(-1, True), (0, False)])
def test_a_mail_is_sent_until_it_expires(here: Here, late_s: float, is_sent: bool) -> None:
    here.clock.advance(60.0 + late_s)
    outcome = here.send(expires_at="2013-12-07T12:05:00Z")
    assert isinstance(outcome, Accepted) if is_sent else outcome == server._given_up("expired")


@pytest.mark.parametrize(("rest_s", "made"), [(19.9, 1), (20.0, 2)])
def test_a_connection_that_rested_for_long_is_not_used_again(here: Here, rest_s: float, made: int) -> None:
    here.send()
    here.clock.advance(rest_s)
    here.send()
    assert len(here.talk.made) == made
    here.talk.wait_for_open(*[False, True][-made:])


# connections


@pytest.mark.parametrize(("code", "made"), [(450, 1), (550, 1), (421, 2)])
def test_a_connection_is_used_again_after_a_refusal_that_is_not_its_end(here: Here, code: int, made: int) -> None:
    here.talk.says["RCPT"] = f"{code} no"
    here.send()
    here.talk.says = dict(FINE)
    assert isinstance(here.send(), Accepted)
    assert len(here.talk.made) == made


@pytest.mark.parametrize("said", ["451 no", *Cut])
def test_a_rested_connection_that_is_of_no_use_gives_way_to_a_new_one(here: Here, said: Said) -> None:
    here.send()
    here.talk.says["RSET"] = said
    assert isinstance(here.send(), Accepted)
    here.talk.wait_for_open(False, True)


def test_connections_that_rest_are_closed_when_it_is_told(here: Here) -> None:
    here.send()
    here.mails.refresh()
    here.talk.wait_for_open(False)
    here.send()
    assert len(here.talk.made) == 2
    assert here.mails.abort_stalled(0.0) == 0


def test_nothing_is_sent_by_a_worker_that_may_not(here: Here) -> None:
    def is_away(_: Parcel) -> bool:
        raise StoreUnavailable("It does not answer.")

    for departs in (is_away, lambda _: False):
        here.departs = departs
        outcome = deferred(here.send())
        assert (outcome.cause, outcome.in_doubt) == (Cause.SURPRISE, False)
        assert "DATA" not in here.talk.made[-1].steps
        here.talk.wait_for_open(*[False] * len(here.talk.made))


# probes


@pytest.mark.parametrize(
    ("step", "said", "cause", "detail"),
    [
        ("NOOP", "250 fine", None, ""),
        ("NOOP", "421 no", Cause.MASTER_DOWN, "The mail server answered 421."),
        ("open", "554 no", Cause.MASTER_DOWN, "The mail server answered 554."),
        ("NOOP", Cut.RESET, Cause.RESET, "The connection to the mail server was cut. "),
    ],
)
def test_a_probe_tells_what_is_wrong_and_leaves_nothing_open(
    here: Here, step: str, said: Said, cause: Cause | None, detail: str
) -> None:
    here.talk.says[step] = said
    found = here.mails.probe()
    assert (found.cause, found.duration_s) == (cause, 0.0)
    assert found.detail.startswith(detail)
    here.talk.wait_for_open(False)


def test_a_probe_tells_that_nothing_listens(talk: Talk, opened: Callable[..., Here]) -> None:
    with socket.socket() as dead:
        dead.bind((HOST, 0))
        here = Here(talk, dead.getsockname()[1])
        found = here.mails.probe()
        here.mails.close()
    assert found.cause is Cause.REFUSED
    assert found.detail.startswith("Nothing listens at the mail server's address. ")


# what is for the office


def message(subject: str) -> Parcel:
    said = {"event": "bushy", "subject": subject, "text": "Hello."}
    made = KINDS["messages"].prepare(said, submission="id", submitted_by="bushy", submitted_at=NOW)
    return Parcel("messages", "id", "", "2013-12-07", made.body, made.digest, None, in_doubt=True)


def test_a_message_goes_to_the_office_where_it_has_an_address(talk: Talk, opened: Callable[..., Here]) -> None:
    here = opened()
    assert here.mails.send(message("Ice")) == server._given_up("no-office")
    here = opened(office="office@results.example")
    assert isinstance(here.mails.send(message("x" * SUBJECT_MOST)), Accepted), "twice is better than never"
    talk.says["verdict"] = "550 no"
    assert deferred(here.mails.send(message("Ice"))).cause is Cause.LATER
