"""A prepared statement does on both databases what SQLAlchemy would do with the same one."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, event, insert, select
from sqlalchemy.exc import IntegrityError

from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import MASTER, ClientKey, Link, Submission
from resultsq.store.outbox import links
from tests.support.nodes import StoreNode

NEW_KEY = insert(ClientKey).returning(ClientKey.key)


def test_a_row_is_the_same_by_either_way(node: StoreNode) -> None:
    submission = node.accept("bushy").id
    values = {
        "event_id": node.events["bushy"],
        "content": "100 % of it: a 'quote', a \"quote\", a :colon and é",
        "submission": submission,
        "created_at": node.now + timedelta(microseconds=1),
    }
    prepared = PreparedStatement(NEW_KEY)

    def work(conn: Connection) -> None:
        assert conn.execute(NEW_KEY, {**values, "key": "usual"}).scalar_one() == "usual"
        for key in ("first", "second"):
            assert prepared.one(conn, {**values, "key": key}).key == key

    node.database.write(work)
    with node.database.read() as conn:
        rows = {row.key: row[2:] for row in conn.execute(select(ClientKey.__table__))}
    assert rows["usual"] == rows["first"] == rows["second"]


def test_times_and_flags_are_read_as_by_the_usual_way(node: StoreNode) -> None:
    every, looked = select(Link).where(Link.name == bindparam("name")), {"name": MASTER}
    node.database.write(lambda conn: links.suspect(conn, node.now))
    with node.database.read() as conn:
        usual = conn.execute(every, looked).one()
        prepared = PreparedStatement(every).one(conn, looked)
    assert prepared._asdict() == usual._asdict()
    assert [type(value) for value in prepared] == [type(value) for value in usual]
    assert prepared.suspect is True
    assert prepared.suspect_at == node.now


def test_a_default_is_not_forgotten_when_a_value_is_missing(node: StoreNode) -> None:
    prepared = PreparedStatement(insert(Submission))
    with pytest.raises(AssertionError, match=r"no value for .*attempts"):
        node.database.write(lambda conn: prepared.run(conn, {"id": "x"}))


def test_a_question_with_a_list_is_not_made_ready(node: StoreNode) -> None:
    prepared = PreparedStatement(select(Submission.id).where(Submission.state.in_(["queued", "sending"])))
    with pytest.raises(AssertionError, match="written anew"):
        node.database.write(lambda conn: prepared.run(conn, {}))


def test_an_error_is_the_same_by_either_way_and_does_not_quote_the_values(node: StoreNode) -> None:
    values = {
        "event_id": node.events["bushy"], "key": "same", "content": "A1234567", "created_at": node.now,
        "submission": node.accept("bushy").id,
    }  # fmt: skip
    prepared = PreparedStatement(NEW_KEY)
    node.database.write(lambda conn: prepared.run(conn, values))

    def usual(conn: Connection) -> None:
        conn.execute(NEW_KEY, values)

    for work in (usual, lambda conn: prepared.run(conn, values)):
        with pytest.raises(IntegrityError) as told:
            node.database.write(work)
        assert "INSERT INTO" in str(told.value)
        assert "A1234567" not in str(told.value)


def test_sqlite_is_given_limits_as_numbers(node: StoreNode) -> None:
    """It plans a statement anew whenever its limit is given as a parameter, which takes longer than to execute it."""
    statements: list[str] = []

    def hear(_conn: object, _cursor: object, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(node.database.engine, "before_cursor_execute", hear)
    node.probe()
    node.accept("bushy")
    node.claim(free=3)
    event.remove(node.database.engine, "before_cursor_execute", hear)
    limited = [one for one in statements if "LIMIT" in one]
    assert any("INSERT INTO submissions" in one for one in limited)
    assert any("FROM submissions" in one and "INSERT" not in one for one in limited)
    if node.database.is_sqlite:
        assert not [one for one in limited if re.search(r"(LIMIT|OFFSET) [?:_]", one)]
