"""The master in its database: where it connects to, and what each failure is taken for."""

import socket
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError

from resultsq.delivery.masters import database
from resultsq.delivery.masters.database import DatabaseMaster
from resultsq.delivery.masters.dial import Address
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.athlete_blocks import LeasedBlock
from resultsq.domain.athletes import ListQuestion
from resultsq.domain.notices import NoticeList
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Rejected
from resultsq.domain.ports import Parcel
from resultsq.domain.sheet import Finisher, Sheet, canonical_bytes, digest
from tests.support.manual_clock import ManualClock, SlowClock

NOW = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)
ID = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c1{}"
Open = Callable[[str], DatabaseMaster]


@pytest.fixture
def opened() -> Iterator[Open]:
    made: list[DatabaseMaster] = []

    def at(url: str, **options: Any) -> DatabaseMaster:
        made.append(DatabaseMaster(url, "token", **{"clock": ManualClock(NOW, 1000.0), **options}))
        return made[-1]

    yield at
    for master in made:
        master.close()


@pytest.fixture
def away(opened: Open, tmp_path: Path) -> DatabaseMaster:
    """A master whose file is in a folder that there is not."""
    return opened(f"sqlite:///{tmp_path / 'nowhere' / 'master.db'}")


@pytest.fixture
def master(opened: Open, tmp_path: Path) -> DatabaseMaster:
    return opened(f"sqlite:///{tmp_path / 'master.db'}")


def parcel(number: int = 1, rows: int = 1, **changes: Any) -> Parcel:
    finishers = tuple(Finisher(position=n, athlete=None, time="00:20:00") for n in range(1, rows + 1))
    made = Sheet(event="bushy", date=NOW.date(), submitted_by="x", submitted_at=NOW, finishers=finishers)
    body = canonical_bytes(made)
    known = {"body": body, "digest": digest(body), "precondition": None}
    return Parcel("results", ID.format(number), "bushy", "2013-12-07", **{**known, **changes})


READS: list[Callable[[DatabaseMaster], object]] = [
    lambda master: master.receipts(None, None, None),
    lambda master: master.athletes(ListQuestion()),
    lambda master: master.notices(""),
    lambda master: master.lease_block("key", 5),
]


@pytest.mark.parametrize("read", READS)
def test_a_list_that_cannot_be_had_puts_nothing_in_doubt(
    away: DatabaseMaster, read: Callable[[DatabaseMaster], object]
) -> None:
    outcome = read(away)
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.DATABASE, False)


def test_a_receipt_that_cannot_be_had_is_a_doubt(away: DatabaseMaster) -> None:
    outcome = away.receipt("id")
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.DATABASE, True)


@pytest.mark.parametrize("in_doubt", [True, False])
def test_a_sheet_of_which_nothing_was_committed_is_in_doubt_only_if_it_was(
    away: DatabaseMaster, in_doubt: bool
) -> None:
    outcome = away.send(parcel(in_doubt=in_doubt))
    assert isinstance(outcome, Deferred)
    assert outcome.in_doubt is in_doubt


@pytest.mark.parametrize("since", ["soon", "2013-12-07T12:00:00"])
def test_a_question_that_makes_no_sense_is_put_off(master: DatabaseMaster, since: str) -> None:
    outcome = master.receipts(since, None, "no cursor")
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.DATABASE, False)


def test_a_probe_says_how_long_it_took(opened: Callable[..., DatabaseMaster], tmp_path: Path) -> None:
    for folder, cause in (("", None), ("nowhere/", Cause.DATABASE)):
        found = opened(f"sqlite:///{tmp_path}/{folder}master.db", clock=SlowClock(NOW, 0.125, 1000.0)).probe()
        assert found.cause is cause
        assert 0.0 < found.duration_s < 10.0


def test_what_the_ledger_says_is_passed_on(master: DatabaseMaster) -> None:
    first = master.send(parcel(1))
    assert isinstance(first, Accepted)
    assert master.send(parcel(1)) == first
    assert master.send(parcel(1, rows=2)) == Rejected("id-reused", "This id was committed before with another sheet.")
    conflict = master.send(parcel(2, rows=2))
    assert conflict == Conflict(ID.format(1), 1, parcel(1).body, first.receipt)


def test_nothing_is_there_where_a_correction_expects_a_version(master: DatabaseMaster) -> None:
    assert master.send(parcel(1, precondition=ID.format(9))) == Conflict(None, None)


def test_bytes_that_are_no_sheet_are_refused(master: DatabaseMaster) -> None:
    outcome = master.send(parcel(1, body=b"<html>", digest=digest(b"<html>")))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "bad-request"


def test_a_block_is_leased_once_under_a_key_and_no_other_size_under_the_same(master: DatabaseMaster) -> None:
    first = master.lease_block("key", 5)
    assert isinstance(first, LeasedBlock)
    assert first.last - first.first == 4
    assert master.lease_block("key", 5) == first
    outcome = master.lease_block("key", 6)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "id-reused"


