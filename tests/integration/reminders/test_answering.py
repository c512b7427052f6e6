"""A worker answers reminders: by a mail where it knows the athlete, by the master where it does not, and only once."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from resultsq.app import reminders as app
from resultsq.domain.errors import NotAllowed
from resultsq.domain.isolates import END, START
from resultsq.sealed import PersonalKeys
from resultsq.store.admin import reminders
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import ReminderRequest
from tests.integration.reminders.conftest import FAMILY, JANE, STRANGER, Reminding
from tests.integration.store.test_plans import analyse, explain, heard
from tests.support.nodes import NOW


def test_a_known_address_is_mailed_the_name_the_number_and_a_link(node: Reminding) -> None:
    node.ask("  Jane@Example.ORG".strip())
    assert node.queued() == []
    assert node.work()
    ((kind, mail),) = node.queued()
    assert kind == "mails"
    assert (mail["address"], mail["account"], mail["barcodes"]) == ("Jane@Example.ORG", None, ["A1234567"])
    assert "Jane SMITH: A1234567" in mail["text"]
    assert "Names are as of 12:05 UTC on 7 December 2013." in mail["text"]
    assert re.search(r"https://node\.example/card/[\w-]{43}\n", mail["text"])
    assert mail["expires_at"] == "2013-12-08T00:05:00Z"
    assert mail["repeat"] is False
    assert not node.work()


def test_a_family_gets_one_mail_with_a_link_for_each(node: Reminding) -> None:
    node.ask(FAMILY)
    node.work()
    ((_, mail),) = node.queued()
    assert mail["barcodes"] == ["A101", "A102"]
    links = re.findall(r"/card/([\w-]+)", mail["text"])
    opened = [node.database.write(partial(reminders.use_link, now=NOW, secret=one)) for one in links]
    assert opened == ["A101", "A102"]


@pytest.mark.parametrize(
    "without",
    [{"athletes_mail_key": ""}, {"smtp_url": ""}, {}],
    ids=["no key", "no mail server", "unknown address"],
)
def test_what_this_node_cannot_answer_goes_to_the_master(
    sealing: Database, node: Reminding, tmp_path: Path, without: dict[str, str]
) -> None:
    asked = Reminding(sealing, tmp_path, **without)
    asked.ask(JANE if without else STRANGER)
    asked.work()
    ((kind, said),) = asked.queued()
    assert kind == "reminders"
    assert len(said.pop("salt")) == 32
    assert said == {
        "schema": "resultsq.reminder/1",
        "submitted_at": "2013-12-07T12:05:00Z",
        "email": JANE if without else STRANGER,
        "expires_at": "2013-12-08T00:05:00Z",
    }


def test_a_node_without_a_master_forgets_what_it_cannot_answer(sealing: Database, tmp_path: Path) -> None:
    alone = Reminding(sealing, tmp_path, master_url="")
    alone.ask(STRANGER)
    alone.work()
    assert alone.queued() == []
    assert not alone.work()


@pytest.mark.parametrize("address", [JANE, STRANGER])
def test_neither_an_address_nor_a_secret_lies_in_the_database_in_clear(node: Reminding, address: str) -> None:
    node.ask(address)
    assert address not in node.everything()
    assert all(one.sealed is not None for one in node.kept())
    node.work()
    assert all(one.sealed is None for one in node.kept())
    ((_, said),) = node.queued()
    secrets = re.findall(r"/card/([\w-]+)", said.get("text", ""))
    for text in (address, "SMITH", *secrets):
        assert text not in node.everything()


def test_the_page_does_the_same_whether_or_not_the_address_is_known(node: Reminding) -> None:
    done = []
    for address in (JANE, STRANGER):
        with heard(node.database, r"\w+") as statements:
            node.ask(address)
        done.append([statement for statement, _ in statements])
    assert done[0] == done[1] != []
    assert not any("athletes" in statement for statement in done[0])


def test_one_address_is_answered_three_times_a_day(node: Reminding) -> None:
    for _ in range(5):
        node.ask(JANE)
    node.ask(JANE.upper())
    node.work()
    assert len(node.queued()) == reminders.MOST_OF_AN_ADDRESS
    node.ask(FAMILY)
    node.work()
    assert len(node.queued()) == reminders.MOST_OF_AN_ADDRESS + 1
    node.clock.advance(reminders.COUNTED.total_seconds() + 1)
    node.ask(JANE)
    node.work()
    assert len(node.queued()) == reminders.MOST_OF_AN_ADDRESS + 2


def test_a_flood_does_not_fill_the_disk(node: Reminding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "MOST_WAITING", 3)
    for n in range(3):
        node.ask(f"runner{n}@example.org")
    with pytest.raises(NotAllowed, match="Try again in an hour"):
        node.ask(JANE)
    node.work()
    node.ask(JANE)


def test_a_request_is_of_no_use_after_half_a_day(node: Reminding) -> None:
    node.ask(JANE)
    node.clock.advance(app.OF_USE.total_seconds())
    node.work()
    assert node.queued() == []
    assert all(one.sealed is None for one in node.kept())


def test_several_workers_answer_each_request_once(node: Reminding) -> None:
    for address in (JANE, FAMILY, STRANGER):
        node.ask(address)
    start = threading.Barrier(4)

    def work(_: int) -> None:
        start.wait(60)
        app.answer(node.settings, node.database, node.clock)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(kind for kind, _ in node.queued()) == ["mails", "mails", "reminders"]


def test_a_request_that_no_key_opens_holds_no_other_up(sealing: Database, node: Reminding, tmp_path: Path) -> None:
    with_another = Database(
        sealing.engine.url.render_as_string(hide_password=False), lambda: PersonalKeys.of([b"x" * 32])
    )
    Reminding(with_another, tmp_path).ask(JANE)
    with_another.close()
    node.ask(FAMILY)
    node.work()
    ((_, mail),) = node.queued()
    assert mail["address"] == FAMILY
    assert not node.work()


@pytest.mark.parametrize(
    ("page", "written_in", "subject"),
    [
        ("de", "de", "Dein Barcode"),
        ("xx", "en", "Your barcode"),  # one that this version does not speak
    ],
)
def test_the_mail_is_in_the_language_of_the_page(node: Reminding, page: str, written_in: str, subject: str) -> None:
    node.ask(JANE, page)
    node.work()
    ((_, mail),) = node.queued()
    assert (mail["language"], mail["subject"]) == (written_in, subject)
    assert "Jane SMITH: A1234567\n" in mail["text"]


def test_a_name_and_its_number_are_set_apart_in_a_mail_from_right_to_left(node: Reminding) -> None:
    node.ask(JANE, "ar")
    node.work()
    ((_, mail),) = node.queued()
    assert f"{START}Jane SMITH{END}: {START}A1234567{END}\nhttp" in mail["text"], "an address stands alone"


# links


def test_a_link_opens_once_however_many_try_at_once(node: Reminding) -> None:
    secret = node.database.write(lambda conn: reminders.add_link(conn, NOW, "A1234567"))
    start = threading.Barrier(8)

    def use(_: int) -> str | None:
        start.wait(60)
        return node.database.write(lambda conn: reminders.use_link(conn, NOW, secret))

    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(use, range(8)))
    assert sorted(filter(None, opened)) == ["A1234567"]


def test_a_link_opens_nothing_after_two_days(node: Reminding) -> None:
    secret = node.database.write(lambda conn: reminders.add_link(conn, NOW, "A1"))
    late = NOW + reminders.LINK_LIFE
    assert node.database.write(lambda conn: reminders.use_link(conn, late, secret)) is None
    assert node.database.write(lambda conn: reminders.use_link(conn, late - timedelta(seconds=1), secret)) == "A1"


def test_what_is_over_is_forgotten(node: Reminding) -> None:
    node.ask(JANE)
    node.work()
    node.clock.advance(reminders.COUNTED.total_seconds() + 1)
    assert node.work()
    assert node.kept() == []
    node.clock.advance(reminders.LINK_LIFE.total_seconds())
    assert node.work()
    assert not node.work()


def test_each_statement_goes_by_an_index_however_many_were_asked_for(node: Reminding) -> None:
    made = [
        {"id": f"{n}", "mark": n.to_bytes(32), "asked_at": NOW + timedelta(seconds=n), "language": "en", "sealed": None}
        for n in range(10_000)
    ]
    node.database.write(lambda conn: conn.execute(insert(ReminderRequest), made))
    analyse(node.database)
    later = NOW + timedelta(days=1)
    reads: list[Callable[[Connection], object]] = [
        lambda conn: reminders.is_due(conn, later),
        lambda conn: reminders.waiting(conn, 50),
    ]
    with heard(node.database, "reminder_requests|profile_links") as statements:
        with node.database.read() as conn:
            for read in reads:
                read(conn)
        node.ask(JANE)
        node.database.write(lambda conn: reminders.use_link(conn, NOW, "x"))
    assert len(statements) > len(reads)
    whole = re.compile(r"SCAN (reminder_requests|profile_links)\b(?! USING)|Seq Scan on reminder_requests")
    for statement in statements:
        plan = explain(node.database, statement, "EXPLAIN QUERY PLAN" if node.database.is_sqlite else "EXPLAIN")
        assert not [line for line in plan if whole.search(line)], plan
