"""Backup, restore and prune: what a copy holds, and what the master sees of a node that came back from one."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from resultsq.app import intake
from resultsq.backup import backup, restore
from resultsq.delivery import reconcile
from resultsq.delivery.masters import open_master
from resultsq.domain.errors import HeadMoved, InputRefused, ResultsqError
from resultsq.domain.outcome import Cause, Deferred
from resultsq.domain.ports import Parcel
from resultsq.domain.role import Role
from resultsq.domain.submission import State
from resultsq.store.admin import accounts, retention
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Account, Attempt, Base, Chain, DraftRow, Original, Payload, Submission
from resultsq.store.outbox import File, workers
from resultsq.store.views import queries
from tests.support.figures import agree
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode, lost, migrated, rejected
from tests.support.processes import OtherMaster, Process
from tests.support.waiting import wait_until

CLOCK = ManualClock(NOW + timedelta(hours=1))
DOUBTED = {"submissions", "attempts", "links", "workers", "comparisons"}
"""Tables that a restored node does not take as they are."""


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Database]]:
    """Opens databases, with tables, until the test is over."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(migrated(url)))


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A second empty database, of each make in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'other.db'}"
    factory: Callable[[], str] = request.getfixturevalue("postgres_url_factory")
    return factory()


COUNTED = {"state_counts", "state_changes"}
"""Each database counts for itself, and adds up when it likes."""


def _busy_node(database: Database) -> tuple[StoreNode, dict[str, str]]:
    """A node with something of everything; the ids by what they are."""
    node = StoreNode(database)
    node.probe()
    ids = {"published": node.accept("bushy", files=(File("joe.csv", "stopwatch", "d1", b"\x00\xff"),)).id}
    node.publish_one()
    ids["rejected"] = node.accept("richmond").id
    node.try_one(rejected())
    ids["lost"] = node.accept("wimbledon").id
    node.try_one(lost())
    node.probe()
    ids["sending"] = node.accept("bushy", date="2013-12-14").id
    node.claim_one()
    ids["queued"] = node.accept("bushy", date="2013-12-21").id
    ids["behind"] = node.accept("wimbledon", rows=4, corrects=ids["lost"]).id
    node.hold("richmond")

    def people(conn: Any) -> None:
        accounts.add(conn, NOW, "joe", "x", Role.TEAM, ["bushy"])
        workers.alive(conn, NOW, "w1")

    database.write(people)
    return node, ids


def _rows(database: Database) -> dict[str, Sequence[Any]]:
    with database.read() as conn:
        return {
            table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
            if table.name not in COUNTED
        }


def test_everything_is_there_when_a_backup_is_restored_on_either_database(
    opened: Callable[[str], Database], store_url: str, other_url: str, tmp_path: Path
) -> None:
    source, target = opened(store_url), opened(other_url)
    node, ids = _busy_node(source)
    file = tmp_path / "copy.db"
    assert backup(source, file) == len(ids)
    assert file.stat().st_mode & 0o777 == 0o600
    assert restore(target, file, CLOCK) == len(ids)
    before, after = _rows(source), _rows(target)
    assert {name: rows for name, rows in after.items() if name not in DOUBTED} == {
        name: rows for name, rows in before.items() if name not in DOUBTED
    }
    assert after["workers"] == []
    with target.read() as conn:
        agree(conn)
    restored = StoreNode.__new__(StoreNode)
    restored.database, restored.now, restored.events = target, CLOCK.now(), node.events
    for name, id in ids.items():
        row = restored.row(id)
        waits = name not in ("published", "rejected")
        assert (row.state, row.in_doubt) == (State.QUEUED if waits else node.state(id), name != "published"), name
        assert (row.lease, row.next_attempt_at) == (None, None), name
    # what is new is numbered behind what was copied
    fresh = restored.accept("richmond", date="2014-01-04")
    assert restored.row(fresh.id).seq > max(node.row(id).seq for id in ids.values())
    restored.probe()
    assert [lease.in_doubt for lease in restored.claim(free=1)] == [True]