def test_notices_that_are_the_same_are_not_listed_again(master: DatabaseMaster) -> None:
    found = master.notices("")
    assert isinstance(found, NoticeList)
    assert (list(found.notices or ()), bool(found.etag)) == ([], True)
    assert master.notices(found.etag) == NoticeList(None, found.etag)
    assert master.notices("other") == found


# where it connects to


class Driver:
    """PostgreSQL's driver, which notes how it is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.options: dict[str, Any] = {}
        monkeypatch.setattr(psycopg.Connection, "connect", self._connect)

    def _connect(self, **options: Any) -> str:
        self.options = options
        return "a connection"


def connected(opened: Callable[..., DatabaseMaster], left_s: float | None, count: int, **options: Any) -> list[object]:
    """Connect within a call that has so long; None: outside a call. What was looked up."""
    asked: list[object] = []

    def lookup(host: str, port: int) -> Sequence[Address]:
        asked.append((host, port))
        return [(socket.AF_INET, (f"192.0.2.{number}", port)) for number in range(1, count + 1)]

    master = opened("postgresql+psycopg://master.test/db", lookup=lookup)
    call = None if left_s is None else Call(ManualClock(NOW), left_s, None)
    token = database._running.set(call)
    try:
        assert master._connect(None, None, None, options) == "a connection"
    finally:
        database._running.reset(token)
    return asked


@pytest.mark.parametrize(
    ("left_s", "count", "tried"), [(20.0, 1, 1), (20.0, 2, 2), (20.0, 3, 2), (4.0, 3, 2), (3.9, 3, 1), (0.1, 3, 1)]
)
def test_as_many_addresses_are_tried_as_the_calls_time_is_good_for(
    opened: Open, monkeypatch: pytest.MonkeyPatch, left_s: float, count: int, tried: int
) -> None:
    driver = Driver(monkeypatch)
    assert connected(opened, left_s, count, host="master.test", port="5433", user="me") == [("master.test", 5433)]
    assert driver.options == {
        "host": ",".join(["master.test"] * tried),
        "hostaddr": ",".join(f"192.0.2.{number}" for number in range(1, tried + 1)),
        "port": ",".join(["5433"] * tried),
        "user": "me",
    }


def test_the_port_is_postgresqls_where_none_is_named(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch)
    assert connected(opened, 20.0, 1, host="master.test") == [("master.test", 5432)]
    assert driver.options["port"] == "5432"


@pytest.mark.parametrize("host", ["/run/postgresql", "one.test,two.test", None])
def test_what_is_no_single_name_is_left_to_the_driver(
    opened: Open, monkeypatch: pytest.MonkeyPatch, host: str | None
) -> None:
    driver = Driver(monkeypatch)
    assert connected(opened, 20.0, 1, host=host) == []
    assert driver.options == {"host": host}


def test_outside_a_call_the_driver_resolves_names(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch)
    assert connected(opened, None, 1, host="master.test") == []
    assert driver.options == {"host": "master.test"}


# what a failure is


def failure(error: SQLAlchemyError | OSError, over: Cause | None = None) -> Failed:
    call = Call(ManualClock(NOW), 5.0, None)
    if over is not None:
        call.end(over)
    return database._failure(error, call)


def of_driver(words: str) -> OperationalError:
    return OperationalError("SELECT 1", {}, psycopg.OperationalError(words))


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("connection to server failed: Connection refused", Cause.REFUSED),
        ("No route to host", Cause.UNREACHABLE),
        ("Network is unreachable", Cause.UNREACHABLE),
        ("connection timeout expired", Cause.TIMEOUT),
        ("Connection timed out", Cause.TIMEOUT),
        ("certificate verify failed", Cause.TLS),
        ("FATAL: the database system is starting up", Cause.DATABASE),
        ("server closed the connection unexpectedly", Cause.RESET),
    ],
)
def test_a_connection_that_was_not_made_or_was_lost_is_known_by_the_drivers_words(words: str, cause: Cause) -> None:
    found = failure(of_driver(f"{words}\nand more"))
    assert (found.cause, found.detail) == (
        cause,
        f"The connection to the master's database failed: {words}",
    )


def test_a_call_that_was_ended_says_so_whatever_the_driver_says() -> None:
    assert failure(of_driver("server closed the connection"), Cause.SILENT).cause is Cause.SILENT


def test_a_name_that_is_not_resolved_is_no_fault_of_the_database() -> None:
    assert failure(socket.gaierror(socket.EAI_NONAME, "no such name")).cause is Cause.DNS


def test_the_databases_own_words_are_not_shown_for_they_may_quote_a_row() -> None:
    for inner, code in (
        (psycopg.errors.CheckViolation("a row: Jane SMITH"), "23514"),
        (sqlite3.IntegrityError("Jane SMITH"), ""),
    ):
        found = failure(ProgrammingError("INSERT", {}, inner))
        assert found.cause is Cause.DATABASE
        assert found.detail == f"The master's database did not take it (ProgrammingError {code})."
    assert database._sqlstate(ProgrammingError("INSERT", {}, psycopg.errors.CheckViolation("no"))) == "23514"
    assert database._sqlstate(KeyError()) is None
