"""Many writers at once, and a database that cannot: nothing is lost, mixed up or half-stored."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, event, func, insert, select, text

from resultsq.domain.errors import Conflicting, HeadMoved, StoreFull, StoreUnavailable
from resultsq.domain.submission import State
from resultsq.sqlite import wal_is_safe
from resultsq.store import outbox
from resultsq.store.engine import session, shared_commits
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Attempt, Audit, Chain, Payload, Submission
from resultsq.store.outbox import links
from tests.support.nodes import NOW, StoreNode, accepted, migrated, unsent
from tests.support.waiting import wait_until

T = TypeVar("T")
THREADS = 8


def together(work: Callable[[int], T], threads: int = THREADS) -> list[T | Exception]:
    """What each of so many threads got, or what it met."""
    start = threading.Barrier(threads)

    def run(number: int) -> T | Exception:
        start.wait(60)
        try:
            return work(number)
        except Exception as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def note(number: int) -> Callable[[Any], int]:
    """A piece of work that leaves one row."""

    def work(conn: Any) -> int:
        values = {"at": NOW, "who": f"{number}", "action": "test", "target": {}, "count": number}
        conn.execute(insert(Audit).values(**values))
        return number

    return work


def driver(database: Database) -> Any:
    """The product's own SQLite: two libraries in one process do not see each other's locks."""
    return database.engine.dialect.loaded_dbapi


def noted(database: Database) -> list[int]:
    with database.read() as conn:
        return sorted(conn.execute(select(Audit.count)).scalars())


# accepting


def test_everybodys_version_is_stored_once_when_eight_submit_at_once(node: StoreNode) -> None:
    def submit(number: int) -> list[str]:
        return [node.accept(date=f"2{number:03}-01-{day:02}").id for day in range(1, 11)]

    told = together(submit)
    ids = [one for some in told if not isinstance(some, Exception) for one in some]
    assert len(set(ids)) == 80 == node.count()
    with node.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(Payload)).scalar_one() == 80
        assert set(conn.execute(select(Chain.versions)).scalars()) == {1}


def test_one_submission_is_stored_when_eight_come_with_the_same_key(node: StoreNode) -> None:
    told = together(lambda _: node.accept(client_key="k"))
    assert {one.id for one in told if isinstance(one, outbox.Acknowledgement)} == {node_head(node)}
    assert sorted(one.created for one in told if isinstance(one, outbox.Acknowledgement)) == [False] * 7 + [True]


def node_head(node: StoreNode) -> str:
    with node.database.read() as conn:
        return str(conn.execute(select(Submission.id)).scalar_one())


def test_one_submission_is_stored_when_eight_come_with_the_same_rows(node: StoreNode) -> None:
    told = together(lambda number: node.accept(client_key=f"k{number}"))
    assert {one.id for one in told if isinstance(one, outbox.Acknowledgement)} == {node_head(node)}
    assert len(told) == 8
    assert not any(isinstance(one, Exception) for one in told)


def test_one_correction_is_stored_when_eight_correct_the_same_version(node: StoreNode) -> None:
    first = node.accept(rows=20)
    told = together(lambda number: node.accept(rows=number + 1, corrects=first.id))
    stored = [one for one in told if isinstance(one, outbox.Acknowledgement)]
    assert len(stored) == 1
    assert all(one.head == stored[0].id for one in told if isinstance(one, HeadMoved))
    assert sum(isinstance(one, HeadMoved) for one in told) == 7
    assert node.count() == 2


def test_corrections_and_claims_do_not_cross_when_they_come_at_the_same_moment(up: StoreNode) -> None:
    """Each correction finds its predecessor never sent or on its way; neither of them ever breaks."""
    over = threading.Event()
    surprises: list[Exception] = []

    def work() -> None:
        try:
            while not over.is_set():
                for lease in up.claim():
                    up.settle(lease, unsent())
                up.probe()
        except Exception as error:
            surprises.append(error)

    worker = threading.Thread(target=work)
    worker.start()

    def correct(number: int) -> str:
        event = list(up.events)[number]
        head = up.accept(event, rows=1).id
        for rows in range(2, 30):
            head = up.accept(event, rows=rows, corrects=head).id
        return head

    told = together(correct, threads=3)
    over.set()
    worker.join(10)
    assert not surprises
    assert not [one for one in told if isinstance(one, Exception)]
    for _ in range(9):
        up.pass_time(61)
        up.probe()
        for lease in up.claim():
            up.settle(lease, accepted(lease))
    assert {up.state(str(head)) for head in told} == {State.PUBLISHED}
    assert up.count(state=State.SUPERSEDED) == 3 * 28


def test_withdrawals_and_claims_do_not_cross_when_they_come_at_the_same_moment(up: StoreNode) -> None:
    up.pass_time(5)
    up.accept_many(30)
    with up.database.read() as conn:
        ids = list(conn.execute(select(Submission.id)).scalars())
    claimed: list[str] = []

    def act(number: int) -> None:
        if number == 0:
            while leases := up.claim():
                for lease in leases:
                    claimed.append(lease.submission)
                    up.settle(lease, accepted(lease))
        else:
            for submission in reversed(ids):
                try:
                    up.withdraw(submission)
                except Conflicting:
                    continue

    assert not [one for one in together(act, 2) if one is not None]
    assert up.count(state=State.PUBLISHED) == len(claimed) == len(set(claimed))
    assert up.count(state=State.WITHDRAWN) == 30 - len(claimed)


def test_each_is_taken_once_when_four_workers_claim_at_once(up: StoreNode) -> None:
    up.accept_many(60)
    up.database.write(lambda conn: conn.execute(text("UPDATE links SET \"window\" = 8, opened_at = '2000-01-01'")))

    def work(number: int) -> list[str]:
        taken = []
        while leases := up.claim(f"w{number}"):
            for lease in leases:
                taken.append(lease.submission)
                up.settle(lease, accepted(lease))
        return taken

    told = together(work, 4)
    taken = [one for some in told if not isinstance(some, Exception) for one in some]
    assert len(taken) == len(set(taken))
    for _ in range(60):  # a worker that found the window full left: somebody has to finish
        for lease in up.claim():
            up.settle(lease, accepted(lease))
    with up.database.read() as conn:
        assert set(conn.execute(select(Submission.state)).scalars()) == {State.PUBLISHED}
        assert conn.execute(select(func.count()).select_from(Attempt)).scalar_one() == 60


# sharing a commit


def test_the_others_are_stored_when_one_callers_work_fails(store: Database) -> None:
    def act(number: int) -> int:
        def work(conn: Any) -> int:
            value = note(number)(conn)
            if number % 3 == 0:
                raise KeyError(number)
            return value

        return store.write(work)

    told = together(act)
    assert [isinstance(one, KeyError) for one in told] == [number % 3 == 0 for number in range(THREADS)]
    assert noted(store) == [1, 2, 4, 5, 7]


def test_the_others_are_stored_when_one_callers_statement_fails(store: Database) -> None:
    def act(number: int) -> int:
        def work(conn: Any) -> int:
            value = note(number)(conn)
            if number % 3 == 0:
                conn.execute(text("INSERT INTO nowhere VALUES (1)"))
            return value

        return store.write(work)

    told = together(act)
    assert [isinstance(one, Exception) for one in told] == [number % 3 == 0 for number in range(THREADS)]
    assert noted(store) == [1, 2, 4, 5, 7]


def test_a_writer_gets_its_own_answer_when_a_whole_batch_waits_before_it(sqlite_store: Database) -> None:
    commits: list[object] = []
    event.listen(sqlite_store.engine, "commit", commits.append)
    threads = shared_commits.BATCH + 2  # one leads, so many wait with one more

    def act(number: int) -> int:
        def work(conn: Connection) -> int:
            if not commits:
                wait_until(lambda: len(sqlite_store._queue) == threads - 1, 30, "all the others")
            return note(number)(conn)

        return sqlite_store.write(work)

    assert together(act, threads) == list(range(threads))
    assert noted(sqlite_store) == list(range(threads))
    assert len(commits) == 3


def test_all_that_wait_share_a_commit_when_each_comes_back_at_once(sqlite_store: Database) -> None:
    """A writer that was answered writes again while the next ones commit: no answer waits for another's commit."""
    left, batch, commits = dict.fromkeys(range(THREADS), 6), list[int](), list[int]()
    answers = dict.fromkeys(left, 0)

    def commit(_conn: object) -> None:
        others = [number for number in left if left[number] and number not in batch]
        wait_until(lambda: len(sqlite_store._queue) == len(others), 30, "all others, while these commit")
        for number in batch:
            assert answers[number] == 6 - left[number], "an answer came before its commit"
            left[number] -= 1
        commits.append(len(batch))
        batch.clear()

    def act(number: int) -> None:
        def work(conn: Connection) -> None:
            batch.append(number)
            note(number)(conn)

        for _ in range(6):
            sqlite_store.write(work)
            answers[number] += 1

    event.listen(sqlite_store.engine, "commit", commit)
    assert together(act) == [None] * THREADS
    assert sum(commits) == 6 * THREADS
    assert len(commits) <= 12, commits  # one alone, then all the others, six times


