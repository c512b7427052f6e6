"""What each answer of a mail server means at each step, and which connections are used again: without a server."""

import json
import smtplib
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from resultsq.delivery.mail import server
from resultsq.delivery.mail.letter import Sender
from resultsq.delivery.mail.server import MailServer
from resultsq.delivery.mail.session import Answered, SmtpAddress
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.outcome import Accepted, Cause, Deferred, Outcome, Rejected, Scope, Unauthorised
from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import digest
from resultsq.kinds.mails.kind import SUBJECT_MOST
from resultsq.kinds.registry import KINDS
from tests.support.manual_clock import ManualClock

NOW = datetime(2013, 12, 7, 12, 4, tzinfo=UTC)
TO = "team@bushy.example"
Said = tuple[int, bytes] | Exception
FINE: dict[str, Said] = {
    "open": (220, b""),
    "login": (235, b""),
    "RSET": (250, b""),
    "MAIL": (250, b""),
    "RCPT": (250, b""),
    "DATA": (354, b""),
    "content": (250, b""),
    "verdict": (250, b"taken as 7"),
    "NOOP": (250, b""),
}


class Talk:
    """What the server says at each step, and the connections that were made."""

    def __init__(self) -> None:
        self.says: dict[str, Said] = dict(FINE)
        self.made: list[Conversation] = []

    def at(self, step: str) -> tuple[int, bytes]:
        said = self.says[step]
        if isinstance(said, Exception):
            raise said
        if said[0] != FINE[step][0]:  # type: ignore[index]
            raise Answered(*said)
        return said


class Conversation:
    """One connection to it, in place of a session over a socket."""

    talk: Talk

    def __init__(self, *_: object) -> None:
        self.talk.at("open")
        self.rested_since = 0.0
        self.steps: list[str] = []
        self.is_open = True
        self.talk.made.append(self)

    def _step(self, name: str) -> tuple[int, bytes]:
        assert self.is_open
        self.steps.append(name)
        return self.talk.at(name)

    def use(self, _call: object) -> None:
        self._step("RSET")

    def command(self, line: str, *good: int) -> tuple[int, bytes]:
        return self._step(line.partition(" ")[0])

    def content(self, letter: bytes) -> None:
        self._step("content")

    def verdict(self) -> tuple[int, bytes]:
        return self._step("verdict")

    def noop(self) -> None:
        self._step("NOOP")

    def log_in(self) -> None:
        self._step("login")

    def quit(self) -> None:
        self.close()

    def close(self) -> None:
        self.is_open = False


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

    def __init__(self, talk: Talk, user: str = "", office: str = "") -> None:
        self.talk, self.book, self.clock = talk, Book(), ManualClock(NOW, monotonic=1000.0)
        self.departs: Callable[[Parcel], bool] = lambda _: True
        address = SmtpAddress("mail.test", 25, tls=False, user=user, password="word" if user else "")
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
def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    made = Talk()
    monkeypatch.setattr(Conversation, "talk", made, raising=False)
    monkeypatch.setattr(server, "Session", Conversation)
    monkeypatch.setattr(ssl, "create_default_context", lambda: None)  # reading the authorities takes its time
    return made


@pytest.fixture
def here(talk: Talk) -> Iterator[Here]:
    made = Here(talk)
    yield made
    made.mails.close()


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
    here.talk.says[step] = (code, b"no")
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
    here.talk.says["open"] = (code, b"no")
    outcome = deferred(here.send())
    assert (outcome.cause, outcome.in_doubt) == (Cause.MASTER_DOWN, False)


@pytest.mark.parametrize(("code", "is_refused"), [(421, False), (454, False), (500, True), (535, True)])
def test_credentials_are_refused_from_five_hundred_on(talk: Talk, code: int, is_refused: bool) -> None:
    here = Here(talk, user="me")
    talk.says["login"] = (code, b"no")
    outcome = here.send()
    if is_refused:
        assert isinstance(outcome, Unauthorised)
        assert outcome.scope is Scope.DESTINATION
    else:
        assert (deferred(outcome).cause, deferred(outcome).in_doubt) == (Cause.MASTER_DOWN, False)
    assert not talk.made[0].is_open
    here.mails.close()


def test_credentials_are_given_where_there_are_any(talk: Talk, here: Here) -> None:
    here.send()
    assert "login" not in talk.made[0].steps
    other = Here(talk, user="me")
    assert isinstance(other.send(), Accepted)
    assert talk.made[1].steps[:2] == ["login", "MAIL"]
    other.mails.close()


