"""A turn costs the same however many wait: it reads a few rows of one index, and never the table."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text, update

from resultsq.domain.submission import State
from resultsq.store import links, outbox, turn
from resultsq.store.session import Database
from resultsq.store.tables import Link
from tests.support.nodes import CEILING, NOW, Node, migrated

Statement = tuple[str, Any]

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) INSERT INTO "
_FILL = (
    "chains (id, kind, event_id, date, versions) SELECT i, 'results', {event}, CAST(i AS text), 1 FROM n",
    "submissions (seq, id, kind, chain_id, event_id, date, version, state, state_at, digest, rows_digest, size,"
    " finishers,"
    " submitted_by, accepted_at, request_id, blocked, wait_s, attempts, failures, silences, in_doubt, lease_s,"
    " next_attempt_at)"
    " SELECT i, 'id-' || i, 'results', i, {event}, CAST(i AS text), 1, 'queued', :now, 'd', 'r', 2, 1,"
    " 't', :now, '', false, 60.0, 0, 0, 0, false, 0.0,"
    " CASE WHEN i % 100 = 0 THEN :due WHEN i % 50 = 0 THEN :soon END FROM n",
    "payloads (seq, body) SELECT i, :body FROM n",
)


def fill(node: Node, last: int, first: int = 1) -> None:
    """So many that wait, one in a hundred put off and due again, one for half a minute: not the long way, by accept."""
    numbers = {"first": first, "last": last, "event": node.events["bushy"]}
    asked: dict[str, Any] = {
        "now": NOW.replace(tzinfo=None),
        "due": NOW - timedelta(seconds=1),
        "soon": NOW + timedelta(seconds=30),
        "body": b"{}",
    }
    if node.database.is_sqlite:
        asked |= {name: f"{asked[name]:%Y-%m-%d %H:%M:%S.%f}" for name in ("now", "due", "soon")}

    def work(conn: Connection) -> None:
        for table in _FILL:
            conn.execute(text((_NUMBERS + table).format(**numbers)), asked)
        if not node.database.is_sqlite:
            for column in ("chains', 'id", "submissions', 'seq"):
                conn.execute(text(f"SELECT setval(pg_get_serial_sequence('{column}'), {last})"))
        conn.execute(
            update(Link).values(window=CEILING, opened_at=NOW - timedelta(hours=1), return_seq=last // 2, turns=0)
        )

    node.database.write(work)
    with node.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")


@pytest.fixture
def up(store_url: str) -> Iterator[Node]:
    """A node whose link is up, on a database of its own: to empty one of so many rows takes longer."""
    database = migrated(store_url)
    node = Node(database)
    node.probe()
    yield node
    database.close()


@contextmanager
def heard(database: Database) -> Iterator[list[Statement]]:
    """The statements on submissions that run within the block."""
    found: list[Statement] = []

    def hear(_conn: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if re.search(r"\b(FROM|UPDATE) submissions", statement):
            found.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


def explain(database: Database, statement: Statement, how: str) -> list[Any]:
    """The plan's rows. Nothing that an explained statement does stays."""
    with database.engine.connect() as conn, conn.begin() as begun:
        try:
            return [row[-1] for row in conn.exec_driver_sql(f"{how} {statement[0]}", statement[1])]
        finally:
            begun.rollback()


def a_turn(node: Node) -> Callable[[Connection], object]:
    def work(conn: Connection) -> object:
        taken = turn.take(conn, node.now, "w1", [], CEILING, CEILING)
        assert len(taken.leases) == CEILING
        return taken

    return work


WORK: dict[str, Callable[[Node], Callable[[Connection], object]]] = {
    "a turn": a_turn,
    "a start": lambda node: lambda conn: outbox.void_leases(conn, node.now, "w1"),
    "a chore": lambda node: lambda conn: outbox.mend_stepped_clock(conn, node.now),
    "a return": lambda node: lambda conn: outbox.release_from_link(conn),
    "a look": lambda node: lambda conn: links.look(conn, node.now, "w1"),
    "an acceptance": lambda node: lambda conn: outbox.accept(conn, node.now, node.entry("richmond")),
}


def test_every_statement_of_a_worker_and_of_accept_goes_by_an_index_when_50_000_wait(up: Node) -> None:
    fill(up, 50_000)
    sqlite = up.database.is_sqlite
    questions: list[Statement] = []
    for name, work in WORK.items():
        with heard(up.database) as statements:
            up.database.write(work(up))
        for statement in statements:
            plan = "\n".join(explain(up.database, statement, "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"))
            whole = "SCAN submissions" if sqlite else "Seq Scan on submissions"
            assert whole not in plan, f"{name}: {statement[0]}\n{plan}"
            if "events" in statement[0] and "LIMIT" in statement[0]:
                questions.append(statement)
                assert "ix_submissions_due" in plan, plan
                assert not re.search(r"TEMP B-TREE|Sort", plan), f"it is sorted a second time\n{plan}"
    assert len(questions) == 3, "a claim asks for old ones, for new ones, and for what was put off"


def rows_read(plan: dict[str, Any]) -> int:
    """How many rows of submissions a plan of PostgreSQL's EXPLAIN ANALYZE looked at."""
    here = plan.get("Relation Name") == "submissions"
    seen = plan["Actual Rows"] * plan["Actual Loops"] + plan.get("Rows Removed by Filter", 0) if here else 0
    return int(seen) + sum(rows_read(part) for part in plan.get("Plans", []))


def cost(node: Node) -> int:
    """Steps of SQLite's machine in a turn, or rows that PostgreSQL looks at in one."""
    with heard(node.database) as statements:
        node.database.write(a_turn(node))
    node.database.write(lambda conn: outbox.void_leases(conn, node.now, "w1"))
    if not node.database.is_sqlite:
        questions = [one for one in statements if one[0].startswith("SELECT")]
        plans = [explain(node.database, one, "EXPLAIN (ANALYZE, FORMAT JSON)")[0] for one in questions]
        return sum(rows_read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]) for plan in plans)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def counted(conn: Connection) -> None:
        driver: Any = conn.connection.driver_connection
        driver.set_progress_handler(step, 1)
        try:
            a_turn(node)(conn)
        finally:
            driver.set_progress_handler(None, 1)

    node.database.write(counted)
    node.database.write(lambda conn: outbox.void_leases(conn, node.now, "w1"))
    return steps


def test_a_turn_costs_the_same_when_100_or_100_000_wait(up: Node) -> None:
    fill(up, 100)
    few = cost(up)
    fill(up, 100_000, first=101)
    many = cost(up)
    assert few > 0
    assert many <= 1.5 * few, f"{few} for 100, {many} for 100,000"
    assert up.count(state=State.QUEUED) == 100_000


def test_the_others_go_on_when_ten_thousand_of_one_event_are_held_before_them(up: Node) -> None:
    fill(up, 10_000)
    up.hold("bushy")
    other = up.accept("richmond").id
    assert [lease.submission for lease in up.claim()] == [other]