def test_writing_goes_on_when_a_transaction_could_not_even_be_undone(sqlite_store: Database) -> None:
    def fail(_conn: Connection) -> None:
        raise OSError("the disk")

    sqlite_store.write(_nothing)
    event.listen(sqlite_store.engine, "rollback", fail)
    with pytest.raises(OSError, match="the disk"):
        sqlite_store.write(lambda conn: conn.execute(text("SELECT 1 / 0 FROM nowhere")))
    event.remove(sqlite_store.engine, "rollback", fail)
    sqlite_store.write(_nothing)


def _nothing(conn: Connection) -> None:
    conn.execute(text("SELECT 1"))


def test_the_writers_connection_is_kept_and_nothing_is_written_when_work_is_refused(sqlite_store: Database) -> None:
    node, opened = StoreNode(sqlite_store), list[object]()
    event.listen(sqlite_store.engine, "connect", lambda connection, _record: opened.append(connection))

    def refused(conn: Connection) -> None:
        outbox.accept(conn, node.now, node.entry())
        raise HeadMoved("Another was first.", None)

    for _ in range(3):
        with pytest.raises(HeadMoved):
            sqlite_store.write(refused)
    sqlite_store.write(lambda conn: outbox.accept(conn, node.now, node.entry("richmond")))
    assert opened == []
    assert node.count(state=State.QUEUED) == 1


