"""The ledger on real databases: one transaction, whole or not at all, whoever else is at it."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from resultsq.domain.errors import InputRefused
from resultsq.domain.sheet import digest
from resultsq.kinds.registry import KINDS
from resultsq.master.database import UNAVAILABLE, open_engine
from resultsq.master.ledger import Committed, HeadConflict, IdReused, Invalid, Ledger, Publication

NOW = datetime(2013, 12, 7, 12, 5, 9, 250_000, tzinfo=UTC)
DATE = "2013-12-07"


@pytest.fixture
def open_ledger(store_url: str) -> Iterator[Callable[[], Ledger]]:
    """Opens the database once more, as another process would: with connections and locks of its own."""
    engines: list[sa.Engine] = []

    def opened() -> Ledger:
        engines.append(open_engine(store_url))
        ledger = Ledger(engines[-1])
        ledger.create_tables()
        return ledger

    yield opened
    for engine in engines:
        engine.dispose()


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    return open_ledger()


@pytest.fixture
def ask(store_url: str) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Runs a statement on the database behind the ledger's back."""
    engine = open_engine(store_url)  # two SQLite libraries in one process do not see each other's locks

    def asked(statement: str) -> list[tuple[Any, ...]]:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    yield asked
    engine.dispose()


def sheet(event: str = "bushy", finishers: int = 3, by: str = "bushy") -> bytes:
    rows = [{"position": n, "athlete": f"A{n}", "time": f"00:{n // 60:02}:{n % 60:02}"} for n in range(1, finishers)]
    content = {
        "schema": "resultsq.results/1",
        "event": event,
        "date": DATE,
        "submitted_by": by,
        "submitted_at": "2013-12-07T10:42:11Z",
        "finishers": [*rows, {"position": finishers, "athlete": None, "time": None}],
        "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}],
    }
    return json.dumps(content, indent=1).encode()


def new_id() -> str:
    return str(uuid.uuid4())


def publish(
    ledger: Ledger,
    submission: str,
    body: bytes | None = None,
    *,
    event: str = "bushy",
    on: str | None = None,
    node: str = "relay",
    now: datetime = NOW,
) -> Publication:
    return ledger.publish(body or sheet(event), submission, event, DATE, on, node, now)


