"""A registration from the runner to the receipt: a number at once, sealed until the master has it, then deleted."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from resultsq.delivery import bundle
from resultsq.domain.errors import KeyReused, SheetRefused
from resultsq.domain.outcome import Accepted, Cause
from resultsq.domain.submission import State
from resultsq.master.ledger import Ledger
from resultsq.sealed import PersonalKeys
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Attempt, Payload, Submission
from resultsq.store.outbox import aside, faulty_rows, no_event
from resultsq.store.views import queries
from tests.integration.masters.far import TOKENS
from tests.integration.registrations.conftest import RegisteringNode
from tests.support.nodes import NOW

Make = Callable[..., RegisteringNode]

PRIVATE = (b"zoe1@example.org", b"1990-01-31", b"Mustermann", b"7946")


def registered_at(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger._writing() as connection:
        rows = connection.exec_driver_sql("SELECT submission, athlete FROM master_registrations ORDER BY athlete")
        return [(row[0], row[1]) for row in rows]


def everything(database: Database) -> bytes:
    """All that the database holds, as one text."""
    with database.read() as conn:
        tables = [row[0] for row in conn.execute(text(_TABLES[conn.dialect.name]))]
        rows = [row for name in tables for row in conn.execute(text(f'SELECT * FROM "{name}"'))]
    cells = (cell for row in rows for cell in row)
    return b"\n".join(bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in cells)


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
}


def test_the_number_is_final_at_once_and_the_master_has_it_as_it_was_shown(
    node: RegisteringNode, ledger: Ledger
) -> None:
    assert node.lease()
    given = node.register()
    assert (given.slip.name, given.slip.number, given.created) == ("Zoë 1 O'Brien", "A90000000", True)
    assert node.left() == 19
    (outcome,) = node.send()
    assert isinstance(outcome, Accepted)
    assert registered_at(ledger) == [(given.submission, "A90000000")]
    assert node.store.state(given.submission) is State.PUBLISHED
    assert node.number(given.submission) == "A90000000"


def test_personal_data_is_sealed_until_the_master_has_it_and_deleted_then(node: RegisteringNode) -> None:
    node.lease()
    given = node.register()
    before = everything(node.database)
    assert not [one for one in PRIVATE if one in before]
    assert "Zoë 1 O'Brien".encode() in before
    with node.database.read() as conn:
        seq = node.store.row(given.submission).seq
        assert conn.execute(select(Payload.body).where(Payload.seq == seq)).scalar_one()
        assert queries.body(conn, seq) is None, "no page has it"
    node.send()
    after = everything(node.database)
    assert not [one for one in PRIVATE if one in after]
    with node.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(Payload)).scalar_one() == 0
        assert all(row.answer_body is None for row in conn.execute(select(Attempt)) if row.outcome != "accepted")


def test_without_a_block_the_receipt_brings_the_number(node: RegisteringNode, ledger: Ledger) -> None:
    given = node.register()
    assert given.slip.number is None
    node.send()
    ((submission, athlete),) = registered_at(ledger)
    assert (submission, node.number(given.submission)) == (given.submission, athlete)


def test_the_same_person_twice_is_taken_here_and_the_master_decides(node: RegisteringNode, ledger: Ledger) -> None:
    node.lease()
    first, second = node.register(), node.register()
    assert first.slip.number != second.slip.number
    outcomes = node.send()
    assert sorted(type(one).__name__ for one in outcomes) == ["Accepted", "Conflict"]
    states = Counter(node.store.state(one.submission) for one in (first, second))
    assert states == {State.PUBLISHED: 1, State.CONFLICT: 1}
    assert len(registered_at(ledger)) == 1
    (conflict,) = [one for one in (first, second) if node.store.state(one.submission) is State.CONFLICT]
    row = node.store.row(conflict.submission)
    assert (row.cause, row.detail) == (
        "already-registered",
        "This person may be registered already. Nothing was changed.",
    )
    node.store.withdraw(conflict.submission)
    assert node.store.state(conflict.submission) is State.WITHDRAWN


def test_a_second_tap_is_the_same_registration_and_takes_no_second_number(node: RegisteringNode) -> None:
    node.lease()
    own = str(uuid.uuid4())
    gate = threading.Barrier(8)

    def tap(_n: int) -> Any:
        gate.wait()
        return node.register(submission=own)

    with ThreadPoolExecutor(8) as pool:
        taps = list(pool.map(tap, range(8)))
    assert {(one.slip.number, one.submission) for one in taps} == {("A90000000", own)}
    assert sum(one.created for one in taps) == 1
    assert (node.left(), node.store.count(kind="registrations")) == (19, 1)
    node.send()
    again = node.register(submission=own)
    assert (again.slip.number, again.created) == ("A90000000", False), "its data is gone, and its name is the same"


def test_an_id_that_stands_for_something_else_is_refused_and_nothing_is_taken(node: RegisteringNode) -> None:
    node.lease()
    first = node.register()
    with pytest.raises(KeyReused):
        node.register(submission=first.submission, email="another@example.org")
    results = node.store.accept()
    with pytest.raises(KeyReused):
        node.register(submission=results.id)
    node.send()
    with pytest.raises(KeyReused):
        node.register(2, submission=first.submission)
    assert node.left() == 19


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"born": "2013-12-09"}, "/born"),
        ({"born": "1880-01-01"}, "/born"),
        ({"email": "x"}, "/email"),
        ({"athlete": "A1"}, "/athlete"),
        ({"salt": "0123456789abcdef0"}, "/salt"),
    ],
)
def test_what_cannot_be_takes_no_number(sqlite_node: RegisteringNode, changes: dict[str, Any], pointer: str) -> None:
    sqlite_node.lease()
    with pytest.raises(SheetRefused) as refused:
        sqlite_node.register(**changes)
    assert [where.pointer for problem in refused.value.problems for where in problem.where] == [pointer]
    assert (sqlite_node.left(), sqlite_node.store.count()) == (20, 0)


def test_a_missing_key_puts_it_aside_and_results_go_on(make_node: Make, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    node = make_node(url)
    given = node.register()
    results = node.store.accept()
    stranger = Database(url, lambda: PersonalKeys.of([bytes([7]) * 32]))
    try:
        faulty_rows.put_aside_faulty(stranger, NOW, "w1", 8)
    finally:
        stranger.close()
    assert node.store.row(given.submission).detail == aside.NO_KEY
    assert node.store.row(results.id).hold_id is None
    node.store.act("release", given.submission)
    node.send()
    assert node.store.state(given.submission) is State.PUBLISHED


@pytest.mark.long
def test_two_nodes_register_hundreds_in_an_outage_and_no_number_is_printed_twice(
    make_node: Make, ledger: Ledger, tmp_path: Path, postgres_url: str
) -> None:
    nodes = [make_node(f"sqlite:///{tmp_path / 'store.db'}", TOKENS[0]), make_node(postgres_url, TOKENS[1])]
    for node in nodes:
        for _ in range(5):
            node.lease_one(20)
        node.store.probe(Cause.REFUSED)

    def crowd(node: RegisteringNode, first: int) -> list[Any]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(node.register, range(first, first + 110)))

    with ThreadPoolExecutor(2) as pool:
        slips = [one for some in pool.map(crowd, nodes, (0, 1000)) for one in some]
    printed = [one.slip.number for one in slips if one.slip.number is not None]
    assert len(printed) == len(set(printed)) == 200
    for node in nodes:
        assert (node.left(), node.store.count(kind="registrations")) == (0, 110)
        node.store.probe()
        while node.store.count(state="queued"):
            assert all(isinstance(one, Accepted) for one in node.send())
            node.store.pass_time(60)
    there = dict(registered_at(ledger))
    assert len(there) == len(set(there.values())) == 220
    assert all(there[one.submission] == one.slip.number for one in slips if one.slip.number is not None)


def test_a_bundle_carries_it_opened_and_both_nodes_keep_it_sealed(make_node: Make, tmp_path: Path) -> None:
    node, other = make_node(f"sqlite:///{tmp_path / 'one.db'}"), make_node(f"sqlite:///{tmp_path / 'two.db'}")
    node.lease()
    given = node.register()
    (version,), _last = node.database.write(lambda conn: outbox.export(conn, NOW, [State.QUEUED], "export"))
    assert b"zoe1@example.org" in version.body
    locks = bundle.keys(bundle.new_key())
    (carried,) = bundle.unseal(bundle.seal([version], NOW, locks), locks)
    other.database.write(lambda conn: outbox.adopt(conn, NOW, carried, no_event.ensure_no_event(conn, NOW)))
    assert b"zoe1@example.org" not in everything(other.database)
    assert other.number(given.submission) == given.slip.number
    other.send()
    with other.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(Payload)).scalar_one() == 0
        assert conn.execute(select(Submission.personal)).scalar_one()