def test_what_was_written_is_seen_by_another_process_when_write_returns(store: Database) -> None:
    other = Database(store.url.render_as_string(hide_password=False))
    for number in range(5):
        store.write(note(number))
        assert noted(other)[-1] == number
    other.close()


def test_sqlite_commits_are_flushed_in_a_mode_that_loses_nothing(sqlite_store: Database) -> None:
    mode = journal_mode(sqlite_store)
    with sqlite_store.read() as conn:
        level = conn.execute(text("PRAGMA synchronous")).scalar_one()
        keys = conn.execute(text("PRAGMA foreign_keys")).scalar_one()
    safe = wal_is_safe(driver(sqlite_store).sqlite_version_info)
    assert (mode, level, keys) == (("wal", 2, 1) if safe else ("delete", 3, 1))


def test_all_are_let_in_when_a_new_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    for number in range(40):
        stores = [Database(f"sqlite:///{tmp_path}/{number}.db") for _ in range(THREADS)]
        modes = together(lambda mine, stores=stores: journal_mode(stores[mine]))  # type: ignore[misc]
        for store in stores:
            store.close()
        assert set(modes) <= {"wal", "delete"}, modes


def journal_mode(database: Database) -> str:
    with database.read() as conn:
        return str(conn.execute(text("PRAGMA journal_mode")).scalar_one())


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 6, 23), True),
        ((3, 7, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 9), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((4, 0, 0), True),
    ],
)
def test_the_versions_of_sqlite_that_can_lose_rows_are_known(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) is safe


# a database that cannot


