"""Teams are mailed about their submissions: each thing once, at the addresses of their accounts, and no longer than
they like."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from resultsq.app import team_mails
from resultsq.delivery.mail.letter import Sender, write
from resultsq.domain.isolates import END, START
from resultsq.domain.role import Role
from resultsq.kinds.mails.kind import Mail
from resultsq.settings import Settings
from resultsq.store.admin import accounts, addresses
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MAIL, Event, Payload, Submission
from tests.integration.store.test_plans import WHOLE, explain, fill, heard
from tests.support.manual_clock import ManualClock
from tests.support.nodes import StoreNode, moved, rejected

ADDRESS = "jane@bushy.example"


class Told:
    """A node with a mail server, and what it mails to teams."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.node = StoreNode(database)
        self.node.probe()
        self.settings = Settings(data_dir=folder, smtp_url="smtp://127.0.0.1:9", public_url="https://node.example")
        for name, events in (("bushy", ["bushy"]), ("both", ["bushy", "richmond"]), ("silent", ["bushy"])):
            self.account(name, events)
        self.address("bushy", ADDRESS)

    def account(self, name: str, events: list[str]) -> None:
        self.node.database.write(
            lambda conn: accounts.add(conn, self.node.now, name, accounts.UNUSABLE, Role.TEAM, events)
        )

    def address(self, account: str, address: str | None) -> None:
        assert self.node.database.write(lambda conn: addresses.set_mail(conn, account, address))

    def look(self) -> list[dict[str, Any]]:
        """What is mailed now that was not before."""
        before = len(self.mails())
        for _ in range(2):
            team_mails.tell_teams(self.settings, self.node.database, ManualClock(self.node.now))
        return self.mails()[before:]

    def mails(self) -> list[dict[str, Any]]:
        with self.node.database.read() as conn:
            query = select(Payload.body).join(Submission, Submission.seq == Payload.seq).order_by(Payload.seq)
            return [json.loads(body) for body in conn.execute(query.where(Submission.destination == MAIL)).scalars()]


@pytest.fixture
def told(store: Database, tmp_path: Path) -> Told:
    return Told(store, tmp_path)


def test_a_team_is_mailed_once_when_its_results_are_published(told: Told) -> None:
    sent = told.node.accept().id
    assert told.look() == []
    told.node.publish_one()
    (mail,) = told.look()
    assert mail["subject"] == "bushy, 7 December 2013: published"
    assert "Published at 12:05 (Europe/London), revision 1." in mail["text"]
    assert f"https://node.example/submissions/{sent}" in mail["text"]
    assert (mail["account"], mail["address"], mail["notice"], mail["repeat"]) == ("bushy", None, True, False)
    assert mail["expires_at"] == "2013-12-08T00:05:00Z"
    told.node.pass_time(3600)
    assert told.look() == []


@pytest.mark.parametrize(("outcome", "words"), [(rejected, "how to correct it"), (lambda: moved("x", 3), "decides")])
def test_a_team_is_mailed_when_its_results_need_a_person(told: Told, outcome: Callable[[], Any], words: str) -> None:
    told.node.accept()
    told.node.try_one(outcome())
    (mail,) = told.look()
    assert words in mail["text"]


def test_a_team_is_mailed_that_it_still_waits_and_later_that_it_is_published(told: Told) -> None:
    told.node.accept()
    told.node.pass_time(29 * 60)
    assert told.look() == []
    told.node.pass_time(60)
    (mail,) = told.look()
    assert mail["subject"].endswith("still waiting")
    assert "You don't need to do anything." in mail["text"]
    told.node.publish_one()
    (mail,) = told.look()
    assert mail["subject"].endswith("published")


def test_every_account_of_the_event_with_an_address_is_mailed_and_no_other(told: Told) -> None:
    told.address("both", "both@parks.example")
    told.node.accept("bushy")
    told.node.publish_one()
    assert [mail["account"] for mail in told.look()] == ["both", "bushy"]
    told.node.accept("richmond")
    told.node.publish_one()
    assert [mail["account"] for mail in told.look()] == ["both"]
    told.node.accept("wimbledon")
    told.node.publish_one()
    assert told.look() == []


