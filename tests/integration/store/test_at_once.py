"""A first version on PostgreSQL: one statement that stores what the usual path stores, or nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select, text

from resultsq.app import submissions
from resultsq.app.context import AppContext
from resultsq.domain.entry import NO_EVENT, File, Slip
from resultsq.domain.errors import HeadMoved, KeyReused, QuotaReached, StoreUnavailable, StoreUnsure
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Chain, ClientKey, EventDay, Payload, Submission
from resultsq.store.outbox import Acknowledgement, Entry, at_once
from resultsq.store.outbox.day_counts import Used
from resultsq.wakeup import Bell
from tests.support.manual_clock import ManualClock
from tests.support.nodes import StoreNode

TABLES = (Chain, Submission, Payload, ClientKey, EventDay)
DIFFERS = {
    "id",
    "seq",
    "chain_id",
    "head",
    "date",
    "subject",
    "round",
    "key",
    "submission",
    "digest",
    "body",
    "content",
}
"""What two submissions of one event do not share."""

NO_LIMIT = Used(0, 0)


@pytest.fixture
def node(postgres_store: Database) -> StoreNode:
    return StoreNode(postgres_store)


def first(node: StoreNode, entry: Entry, most: Used = NO_LIMIT) -> Acknowledgement | None:
    return at_once.accept_first(node.database, node.now, entry, most.submissions, most.bytes)


def keep(node: StoreNode, entry: Entry, **settings: Any) -> Acknowledgement:
    """As every entry point does."""
    ctx = AppContext(Settings(**settings), node.database, ManualClock(node.now), Bell(""))
    return submissions.keep(ctx, node.now, entry)


def stored(node: StoreNode) -> dict[str, list[dict[str, Any]]]:
    with node.database.read() as conn:
        found = {table.__tablename__: conn.execute(select(table)).mappings().all() for table in TABLES}
    return {name: [dict(row) for row in rows] for name, rows in found.items()}


def alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in DIFFERS} for row in rows]


def test_it_stores_what_the_usual_path_stores(node: StoreNode) -> None:
    made = node.entry("bushy", date="2013-11-30", client_key="a")
    assert first(node, made) == Acknowledgement(made.id, node.state(made.id), made.digest, created=True)
    node.database.write(
        lambda conn: submissions.accept(
            conn, node.now, node.entry("bushy", date="2013-12-07", client_key="b"), submissions.Quota(0, 0)
        )
    )
    rows = stored(node)
    for name in ("chains", "submissions", "payloads", "client_keys"):
        one, other = alike(rows[name])
        assert one == other, name
    mine = next(row for row in rows["submissions"] if row["id"] == made.id)
    chain = next(row for row in rows["chains"] if row["id"] == mine["chain_id"])
    assert (chain["head"], mine["date"], mine["round"]) == (made.id, made.date, 0)
    assert {row["content"][:10] for row in rows["client_keys"]} == {"2013-11-30", "2013-12-07"}
    assert next(row["body"] for row in rows["payloads"] if row["seq"] == mine["seq"]) == made.body
    (day,) = rows["event_days"]
    assert (day["submissions"], day["bytes"]) == (2, sum(len(row["body"]) for row in rows["payloads"]))


def test_each_goes_in_the_round_of_the_usual_path(node: StoreNode) -> None:
    for day in ("2013-11-23", "2013-11-30", "2013-12-07"):
        assert first(node, node.entry("bushy", date=day))
        node.accept("richmond", date=day)
    rows = stored(node)["submissions"]
    rounds = {name: [row["round"] for row in rows if row["event_id"] == number] for name, number in node.events.items()}
    assert rounds["bushy"] == rounds["richmond"] == [0, 1, 2]


def test_what_is_unusual_is_left_to_the_usual_path_and_leaves_nothing_behind(node: StoreNode) -> None:
    here = node.entry("bushy", client_key="used")
    assert first(node, here)
    before = stored(node)
    size = len(here.body)
    unusual = {
        "there is a version": node.entry("bushy", rows=4),
        "the same again": node.entry("bushy"),
        "a key that was used": node.entry("bushy", date="2013-12-14", client_key="used"),
        "a correction": node.entry("richmond", if_match="another"),
        "files": node.entry("richmond", files=(File("a.csv", "times", "d", b"1"),)),
        "personal": node.entry("richmond", slip=Slip("A. Person", None)),
        "of no event": replace(node.entry("richmond"), event_id=NO_EVENT),
    }
    for name, entry in unusual.items():
        assert first(node, entry) is None, name
    for most in (Used(1, 0), Used(0, 2 * size - 1)):
        assert first(node, node.entry("bushy", date="2013-12-21"), most) is None, most
    assert stored(node) == before
    assert first(node, node.entry("bushy", date="2013-12-21"), Used(2, 2 * size + 99))


def test_the_usual_path_says_what_became_of_it(node: StoreNode) -> None:
    here = keep(node, node.entry("bushy", client_key="used"))
    assert keep(node, node.entry("bushy")) == replace(here, created=False)
    with pytest.raises(HeadMoved):
        keep(node, node.entry("bushy", rows=4))
    with pytest.raises(KeyReused):
        keep(node, node.entry("bushy", date="2013-12-14", client_key="used"))
    with pytest.raises(QuotaReached):
        keep(node, node.entry("bushy", date="2013-12-14"), event_submissions_per_day=1)
    assert len(stored(node)["submissions"]) == 1


def test_of_many_that_hand_in_the_same_at_once_one_is_stored(node: StoreNode) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: keep(node, node.entry("bushy")), range(16)))
    assert [one.created for one in told].count(True) == 1
    assert len({one.id for one in told}) == 1
    assert len(stored(node)["submissions"]) == 1


def test_an_acceptance_is_one_statement_without_a_transaction_around_it(node: StoreNode) -> None:
    asked: list[str] = []

    def hear(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(node.database.engine, "before_cursor_execute", hear)
    try:
        keep(node, node.entry("bushy"))
    finally:
        event.remove(node.database.engine, "before_cursor_execute", hear)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("PERFORM pg_terminate_backend(pg_backend_pid())", StoreUnsure),
        ("RAISE EXCEPTION USING ERRCODE = '53200'", None),
    ],
)
def test_a_connection_that_is_lost_meanwhile_leaves_it_unsure_and_a_refusal_does_not(
    node: StoreNode, then: str, told: type[Exception] | None
) -> None:
    with node.database.alone() as conn:
        conn.execute(text(f"CREATE FUNCTION a_fault() RETURNS trigger AS $$ BEGIN {then}; END $$ LANGUAGE plpgsql"))
        conn.execute(text("CREATE TRIGGER a_fault BEFORE INSERT ON payloads FOR EACH ROW EXECUTE FUNCTION a_fault()"))
    try:
        with pytest.raises(StoreUnavailable) as raised:
            keep(node, node.entry("bushy"))
    finally:
        with node.database.alone() as conn:
            conn.execute(text("DROP FUNCTION a_fault CASCADE"))
    assert isinstance(raised.value, StoreUnsure) == (told is StoreUnsure)
    assert not stored(node)["submissions"]
    assert keep(node, node.entry("bushy")).created, "the connection that is used next is a good one"