@pytest.fixture
def locked(sqlite_store: Database) -> Iterator[Callable[[], None]]:
    """Another process holds the write lock until the test calls this."""
    other = driver(sqlite_store).connect(str(sqlite_store.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield lambda: other.execute("COMMIT")
    other.close()


@pytest.mark.long  # not beside others that have the processor first: it is about time
def test_everybody_is_told_in_time_and_nothing_is_stored_when_another_process_holds_the_lock(
    sqlite_store: Database, locked: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BUSY_S", 0.3)
    told: list[int | Exception] = []
    asked = threading.Thread(target=lambda: told.extend(together(lambda n: sqlite_store.write(note(n)))))
    asked.start()
    asked.join(4 * 0.3)
    assert not asked.is_alive(), "they wait together, and not one after the other"
    assert [type(one) for one in told] == [StoreUnavailable] * THREADS
    locked()
    assert noted(sqlite_store) == []
    assert sqlite_store.write(note(1)) == 1


def test_reading_goes_on_when_another_process_holds_the_lock(
    sqlite_store: Database, locked: Callable[[], None]
) -> None:
    assert noted(sqlite_store) == []


def test_a_writer_waits_for_another_process_and_then_writes(sqlite_store: Database, locked: Callable[[], None]) -> None:
    told: list[int] = []
    writer = threading.Thread(target=lambda: told.append(sqlite_store.write(note(7))))
    writer.start()
    writer.join(0.3)
    assert writer.is_alive()
    locked()
    writer.join(5)
    assert told == [7]


def test_the_store_is_unavailable_when_its_server_is_not_there(free_port: Callable[[], int]) -> None:
    gone = Database(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing")
    with pytest.raises(StoreUnavailable):
        gone.write(note(1))
    with pytest.raises(StoreUnavailable), gone.read() as conn:
        conn.execute(text("SELECT 1"))
    gone.close()


def test_the_store_comes_back_by_itself_when_its_connections_were_cut(postgres_store: Database) -> None:
    postgres_store.write(note(1))
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    postgres_store.engine.dispose()
    other = Database(postgres_store.url.render_as_string(hide_password=False))
    other.write(note(2))
    postgres_store.write(lambda conn: conn.execute(text(f"{cut} current_database()")))
    assert other.write(note(3)) == 3
    other.close()
    assert noted(postgres_store) == [1, 2, 3]


def test_nothing_is_half_stored_when_the_disk_is_full_and_all_goes_on_when_there_is_room(
    disk: Callable[[str], Path],
) -> None:
    small_disk = disk("2m")
    database = migrated(f"sqlite:///{small_disk / 'store.db'}")
    node = StoreNode(database)
    stored: list[str] = []
    with suppress(StoreFull):
        for number in range(1_000):
            stored.append(node.accept(rows=900, date=f"2{number:03}-01-01").id)
    assert 0 < len(stored) < 1_000
    refused = together(lambda number: node.accept(rows=900, date=f"3{number:03}-01-01"))
    assert {type(one) for one in refused} == {StoreFull}
    assert node.count() == len(stored)
    with database.read() as conn:
        assert conn.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert conn.execute(select(func.count()).select_from(Payload)).scalar_one() == len(stored)
        assert conn.execute(select(func.count()).select_from(Chain)).scalar_one() == len(stored)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert node.accept(rows=900, date="2013-12-07").created
    node.probe()
    assert node.publish_one().submission == stored[0]
    database.close()
    assert shutil.disk_usage(small_disk).free > 0


def test_the_link_row_is_made_once_when_workers_start_together(store: Database) -> None:
    def start(_: int) -> None:
        store.write(lambda conn: links.ensure(conn, NOW, 8))

    assert together(start) == [None] * THREADS
    with store.read() as conn:
        assert links.look(conn, NOW, "w").probe_due


def test_nobody_is_told_of_a_success_when_a_signal_ends_the_shared_commit() -> None:
    go = threading.Event()

    def interrupted(batch: Sequence[object]) -> None:
        go.wait(60)
        if batch:
            raise KeyboardInterrupt

    queue = shared_commits.CommitQueue(interrupted)

    def told(_number: int) -> object:
        try:
            return queue.write(lambda _: "written")
        except KeyboardInterrupt as error:
            return error

    with ThreadPoolExecutor(3) as pool:
        ends = [pool.submit(told, number) for number in range(3)]
        wait_until(lambda: len(queue) == 2, 60, "two that wait")
        go.set()
        assert [type(end.result(60)) for end in ends] == [KeyboardInterrupt] * 3