def test_bytes_rows_and_receipt_are_kept_when_a_sheet_is_published(
    ledger: Ledger, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    first, body = new_id(), sheet()
    done = publish(ledger, first, body)
    assert isinstance(done, Committed)
    assert done.new
    assert done.receipt == ledger.receipt(first)
    assert (done.receipt.revision, done.receipt.digest, done.receipt.received_at) == (1, digest(body), NOW)
    head = ledger.head("bushy", DATE)
    assert head is not None
    assert (head.submission, head.revision, head.body) == (first, 1, body)
    rows = ask("SELECT position, athlete, time FROM master_finishers ORDER BY position")
    assert rows == [(1, "A1", "00:00:01"), (2, "A2", "00:00:02"), (3, None, None)]
    assert ask("SELECT line, athlete, role FROM master_volunteers") == [(1, "A55501", "Timekeeper")]


def test_a_sheet_without_lines_is_published_when_nobody_came(ledger: Ledger) -> None:
    body = sheet().replace(b"finishers", b"x").replace(b"volunteers", b"y")
    content = json.loads(body) | {"finishers": [], "volunteers": []}
    del content["x"], content["y"]
    assert isinstance(publish(ledger, new_id(), json.dumps(content).encode()), Committed)


def test_the_first_receipt_is_given_again_when_an_id_comes_back(ledger: Ledger) -> None:
    first, second = new_id(), new_id()
    done = publish(ledger, first)
    assert isinstance(done, Committed)
    publish(ledger, second, on=first)
    for precondition in (None, first, second, new_id()):
        again = publish(ledger, first, on=precondition, node="other", now=NOW + timedelta(days=9))
        assert again == Committed(done.receipt, new=False)


def test_an_id_is_refused_when_it_comes_back_with_another_sheet(ledger: Ledger) -> None:
    first = new_id()
    publish(ledger, first)
    assert publish(ledger, first, sheet(finishers=4)) == IdReused()
    assert publish(ledger, first, b"{}") == IdReused()
    assert ledger.head("bushy", DATE) is not None


def test_a_known_sheet_is_invalid_when_it_comes_to_another_address(ledger: Ledger) -> None:
    first, body = new_id(), sheet()
    publish(ledger, first, body)
    assert isinstance(publish(ledger, first, body, event="nonsuch"), Invalid)


def test_the_head_is_told_when_it_is_not_the_one_that_was_named(ledger: Ledger) -> None:
    first, second = new_id(), new_id()
    assert publish(ledger, first, on=second) == HeadConflict(None, None)
    publish(ledger, first)
    assert publish(ledger, second) == HeadConflict(first, 1)
    done = publish(ledger, second, on=first)
    assert isinstance(done, Committed)
    assert done.receipt.revision == 2
    assert publish(ledger, new_id(), on=first) == HeadConflict(second, 2)
    assert ledger.head("bushy", "2013-12-14") is None
    assert ledger.head("nonsuch", DATE) is None


def test_nothing_is_left_when_the_transaction_fails_at_its_last_line(
    ledger: Ledger, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    first = new_id()
    ask("ALTER TABLE master_volunteers RENAME TO elsewhere")
    with pytest.raises(sa.exc.DBAPIError):
        publish(ledger, first)
    ask("ALTER TABLE elsewhere RENAME TO master_volunteers")
    assert ledger.receipt(first) is None
    assert ledger.head("bushy", DATE) is None
    assert ask("SELECT * FROM master_finishers") == []
    done = publish(ledger, first)
    assert isinstance(done, Committed)
    assert done.receipt.revision == 1


def test_results_are_not_quoted_when_the_database_refuses_them(
    ledger: Ledger, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    ask("DROP TABLE master_volunteers")
    with pytest.raises(sa.exc.DBAPIError) as caught:
        publish(ledger, new_id())
    assert "A55501" not in str(caught.value)


def together(*works: Callable[[], Publication]) -> list[Publication]:
    """All at once, as far as a machine can."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Publication]) -> Publication:
        start.wait(60)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_an_id_is_committed_once_when_eight_bring_it_at_once(open_ledger: Callable[[], Ledger]) -> None:
    ledgers = [open_ledger(), open_ledger()]
    for event in ("bushy", "fulham", "banstead", "richmond"):
        submission = new_id()

        def bring(ledger: Ledger, event: str = event, submission: str = submission) -> Publication:
            return publish(ledger, submission, event=event)

        answers = together(*(lambda ledger=ledgers[n % 2]: bring(ledger) for n in range(8)))
        committed = [answer for answer in answers if isinstance(answer, Committed)]
        assert len(committed) == 8, answers
        assert sum(answer.new for answer in committed) == 1
        assert len({answer.receipt for answer in committed}) == 1


def test_one_of_eight_is_published_when_all_name_the_same_head(open_ledger: Callable[[], Ledger]) -> None:
    ledgers = [open_ledger(), open_ledger()]
    head: str | None = None
    for revision in range(1, 5):
        answers = together(
            *(
                lambda ledger=ledgers[n % 2], on=head: publish(ledger, new_id(), sheet(finishers=40), on=on)
                for n in range(8)
            )
        )
        [winner] = [answer for answer in answers if isinstance(answer, Committed)]
        head = winner.receipt.submission
        assert [answer for answer in answers if answer != winner] == [HeadConflict(head, revision)] * 7


class Interruption:
    """Lets somebody else act once, right after the ledger has run its `nth` statement on the sheets."""

    def __init__(self, ledger: Ledger, nth: int, act: Callable[[], object]) -> None:
        self._left, self._act = nth, act
        sa.event.listen(ledger._engine, "after_cursor_execute", self._seen)

    def _seen(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT master_sheets"):
            self._left -= 1
            if self._left == 0:
                self._act()


@pytest.fixture
def two_on_postgres(postgres_url: str) -> Iterator[tuple[Ledger, Ledger]]:
    """SQLite lets nobody in between; PostgreSQL does."""
    engines = [open_engine(postgres_url), open_engine(postgres_url)]
    first, second = (Ledger(engine) for engine in engines)
    first.create_tables()
    yield first, second
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("nth", [1, 2], ids=["after the look for the id", "after the look for the head"])
def test_a_receipt_is_given_when_the_same_id_is_committed_in_between(
    two_on_postgres: tuple[Ledger, Ledger], nth: int
) -> None:
    slow, quick = two_on_postgres
    submission, done = new_id(), []
    Interruption(slow, nth, lambda: done.append(publish(quick, submission)))
    answer = publish(slow, submission)
    [first] = done
    assert isinstance(first, Committed)
    assert answer == Committed(first.receipt, new=False)


@pytest.mark.parametrize("nth", [1, 2], ids=["after the look for the id", "after the look for the head"])
def test_an_id_is_refused_when_it_is_committed_for_another_event_in_between(
    two_on_postgres: tuple[Ledger, Ledger], nth: int
) -> None:
    slow, quick = two_on_postgres
    submission = new_id()
    Interruption(slow, nth, lambda: publish(quick, submission, event="fulham"))
    assert publish(slow, submission) == IdReused()
    assert slow.head("bushy", DATE) is None


@pytest.mark.parametrize("nth", [1, 2], ids=["after the look for the id", "after the look for the head"])
def test_the_new_head_is_told_when_another_is_published_in_between(
    two_on_postgres: tuple[Ledger, Ledger], nth: int
) -> None:
    slow, quick = two_on_postgres
    other = new_id()
    Interruption(slow, nth, lambda: publish(quick, other))
    assert publish(slow, new_id()) == HeadConflict(other, 1)


def message(submission: str) -> bytes:
    said = {"event": "bushy", "subject": "s", "text": "t"}
    return KINDS["messages"].prepare(said, submission=submission, submitted_by="t", submitted_at=NOW).body


@pytest.mark.parametrize("nth", [1, 2], ids=["after the look for the id", "after the look for the head"])
def test_an_id_is_refused_when_it_is_committed_for_another_kind_in_between(
    two_on_postgres: tuple[Ledger, Ledger], nth: int
) -> None:
    slow, quick = two_on_postgres
    submission = new_id()
    Interruption(slow, nth, lambda: quick.keep("messages", message(submission), submission, "node", NOW))
    assert publish(slow, submission) == IdReused()
    assert slow.head("bushy", DATE) is None


def test_an_id_is_one_submissions_when_eight_bring_it_as_two_kinds_at_once(open_ledger: Callable[[], Ledger]) -> None:
    ledgers = [open_ledger(), open_ledger()]
    for event in ("bushy", "fulham", "banstead", "richmond"):
        submission = new_id()

        def results(ledger: Ledger, event: str = event, submission: str = submission) -> Publication:
            return publish(ledger, submission, event=event)

        def text(ledger: Ledger, submission: str = submission) -> Publication:
            return ledger.keep("messages", message(submission), submission, "node", NOW)

        answers = together(*(partial((results, text)[n % 2], ledgers[n // 2 % 2]) for n in range(8)))
        assert sum(isinstance(answer, Committed) and answer.new for answer in answers) == 1, answers
        assert sum(answer == IdReused() for answer in answers) == 4, answers
        assert ledgers[0].receipt(submission) is not None


def test_an_id_is_taken_again_when_a_restore_has_left_nothing_else_of_it(
    ledger: Ledger, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    submission = new_id()
    ask(f"INSERT INTO master_ids (submission) VALUES ('{submission}')")
    assert isinstance(publish(ledger, submission), Committed)


def test_tables_are_made_once_when_several_masters_start_at_once(store_url: str) -> None:
    engines = [open_engine(store_url) for _ in range(4)]
    start = threading.Barrier(len(engines))

    def create(engine: sa.Engine) -> None:
        start.wait(60)
        Ledger(engine).create_tables()

    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(create, engines))
    found = set(sa.inspect(engines[0]).get_table_names())
    for engine in engines:
        engine.dispose()
    assert found == {
        "master_sheets",
        "master_finishers",
        "master_volunteers",
        "master_kept",
        "master_ids",
        "master_athletes",
        "master_athlete_addresses",
        "master_athlete_numbers",
        "master_athlete_blocks",
        "master_athlete_lists",
        "master_athlete_events",
        "master_notices",
        "master_registrations",
    }


def test_it_is_said_in_time_when_the_database_is_locked(ledger: Ledger, store_url: str) -> None:
    impatient, holder = open_engine(store_url, statement_timeout_s=0.2), open_engine(store_url)
    with holder.begin() as connection:  # on SQLite this is the lock already
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE master_sheets IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(UNAVAILABLE):
            publish(Ledger(impatient), new_id())
    holder.dispose()
    impatient.dispose()
    assert isinstance(publish(ledger, new_id()), Committed)


def test_receipts_come_oldest_first_and_whole_when_they_are_paged(ledger: Ledger) -> None:
    ids = [new_id() for _ in range(7)]
    minutes = [3, 0, 1, 1, 1, 5, 4]  # not in the order of their coming, and three at the same moment
    for submission, minute in zip(ids, minutes, strict=True):
        publish(ledger, submission, event=f"e{submission}", now=NOW + timedelta(minutes=minute))
    publish(ledger, new_id(), event="elsewhere", node="other", now=NOW)
    seen, cursor = [], None
    while True:
        page = ledger.receipts("relay", cursor=cursor, limit=2)
        seen += [receipt.submission for receipt in page.receipts]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [ids[1], ids[2], ids[3], ids[4], ids[0], ids[6], ids[5]]


def test_receipts_are_cut_when_a_time_is_given(ledger: Ledger) -> None:
    ids = [new_id() for _ in range(4)]
    for minute, submission in enumerate(ids):
        publish(ledger, submission, event=f"e{submission}", now=NOW + timedelta(minutes=minute))
    page = ledger.receipts("relay", since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=3))
    assert [receipt.submission for receipt in page.receipts] == ids[1:3]
    assert page.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "1", "x.1", "1.x", "9" * 40 + ".1", "1." + "9" * 40])
def test_a_cursor_is_refused_when_it_was_made_up(ledger: Ledger, cursor: str) -> None:
    with pytest.raises(InputRefused):
        ledger.receipts("relay", cursor=cursor)


def test_receipts_are_those_of_a_tokens_events_when_it_covers_only_some(ledger: Ledger) -> None:
    ids = {event: str(uuid.uuid4()) for event in ("bushy", "fulham", "richmond")}
    for event, submission in ids.items():
        publish(ledger, submission, event=event)
    page = ledger.receipts("relay", limit=1, events={"bushy", "richmond"})
    rest = ledger.receipts("relay", cursor=page.next_cursor, events={"bushy", "richmond"})
    assert [one.submission for one in (*page.receipts, *rest.receipts)] == [ids["bushy"], ids["richmond"]]
    assert ledger.receipts("relay", events=()).receipts == ()
