"""The figures of the states are those of the rows, whatever becomes of a submission, and while others look."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection, delete, func, select, update

from resultsq.domain.destinations import MAIL, MASTER
from resultsq.domain.submission import State
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Base, Payload, StateChange, StateCount, Submission
from resultsq.store.outbox import state_sums
from resultsq.store.views import state_counts
from tests.support.figures import agree
from tests.support.nodes import StoreNode, accepted, rejected


@pytest.fixture
def node(store: Database) -> StoreNode:
    node = StoreNode(store)
    node.probe()
    return node


@pytest.fixture
def postgres(postgres_store: Database) -> StoreNode:
    node = StoreNode(postgres_store)
    node.probe()
    return node


def looks(node: StoreNode) -> None:
    with node.database.read() as conn:
        agree(conn)


def test_the_figures_are_those_of_the_rows_whatever_becomes_of_a_submission(node: StoreNode) -> None:
    looks(node)
    made = [node.accept("bushy", date=f"2013-11-{day:02}") for day in range(1, 21)]
    node.accept_many(9, "richmond")
    looks(node)
    lease = node.claim_one()
    looks(node)
    node.settle(lease, accepted(lease))
    for _ in range(12):
        node.publish_one()
        looks(node)
    for day, first in enumerate(made[:2], 1):
        node.accept("bushy", rows=9, corrects=first.id, date=f"2013-11-{day:02}")
        looks(node)
    node.withdraw(made[-1].id)
    looks(node)
    node.try_one(rejected())
    looks(node)
    while node.count(state=State.QUEUED):
        node.publish_one()
    looks(node)


def test_what_goes_elsewhere_or_is_removed_changes_its_figures(node: StoreNode) -> None:
    node.accept_many(5, "bushy")
    first = node.accept("richmond").id
    of = update(Submission).where(Submission.id == first)
    for change in (
        of.values(destination=MAIL),
        of.values(kind="mail"),
        of.values(event_id=node.events["bushy"]),
        of.values(state="sending"),
        of.values(state="published", destination=MASTER),
        update(Submission).values(state="rejected"),
        delete(Payload),
        delete(Submission),
    ):
        node.database.write(partial(Connection.execute, statement=change))
        looks(node)
    with node.database.read() as conn:
        assert set(state_counts.look(conn).numbers.values()) <= {0}


def test_adding_up_changes_no_figure_and_leaves_one_row_of_each(postgres: StoreNode) -> None:
    postgres.accept_many(7, "bushy")
    postgres.accept_many(3, "richmond")
    for _ in range(4):
        postgres.publish_one()
    with postgres.database.read() as conn:
        before, changes = state_counts.look(conn), count(conn, StateChange)
        assert state_sums.any_left(conn)
    assert changes == 10 + 2 * 4
    postgres.database.write(lambda conn: state_sums.add_up(conn, most=5))
    with postgres.database.read() as conn:
        assert (state_counts.look(conn), count(conn, StateChange)) == (before, changes - 5)
    postgres.database.write(state_sums.add_up)
    with postgres.database.read() as conn:
        assert state_counts.look(conn) == before
        assert (state_sums.any_left(conn), count(conn, StateCount)) == (False, 4)
        agree(conn)


def test_several_add_up_while_others_write(postgres: StoreNode) -> None:
    """Each change is added once, nobody waits for another in a circle, and a look in between is true."""
    stop, failed = threading.Event(), list[BaseException]()

    def until_stopped(do: Callable[[], object]) -> threading.Thread:
        def again() -> None:
            try:
                while not stop.is_set():
                    do()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=again)
        thread.start()
        return thread

    def total() -> None:
        with postgres.database.read() as conn:
            found = state_counts.look(conn).in_each_state()
        assert min(found.values()) >= 0

    def add() -> None:
        postgres.database.write(lambda conn: state_sums.add_up(conn, 7))

    threads = [until_stopped(do) for do in (add, add, add, total)]
    for day in range(1, 29):
        for event in ("bushy", "richmond"):
            postgres.accept(event, date=f"2013-11-{day:02}")
        postgres.publish_one()
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failed == []
    looks(postgres)


def count(conn: Connection, table: type[Base]) -> int:
    return conn.execute(select(func.count()).select_from(table)).scalar_one()