def test_a_mail_is_in_its_readers_language_or_the_events_all_of_it(told: Told) -> None:
    told.address("both", "both@parks.example")
    told.node.accept()
    told.node.publish_one()

    def choose(conn: Connection) -> None:
        accounts.set_language(conn, "both", "ar")
        conn.execute(update(Event).values(language="fr"))

    told.node.database.write(choose)
    mails = {mail["account"]: mail for mail in told.look()}
    assert {account: mail["language"] for account, mail in mails.items()} == {"both": "ar", "bushy": "fr"}
    assert mails["bushy"]["subject"] == "bushy, 7 décembre 2013\xa0: publié"
    letter = write(Mail.model_validate(mails["both"]), "1", "both@parks.example", Sender("node@parks.example"))
    assert b'<html lang=3D"ar" dir=3D"rtl">' in letter
    assert f"{START}bushy{END}" in mails["both"]["subject"], "a name among Arabic words is set apart"
    assert "\nhttps://node.example/submissions/" in mails["both"]["text"], "and an address stands alone"
    assert not set(START + END) & set(mails["bushy"]["subject"] + mails["bushy"]["text"])


def test_what_happened_long_ago_is_not_mailed_when_an_address_is_set(told: Told) -> None:
    told.address("bushy", None)
    told.node.accept()
    told.node.publish_one()
    told.node.pass_time(2 * 3600)
    told.address("bushy", ADDRESS)
    assert told.look() == []


def test_no_team_is_mailed_when_no_mail_server_is_set(told: Told) -> None:
    told.settings = Settings(data_dir=told.settings.data_dir)
    told.node.accept()
    told.node.publish_one()
    assert told.look() == []


def test_an_address_that_unsubscribed_or_bounced_is_mailed_again_when_it_is_set_anew(told: Told) -> None:
    database, now = told.node.database, told.node.now
    with database.read() as conn:
        secret = addresses.unsubscribe_secret(conn, "bushy") or ""
    assert not database.write(lambda conn: addresses.unsubscribe(conn, now, "another"))
    assert database.write(lambda conn: addresses.unsubscribe(conn, now, secret))
    assert suppressed(told, notice=True)
    assert not suppressed(told, notice=False)
    told.address("bushy", ADDRESS)
    assert not suppressed(told, notice=True)
    database.write(lambda conn: addresses.suppress(conn, now, ADDRESS, addresses.BOUNCED))
    database.write(lambda conn: addresses.suppress(conn, now, ADDRESS, addresses.UNSUBSCRIBED))
    assert suppressed(told, notice=False)


def suppressed(told: Told, notice: bool) -> bool:
    with told.node.database.read() as conn:
        return addresses.is_suppressed(conn, ADDRESS, notice)


def test_what_a_team_was_told_is_forgotten_after_some_days(told: Told) -> None:
    told.node.accept()
    told.node.publish_one()
    told.look()
    told.node.now += timedelta(days=8)
    told.look()
    with told.node.database.read() as conn:
        assert conn.exec_driver_sql("SELECT COUNT(*) FROM team_mails").scalar() == 0


def test_what_is_told_is_found_by_an_index_however_many_wait(told: Told) -> None:
    fill(told.node, 10_000)
    told.node.pass_time(86_400)
    with heard(told.node.database) as statements:
        assert told.look() == []
    found = [one for one in statements if "team_mails" in one[0] and "SELECT" in one[0]]
    assert len(found) >= 6
    for statement in found[:3]:
        how = "EXPLAIN QUERY PLAN" if told.node.database.is_sqlite else "EXPLAIN"
        plan = "\n".join(explain(told.node.database, statement, how))
        assert re.search("ix_submissions_(published_at|destination|accepted_at|ceased|state_seq)", plan), plan
        assert not WHOLE.search(plan), plan