LOST: list[Exception] = [ConnectionResetError("cut"), smtplib.SMTPServerDisconnected("gone"), TimeoutError()]


@pytest.mark.parametrize("error", LOST)
@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("step", [*STEPS, "open", "content"])
def test_a_mail_may_have_been_sent_once_its_content_has_left(
    here: Here, step: str, repeat: bool, error: Exception
) -> None:
    here.talk.says[step] = error
    outcome = here.send(repeat=repeat)
    if step == "verdict" and not repeat:
        assert isinstance(outcome, Rejected)
        assert outcome.code == "perhaps-sent"
    else:
        assert deferred(outcome).in_doubt is (step == "verdict")
    assert not any(one.is_open for one in here.talk.made)


@pytest.mark.parametrize("text", ["5.1.1 no such user", "user unknown (5.1.10)"])
def test_an_address_that_there_is_not_is_noted(here: Here, text: str) -> None:
    here.talk.says["RCPT"] = (550, text.encode())
    here.send()
    assert here.book.bounced == [TO]
    here.book.bounced.clear()
    here.send(repeat=True)
    assert here.book.bounced == [], "it is tried again"


def test_what_a_server_says_is_shown_in_part_and_without_the_address(here: Here) -> None:
    here.talk.says["RCPT"] = (550, f"<{TO.upper()}> ".encode() + b"x" * 1000)
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
    assert [one.is_open for one in here.talk.made] == [False, True][-made:]


# connections


@pytest.mark.parametrize(("code", "made"), [(450, 1), (550, 1), (421, 2)])
def test_a_connection_is_used_again_after_a_refusal_that_is_not_its_end(here: Here, code: int, made: int) -> None:
    here.talk.says["RCPT"] = (code, b"no")
    here.send()
    here.talk.says = dict(FINE)
    assert isinstance(here.send(), Accepted)
    assert len(here.talk.made) == made


@pytest.mark.parametrize("said", [(451, b"no"), ConnectionResetError("cut"), smtplib.SMTPServerDisconnected("gone")])
def test_a_rested_connection_that_is_of_no_use_gives_way_to_a_new_one(here: Here, said: Said) -> None:
    here.send()
    here.talk.says["RSET"] = said
    assert isinstance(here.send(), Accepted)
    assert [one.is_open for one in here.talk.made] == [False, True]


def test_connections_that_rest_are_closed_when_it_is_told(here: Here) -> None:
    here.send()
    here.mails.refresh()
    assert not here.talk.made[0].is_open
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
        assert not here.talk.made[-1].is_open


# probes


@pytest.mark.parametrize(
    ("step", "said", "cause", "detail"),
    [
        ("NOOP", (250, b""), None, ""),
        ("NOOP", (421, b"no"), Cause.MASTER_DOWN, "The mail server answered 421."),
        ("open", (554, b"no"), Cause.MASTER_DOWN, "The mail server answered 554."),
        ("open", ConnectionRefusedError("no"), Cause.REFUSED, "Nothing listens at the mail server's address. "),
        ("NOOP", ConnectionResetError("no"), Cause.RESET, "The connection to the mail server was cut. "),
    ],
)
def test_a_probe_tells_what_is_wrong_and_leaves_nothing_open(
    here: Here, step: str, said: Said, cause: Cause | None, detail: str
) -> None:
    here.talk.says[step] = said
    found = here.mails.probe()
    assert (found.cause, found.duration_s) == (cause, 0.0)
    assert found.detail.startswith(detail)
    assert not any(one.is_open for one in here.talk.made)


# what is for the office


def message(subject: str) -> Parcel:
    said = {"event": "bushy", "subject": subject, "text": "Hello."}
    made = KINDS["messages"].prepare(said, submission="id", submitted_by="bushy", submitted_at=NOW)
    return Parcel("messages", "id", "", "2013-12-07", made.body, made.digest, None, in_doubt=True)


def test_a_message_goes_to_the_office_where_it_has_an_address(talk: Talk) -> None:
    here = Here(talk)
    assert here.mails.send(message("Ice")) == server._given_up("no-office")
    here.mails.close()
    here = Here(talk, office="office@results.example")
    assert isinstance(here.mails.send(message("x" * SUBJECT_MOST)), Accepted), "twice is better than never"
    talk.says["verdict"] = (550, b"no")
    assert deferred(here.mails.send(message("Ice"))).cause is Cause.LATER
    here.mails.close()
