"""A message goes to the office by mail where the master has no call for messages: once, and nothing is lost."""

import uuid
from collections.abc import Callable
from email import message_from_string, policy
from email.message import EmailMessage

import pytest

from resultsq.clock import SystemClock
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS
from resultsq.store import outbox
from resultsq.store.engine.tables import MAIL
from tests.support.office import Office, office
from tests.support.relays import Relay
from tests.support.services import HOST
from tests.support.waiting import wait_until

OFFICE = "office@results.example"


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


def write(relay: Relay, text: str = "Position 7 is A123.") -> str:
    """A message that the node has accepted; its id."""
    now = SystemClock().now()
    made = KINDS["messages"].prepare(
        {"event": "bushy", "subject": "A late barcode", "text": text},
        submission=str(uuid.uuid4()),
        submitted_by="team",
        submitted_at=now,
    )
    return relay.database.write(lambda conn: outbox.accept(conn, now, made).id)


def by_mail(port: int) -> dict[str, str]:
    return {"SMTP_URL": f"smtp://{HOST}:{port}", "ALERT_MAIL_FROM": "node@results.example", "OFFICE_MAIL": OFFICE}


def wait_until_is(relay: Relay, submission: str, state: State) -> None:
    wait_until(lambda: relay.node.state(submission) is state, 30, state)


def read(there: Office) -> list[tuple[str, str, str]]:
    """Subject, Message-ID and text of each mail."""
    mails = [message_from_string(text, policy=policy.default) for text, _ in there.mails]
    return [(one["Subject"], one["Message-ID"], _text(one)) for one in mails]


def _text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    text: str = part.get_content()
    return text


def test_a_message_goes_by_mail_where_the_master_has_no_call_for_it(relay: Relay, port: int) -> None:
    sent = write(relay)
    (sheet,) = relay.accept()
    with office(port) as there, relay.worker(**by_mail(port)):
        wait_until_is(relay, sent, State.PUBLISHED)
        wait_until_is(relay, sheet, State.PUBLISHED)
    ((subject, name, text),) = read(there)
    assert there.recipients == [OFFICE]
    assert (subject, name) == ("bushy: A late barcode", f"<{sent}@results.example>")
    assert "Position 7 is A123." in text
    assert "Written by team." in text
    assert relay.node.row(sent).destination == MAIL


def test_a_message_waits_for_the_mail_server_and_is_sent_once(relay: Relay, port: int) -> None:
    sent = write(relay)
    with relay.worker(**by_mail(port)):
        wait_until(lambda: relay.node.row(sent).destination == MAIL, 30, "it waits for the mail server")
        assert relay.node.state(sent) is State.QUEUED
        with office(port) as there:
            wait_until_is(relay, sent, State.PUBLISHED)
    assert len(there.mails) == 1


def test_a_message_stays_when_the_way_to_the_master_is_cut(relay: Relay, port: int) -> None:
    relay.proxy.refuse()
    sent = write(relay)
    with office(port) as there, relay.worker(**by_mail(port)):
        relay.wait_for_link("down")
        assert (relay.node.state(sent), there.mails) == (State.QUEUED, [])
        relay.proxy.restore()
        wait_until_is(relay, sent, State.PUBLISHED)
    assert len(there.mails) == 1


def test_the_refusal_says_why_when_no_address_of_the_office_is_set(relay: Relay) -> None:
    sent = write(relay)
    with relay.worker():
        wait_until_is(relay, sent, State.REJECTED)
    row = relay.node.row(sent)
    assert (row.cause, row.detail) == ("no-such-call", "The master has no call for this.")