def test_what_the_master_asked_for_is_obeyed_after_a_restore(
    opened: Callable[[str], Database], store_url: str, tmp_path: Path
) -> None:
    source, target = opened(store_url), opened(f"sqlite:///{tmp_path / 'other.db'}")
    node = StoreNode(source)
    node.probe()
    made = [node.accept(event).id for event in node.events]
    node.try_one(Deferred(Cause.BUSY, "Later.", in_doubt=True, retry_after_s=1800))
    node.try_one(lost())
    until = node.row(made[0]).next_attempt_at
    backup(source, tmp_path / "copy.db")
    restore(target, tmp_path / "copy.db", CLOCK)
    restored = StoreNode.__new__(StoreNode)
    restored.database, restored.now = target, node.now
    assert [restored.row(one).next_attempt_at for one in made] == [until, None, None]


@pytest.mark.parametrize("given_up", ["rejected", "withdrawn"])
def test_what_was_given_up_is_asked_about_after_a_restore_before_anybody_steps_over_it(
    opened: Callable[[str], Database], store_url: str, tmp_path: Path, given_up: str
) -> None:
    source, target = opened(store_url), opened(f"sqlite:///{tmp_path / 'other.db'}")
    node = StoreNode(source)
    node.probe()
    there, nowhere = node.accept("bushy").id, node.accept("richmond").id
    lease = node.claim_one()
    for one in (lease, node.claim_one()):
        node.settle(one, rejected())
    if given_up == "withdrawn":
        node.withdraw(there)
        node.withdraw(nowhere)
    backup(source, tmp_path / "copy.db")
    restore(target, tmp_path / "copy.db", CLOCK)
    restored = StoreNode.__new__(StoreNode)
    restored.database, restored.now, restored.events = target, CLOCK.now(), node.events
    master = open_master(f"sqlite:///{tmp_path / 'master.db'}", "a token", clock=CLOCK)
    master.send(Parcel("results", there, lease.event, lease.date, lease.body, lease.digest, None))
    with closing(master):
        if given_up == "rejected":
            with pytest.raises(HeadMoved):
                restored.withdraw(there)
        found = reconcile.by_itself(target, master, CLOCK)
    assert found is not None
    assert (found.settled, restored.state(there)) == (1, State.PUBLISHED)
    assert restored.withdraw(nowhere).state is State.WITHDRAWN, "the master was asked, and has it not"


