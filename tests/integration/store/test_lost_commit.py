"""PostgreSQL commits, and its answer is lost: nobody may say that nothing was stored, and no lease may be forgotten."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import event, update
from sqlalchemy.engine import make_url

from resultsq.clock import SystemClock
from resultsq.delivery.app import Delivery
from resultsq.domain.errors import StoreUnavailable, StoreUnsure
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from tests.support.nodes import StoreNode
from tests.support.proxy import Proxy
from tests.support.relays import Relay
from tests.support.services import PostgreSQL
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long


@pytest.fixture
def line(postgresql: PostgreSQL) -> Iterator[Proxy]:
    """The way to the database."""
    with Proxy(postgresql.port) as proxy:
        yield proxy


def behind(line: Proxy, url: str) -> Database:
    """The same database, by that way."""
    return Database(make_url(url).set(port=line.port).render_as_string(hide_password=False))


@contextmanager
def losing(database: Database, line: Proxy, table: str) -> Iterator[list[str]]:
    """The answer to the first COMMIT after something was inserted into that table is lost. Then the list has it."""
    inserted: list[Any] = []
    lost: list[str] = []

    def watch(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(f"INSERT INTO {table} ") and not lost:
            inserted.append(conn)

    def commit(conn: Any) -> None:
        if conn in inserted and not lost:
            lost.append(table)
            line.drop_answer(times=1)

    event.listen(database.engine, "before_cursor_execute", watch)
    event.listen(database.engine, "commit", commit)
    yield lost


def test_nobody_says_that_nothing_was_stored_when_the_answer_to_the_commit_is_lost(
    postgres_store: Database, line: Proxy
) -> None:
    node = StoreNode(postgres_store)
    url = postgres_store.url.render_as_string(hide_password=False)
    made = node.entry()
    again = node.entry()
    with closing(behind(line, url)) as database, losing(database, line, "payloads") as lost:
        with pytest.raises(StoreUnsure, match="may or may not be stored"):
            database.write(lambda conn: outbox.accept(conn, node.now, made))
        assert lost
        assert node.state(made.id) is State.QUEUED, "it was"
        found = database.write(lambda conn: outbox.accept(conn, node.now, again))
        assert (found.id, found.created) == (made.id, False)


def test_nothing_was_stored_when_the_connection_was_lost_before_the_commit(
    postgres_store: Database, line: Proxy
) -> None:
    node = StoreNode(postgres_store)
    made = node.entry()

    def cut(conn: Any) -> None:
        outbox.accept(conn, node.now, made)
        line.drop_answer(times=1)
        conn.exec_driver_sql("SELECT 1")

    url = postgres_store.url.render_as_string(hide_password=False)
    with closing(behind(line, url)) as database, pytest.raises(StoreUnavailable, match="nothing was stored"):
        database.write(cut)
    assert node.count() == 0


def test_what_was_leased_goes_at_once_when_the_answer_to_the_commit_is_lost(postgres_relay: Relay, line: Proxy) -> None:
    relay = postgres_relay
    ids = relay.accept(2)
    database = behind(line, relay.url)
    with closing(database), losing(database, line, "attempts") as lost:
        delivery = Delivery(relay.settings(), database, SystemClock(), "w1")
        delivery.start()
        try:
            wait_until(lambda: lost, what="a lost COMMIT")
            took_s = relay.wait_until_published(2)
        finally:
            delivery.stop()
    assert took_s < 10, "a lease runs for 25 s"
    assert [(one.outcome, one.number) for name in ids for one in relay.node.attempts(name)] == [("accepted", 1)] * 2
    assert len(relay.puts()) == 2
    relay.assert_all_there_once(ids)


def test_what_is_being_sent_stays_with_its_sender_when_the_answer_to_a_commit_is_lost(
    postgres_relay: Relay, line: Proxy
) -> None:
    relay = postgres_relay
    relay.master.settings(delay=4.0)
    ids = relay.accept(2)
    known_as_slow = update(Submission).values(silences=4)  # nothing is given up for silence
    relay.database.write(lambda conn: conn.execute(known_as_slow))
    relay.node.act("hold", ids[1])
    database = behind(line, relay.url)
    with closing(database):
        delivery = Delivery(relay.settings(), database, SystemClock(), "w1")
        delivery.start()
        try:
            wait_until(relay.puts, 30, "one that is being sent")
            with losing(database, line, "attempts") as lost:
                relay.node.act("release", ids[1])
                wait_until(lambda: lost, 30, "a lost COMMIT")
            relay.wait_until_published(2)
        finally:
            delivery.stop()
    assert [one.number for name in ids for one in relay.node.attempts(name)] == [1, 1]
    assert len(relay.puts()) == 2
    relay.assert_all_there_once(ids)
