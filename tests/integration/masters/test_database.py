"""Straight into a PostgreSQL that is behind a bad network: bounded, exactly once, and truly told."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from resultsq.clock import SystemClock
from resultsq.delivery.masters import open_master
from resultsq.delivery.masters.database import DatabaseMaster
from resultsq.delivery.masters.dial import Address
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.domain.errors import SettingsError
from resultsq.domain.outcome import Accepted, Cause, Deferred, Outcome, Scope, Unauthorised
from tests.integration.masters.far import parcel, through
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until

QUICK = CallTimeouts(probe_s=1.5, receipt_s=1.5, send_s=2.5, slowest_bytes_per_s=1e6)
LATE_S = 8.0  # what a busy machine may add to a limit; without one there would be no end
COMMIT_S = 1.0


@pytest.fixture
def link(postgres_url: str) -> Iterator[Proxy]:
    with Proxy(sa.make_url(postgres_url).port or 0) as link:
        yield link


Opened = Callable[..., DatabaseMaster]


@pytest.fixture
def opened(link: Proxy, postgres_url: str) -> Iterator[Opened]:
    """Opens the master behind the switch; it is closed with the test."""
    masters: list[DatabaseMaster] = []

    def at(url: str | None = None, **options: Any) -> DatabaseMaster:
        master = DatabaseMaster(url or through(link, postgres_url), "token", **{"clock": SystemClock(), **options})
        masters.append(master)
        return master

    yield at
    link.restore()
    for master in masters:
        master.close()


@pytest.fixture
def slow_commit(opened: Opened, postgres_url: str) -> None:
    """Each commit of a sheet takes a while, so that a test can strike in its middle."""
    assert opened().probe().cause is None  # which makes the tables
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_sleep({COMMIT_S}); RETURN NULL; END $$"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON master_sheets "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()"
        )
    engine.dispose()


def committed(url: str) -> list[str]:
    """What is in the database, whoever says what."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        found = list(connection.exec_driver_sql("SELECT submission FROM master_sheets").scalars())
    engine.dispose()
    return found


def during(act: Callable[[], Outcome], strike: Callable[[], object]) -> tuple[Outcome, float]:
    """Strike while the act goes on; its outcome and how long it took."""
    began = time.monotonic()
    striking = threading.Thread(target=strike)
    striking.start()
    outcome = act()
    striking.join()
    return outcome, time.monotonic() - began