def test_a_backup_is_made_where_there_are_no_hard_links(
    opened: Callable[[str], Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    source = opened(f"sqlite:///{tmp_path / 'a.db'}")
    _busy_node(source)
    monkeypatch.setattr(os, "link", no_links)
    assert backup(source, tmp_path / "copy.db") == 6
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_nothing_is_lost_or_twice_at_the_master_when_a_node_comes_back_from_a_backup(
    other_master: OtherMaster, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    def node_at(name: str) -> dict[str, str]:
        return {
            "RESULTSQ_DATA_DIR": str(tmp_path / name),
            "RESULTSQ_MASTER_URL": other_master.url,
            "RESULTSQ_MASTER_TOKEN": "any",
        }

    def drained(database: Database) -> bool:
        with database.read() as conn:
            states = set(conn.execute(select(Submission.state)).scalars())
        return states == {State.PUBLISHED}

    (tmp_path / "first").mkdir()
    with closing(migrated(f"sqlite:///{tmp_path / 'first' / 'resultsq.db'}")) as database:
        node = StoreNode(database)
        node.probe()
        ids = {node.accept(event).id for event in node.events}
        node.claim_one()  # the copy is made with one on its way
        backup(database, tmp_path / "copy.db")
        later = node.accept("bushy", date="2013-12-14").id
        worker = start_process("worker", env=node_at("first"))
        with database.engine.connect() as conn:  # the lease of the claim above has ended
            conn.execute(text("UPDATE submissions SET lease_until = NULL"))
            conn.commit()
        wait_until(lambda: drained(database), 30, "the first node's publications")
        worker.kill()
    assert set(other_master.receipts()) == {*ids, later}
    restoring = start_process("restore", tmp_path / "copy.db", env=node_at("second"))
    assert restoring.wait(30) == 0, str(restoring)
    start_process("worker", env=node_at("second"))
    with closing(Database(f"sqlite:///{tmp_path / 'second' / 'resultsq.db'}")) as database:
        wait_until(lambda: drained(database), 30, "the second node's publications")
    report = other_master.report()
    assert set(other_master.receipts()) == {*ids, later}
    committed = [put["submission"] for put in report["puts"] if put["status"] == 201]
    assert sorted(committed) == sorted({*ids, later})


def test_a_copy_is_one_state_when_results_come_in_meanwhile(
    opened: Callable[[str], Database], store_url: str, tmp_path: Path
) -> None:
    source = opened(store_url)
    node = StoreNode(source)
    node.accept_many(200)
    done = threading.Event()

    def accept() -> None:
        first = 200
        while not done.is_set():
            node.accept_many(5, first=first)
            first += 5

    team = threading.Thread(target=accept)
    team.start()
    try:
        count = backup(source, tmp_path / "copy.db")
    finally:
        done.set()
        team.join()
    assert count % 5 == 0
    with closing(Database(f"sqlite:///{tmp_path / 'copy.db'}")) as copy, copy.read() as conn:
        counts = {
            table: conn.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Submission, Payload, Chain)
        }
    assert set(counts.values()) == {count}


def test_nothing_is_restored_when_the_database_is_not_empty(opened: Callable[[str], Database], tmp_path: Path) -> None:
    source = opened(f"sqlite:///{tmp_path / 'a.db'}")
    _busy_node(source)
    backup(source, tmp_path / "copy.db")
    before = _rows(source)
    with pytest.raises(ResultsqError, match="not empty"):
        restore(source, tmp_path / "copy.db", CLOCK)
    assert _rows(source) == before


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "newer"])
def test_nothing_is_restored_when_the_file_is_no_backup(
    opened: Callable[[str], Database], tmp_path: Path, damage: str
) -> None:
    source, target = opened(f"sqlite:///{tmp_path / 'a.db'}"), opened(f"sqlite:///{tmp_path / 'b.db'}")
    _busy_node(source)
    file = tmp_path / "copy.db"
    backup(source, file)
    match damage:
        case "text":
            file.write_text("slug,name\n")
        case "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        case "empty":
            file.write_bytes(b"")
        case _:
            with closing(Database(f"sqlite:///{file}")) as copy:
                copy.write(lambda conn: conn.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(InputRefused, match="newer version" if damage == "newer" else "no backup of resultsq"):
        restore(target, file, CLOCK)
    assert not any(_rows(target).values())


def test_no_file_is_written_over_when_it_is_there(opened: Callable[[str], Database], tmp_path: Path) -> None:
    source, file = opened(f"sqlite:///{tmp_path / 'a.db'}"), tmp_path / "copy.db"
    file.write_text("mine")
    with pytest.raises(InputRefused, match="Name a new one"):
        backup(source, file)
    assert file.read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} <= {"a.db", "a.db-wal", "a.db-shm", "copy.db"}


def test_people_are_forgotten_and_receipts_stay_when_old_submissions_are_pruned(
    opened: Callable[[str], Database], store_url: str
) -> None:
    database = opened(store_url)
    node, ids = _busy_node(database)

    def draft(conn: Any) -> None:
        account = conn.execute(select(Account.id)).scalar_one()
        made = {"event_id": node.events["bushy"], "account_id": account, "date": "2013-12-07", "work": "{}"}
        conn.execute(insert(DraftRow).values(updated_at=NOW, **made))

    database.write(draft)
    node.pass_time(86_400)
    new = node.accept("richmond", date="2013-12-08").id
    kept = {id: node.row(id) for id in (*ids.values(), new)}
    done = database.write(lambda conn: retention.prune_some(conn, node.now - timedelta(hours=1)))
    assert (done.submissions, done.drafts) == (1, 1)
    assert database.write(lambda conn: retention.prune_some(conn, node.now)) == retention.NOTHING
    assert {id: node.row(id) for id in kept} == kept
    with database.read() as conn:
        left = set(conn.execute(select(Submission.id).join(Payload, Payload.seq == Submission.seq)).scalars())
        assert left == {*kept} - {ids["published"]}
        assert conn.execute(select(func.count()).select_from(Original)).scalar_one() == 0
        view = queries.submission(conn, ids["published"])
        assert view is not None
        assert [problem.code for problem in intake.problems_of(conn, view)] == ["pruned"]
        heads = conn.execute(
            select(Attempt.answer_head)
            .join(Submission, Submission.seq == Attempt.seq)
            .where(Submission.id == ids["published"])
        )
        assert set(heads.scalars()) == {None}
