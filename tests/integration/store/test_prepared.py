"""A prepared statement does on both databases what SQLAlchemy would do with the same one."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select

from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import ClientKey, Submission
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
            assert prepared.run(conn, {**values, "key": key}).scalar_one() == key

    node.database.write(work)
    with node.database.read() as conn:
        rows = {row.key: row[2:] for row in conn.execute(select(ClientKey.__table__))}
    assert rows["usual"] == rows["first"] == rows["second"]


def test_a_default_is_not_forgotten_when_a_value_is_missing(node: StoreNode) -> None:
    prepared = PreparedStatement(insert(Submission))
    with pytest.raises(AssertionError, match=r"no value for .*attempts"):
        node.database.write(lambda conn: prepared.run(conn, {"id": "x"}))


def test_a_question_with_a_list_is_not_made_ready(node: StoreNode) -> None:
    prepared = PreparedStatement(select(Submission.id).where(Submission.state.in_(["queued", "sending"])))
    with pytest.raises(AssertionError, match="written anew"):
        node.database.write(lambda conn: prepared.run(conn, {}))