def during_the_commit(url: str, act: Callable[[], Outcome], strike: Callable[[], object]) -> Outcome:
    """Strike while the server commits slowly; the act's outcome."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as watching:
        commits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"

        def strike_then() -> None:
            wait_until(lambda: watching.exec_driver_sql(commits).first(), what="a slow commit")
            strike()

        outcome, _ = during(act, strike_then)
    engine.dispose()
    return outcome


@pytest.mark.usefixtures("slow_commit")
def test_a_sheet_is_published_when_the_answer_to_its_commit_was_lost(
    opened: Opened, link: Proxy, postgres_url: str
) -> None:
    master, sent = opened(), parcel()
    outcome = during_the_commit(postgres_url, lambda: master.send(sent), lambda: link.drop_answer(times=1))
    assert isinstance(outcome, Accepted), outcome
    assert outcome.receipt.submission == sent.submission
    assert committed(postgres_url) == [sent.submission]


@pytest.mark.usefixtures("slow_commit")
def test_another_sheet_under_the_id_is_no_answer_when_that_to_the_commit_was_lost(
    opened: Opened, link: Proxy, postgres_url: str
) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.digest := 'sha256:' || repeat('0', 64); RETURN NEW; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER other BEFORE INSERT ON master_sheets FOR EACH ROW EXECUTE FUNCTION other()"
        )
    engine.dispose()
    master, sent = opened(), parcel()
    outcome = during_the_commit(postgres_url, lambda: master.send(sent), lambda: link.drop_answer(times=1))
    assert committed(postgres_url) == [sent.submission], "something is there under the id"
    assert isinstance(outcome, Deferred), outcome
    assert outcome.in_doubt


@pytest.mark.usefixtures("slow_commit")
def test_a_sheet_is_there_once_when_its_commit_was_still_at_work(
    opened: Opened, link: Proxy, postgres_url: str
) -> None:
    master, sent = opened(), parcel()
    outcome = during_the_commit(postgres_url, lambda: master.send(sent), link.refuse)
    assert isinstance(outcome, Deferred)
    assert outcome.in_doubt
    link.restore()
    wait_until(lambda: committed(postgres_url), what="the commit")
    again = master.send(replace(sent, in_doubt=True))
    assert isinstance(again, Accepted)
    assert committed(postgres_url) == [sent.submission]


def test_nothing_is_in_doubt_when_no_connection_was_made(
    opened: Opened, free_port: Callable[[], int], postgres_url: str
) -> None:
    gone = sa.make_url(postgres_url).set(port=free_port()).render_as_string(hide_password=False)
    master = opened(gone)
    outcome = master.send(parcel())
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.REFUSED, False)
    assert master.probe().cause is Cause.REFUSED


def test_a_call_ends_in_time_when_an_old_connection_is_silent(opened: Opened, link: Proxy) -> None:
    told: list[float] = []
    assert opened().probe().cause is None  # which makes the tables
    master = opened(limits=QUICK)
    assert isinstance(master.send(parcel("richmond")), Accepted)
    master.on_stalled = lambda: told.append(time.monotonic())
    link.half_open()
    began, connections = time.monotonic(), link.connections
    outcome = master.send(parcel(), patience_s=0.5)
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.NO_ANSWER, False)
    assert time.monotonic() - began < QUICK.send_s + LATE_S
    assert told
    assert link.connections == connections, "a call that is over connects to nobody"
    assert isinstance(master.send(parcel()), Accepted)


def test_a_silent_call_is_given_up_when_a_newer_connection_works(opened: Opened, link: Proxy) -> None:
    master = opened()
    assert isinstance(master.send(parcel("richmond")), Accepted)
    link.half_open()

    def given_up() -> bool:
        began = time.monotonic()
        assert master.probe().cause is None
        return master.abort_stalled(began) == 1

    outcome, took_s = during(lambda: master.send(parcel(), patience_s=0.3), lambda: wait_until(given_up))
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.SILENT
    assert took_s < 0.3 + LATE_S
    assert isinstance(master.send(parcel()), Accepted)


def test_calls_end_in_time_when_the_link_is_a_black_hole(opened: Opened, link: Proxy) -> None:
    assert opened().probe().cause is None  # which makes the tables
    master = opened(limits=QUICK)
    assert isinstance(master.send(parcel("richmond")), Accepted)
    link.hole()
    began = time.monotonic()
    assert isinstance(master.receipt("x"), Deferred)
    assert time.monotonic() - began < QUICK.receipt_s + LATE_S
    answer = master.probe()
    assert answer.cause is Cause.TIMEOUT
    assert answer.duration_s < 2.0 + LATE_S, "two seconds is the driver's shortest wait for a connection"
    link.restore()
    master.refresh()
    assert isinstance(master.send(parcel()), Accepted)


def test_a_call_ends_in_time_when_the_nameserver_is_a_black_hole(opened: Opened, postgres_url: str) -> None:
    answered = threading.Event()

    def hangs(_host: str, _port: int) -> Sequence[Address]:
        answered.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    named = sa.make_url(postgres_url).set(host="master.test").render_as_string(hide_password=False)
    master = opened(named, lookup=hangs, limits=QUICK)
    answer = master.probe()
    answered.set()
    assert answer.cause is Cause.DNS
    assert answer.duration_s < QUICK.probe_s + LATE_S


def test_a_named_database_is_reached_when_one_of_its_addresses_is_dead(
    opened: Opened, link: Proxy, postgres_url: str
) -> None:
    def two(_host: str, _port: int) -> Sequence[Address]:
        return [(socket.AF_INET, ("127.0.0.2", link.port)), (socket.AF_INET, ("127.0.0.1", link.port))]

    named = sa.make_url(postgres_url).set(host="master.test", port=link.port)
    master = opened(named.render_as_string(hide_password=False), lookup=two)
    assert isinstance(master.send(parcel()), Accepted)


def test_the_destination_waits_when_the_database_does_not_let_us_write(opened: Opened, postgres_url: str) -> None:
    assert opened().probe().cause is None
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS reader")
        connection.exec_driver_sql("CREATE ROLE reader LOGIN")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    as_reader = sa.make_url(postgres_url).set(username="reader").render_as_string(hide_password=False)
    outcome = opened(as_reader).send(parcel())
    assert isinstance(outcome, Unauthorised)
    assert outcome.scope is Scope.DESTINATION
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP OWNED BY reader")
        connection.exec_driver_sql("DROP ROLE reader")
    engine.dispose()


def test_the_cause_is_the_database_when_it_is_not_there(opened: Opened, postgres_url: str) -> None:
    other = sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    assert opened(other).probe().cause is Cause.DATABASE


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://master",
        "https://",
        "http://a:b@host",
        "http://host:99999",
        "http://host/?token=x",
        "postgresql+asyncpg://host/db",
        "postgresql+pg8000://host/db",
        "postgresql://host:port/db",
        "sqlite+aiosqlite:///x",
    ],
)
def test_a_url_is_refused_when_no_make_takes_it(url: str) -> None:
    with pytest.raises(SettingsError):
        open_master(url, "token", clock=SystemClock())
