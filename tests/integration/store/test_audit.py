"""The audit is only added to: the database itself refuses anything else, whoever asks."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from resultsq import sqlite
from resultsq.domain.filter import Filter
from resultsq.store.admin import actions, retention
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Action, Audit, AuditSubmission
from resultsq.store.views import queries, submission_detail
from resultsq.store.views.submission_detail import AuditView
from tests.integration.store.test_plans import explain, heard
from tests.support.nodes import StoreNode

TABLES = ("audit", "audit_submissions")


def lines_of(node: StoreNode, submission: str) -> list[AuditView]:
    with node.database.read() as conn:
        view = queries.submission(conn, submission)
        assert view is not None
        return submission_detail.audit_of(conn, view)


def told(node: StoreNode, submission: str) -> list[tuple[str, str, int]]:
    return [(one.who, one.action, one.count) for one in lines_of(node, submission)]


def act_on_all(node: StoreNode, verb: str, filter_: Filter) -> str:
    action = actions.start(node.database, node.now, "op", verb, filter_, "a reason")
    while node.database.write(lambda conn: actions.advance(conn, node.now, action, 2)):
        continue
    return action


def everything(node: StoreNode) -> list[tuple[object, ...]]:
    with node.database.read() as conn:
        return [tuple(row) for table in (Audit, AuditSubmission) for row in conn.execute(select(table.__table__))]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_nothing_is_changed_or_removed_when_somebody_tries(up: StoreNode, table: str, statement: str) -> None:
    up.act("hold", up.accept().id)
    before = everything(up)
    column = "count" if table == "audit" else "seq"
    with pytest.raises(DBAPIError, match="The audit is only added to"):
        up.database.write(lambda conn: conn.execute(text(statement.format(table, column, column))))
    assert everything(up) == before
    assert len(before) == 2


@pytest.mark.parametrize("table", TABLES)
def test_no_line_takes_another_ones_place_when_somebody_tries(up: StoreNode, table: str) -> None:
    up.act("hold", up.accept().id)
    before = everything(up)
    key, column = ("id", "count") if table == "audit" else ("seq, audit_id", "seq")
    same = f"INTO {table} SELECT * FROM {table} WHERE true"
    statements = [f"INSERT {same} ON CONFLICT ({key}) DO UPDATE SET {column} = 7"]
    if up.database.is_sqlite:
        statements += [f"INSERT OR REPLACE {same}", f"REPLACE {same}"]
    for statement in statements:
        with pytest.raises(DBAPIError, match="The audit is only added to"):
            up.database.write(lambda conn, one=statement: conn.execute(text(one)))  # type: ignore[misc]
    if up.database.is_sqlite:
        with closing(sqlite.driver.connect(str(up.database.url.database))) as another:
            for statement in statements:
                with pytest.raises(sqlite.driver.DatabaseError, match="The audit is only added to"):
                    another.execute(statement)
    assert everything(up) == before


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_truncated_when_somebody_tries(postgres_store: Database, table: str) -> None:
    with pytest.raises(DBAPIError, match="The audit is only added to"):
        postgres_store.write(lambda conn: conn.execute(text(f"TRUNCATE {table} CASCADE")))


def test_old_sheets_are_pruned_and_the_audit_stays_when_personal_data_goes(up: StoreNode) -> None:
    made = up.accept().id
    up.act("retry", made)
    up.publish_one()
    before, later = everything(up), up.now + timedelta(days=400)
    assert up.database.write(lambda conn: retention.prune_some(conn, later)).submissions == 1
    assert everything(up) == before
    assert told(up, made) == [("op", "retry", 1)]


def test_each_submission_tells_who_did_what_when_it_was_done_by_a_filter(up: StoreNode) -> None:
    mine = [up.accept(date=f"2013-12-{day:02}").id for day in range(1, 6)]
    other = up.accept("richmond").id
    act_on_all(up, "hold", Filter(events=("bushy",)))
    action = act_on_all(up, "withdraw", Filter(events=("bushy",)))
    for one in mine:
        assert told(up, one) == [("op", "withdraw", 5), ("op", "hold", 5)]
        assert lines_of(up, one)[0].target["of"] == action
    assert told(up, other) == []


def test_only_what_was_changed_tells_of_it_when_others_had_moved_on(up: StoreNode) -> None:
    gone, left = up.accept().id, up.accept("richmond").id
    up.publish_one()
    act_on_all(up, "withdraw", Filter())
    assert told(up, gone) == []
    assert told(up, left) == [("op", "withdraw", 2)]


def test_it_is_told_of_a_decision_about_one(up: StoreNode) -> None:
    made = up.accept().id
    up.act("retry", made)
    assert told(up, made) == [("op", "retry", 1)]


def test_it_is_found_by_an_index_when_ten_thousand_lines_are_about_others(up: StoreNode) -> None:
    made = up.accept().id
    up.act("retry", made)
    filler = [{"at": up.now, "who": "x", "action": "hold", "target": {}, "count": 1, "reason": ""}] * 10_000
    up.database.write(lambda conn: conn.execute(insert(Audit), filler))
    with up.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")
    with heard(up.database, "audit") as statements:
        assert told(up, made) == [("op", "retry", 1)]
    (statement,) = statements
    plan = "\n".join(explain(up.database, statement, "EXPLAIN QUERY PLAN" if up.database.is_sqlite else "EXPLAIN"))
    assert "SCAN audit " not in plan
    assert "Seq Scan on audit " not in plan


def test_an_action_goes_on_when_the_version_before_began_it(up: StoreNode) -> None:
    made = up.accept().id
    action = actions.start(up.database, up.now, "op", "hold", [made], "a reason")

    def as_before(conn: Connection) -> None:
        conn.execute(update(Action).where(Action.id == action).values(audit_id=None))

    up.database.write(as_before)
    assert not up.database.write(lambda conn: actions.advance(conn, up.now, action))
    assert up.row(made).hold_id is not None
    assert told(up, made) == []
