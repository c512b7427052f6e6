"""Two that write to the same versions at once, on PostgreSQL: whoever comes second sees what the first did."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, text

from resultsq.delivery import sender
from resultsq.domain.errors import HeadMoved
from resultsq.domain.outcome import Outcome
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import retention
from resultsq.store.engine.session import Database
from resultsq.store.outbox import cycle
from tests.support.nodes import CEILING, StoreNode, accepted, lost, migrated, receipt_for, rejected
from tests.support.waiting import wait_until

Work = Callable[[Connection], Any]


@pytest.fixture
def pg(postgres_store: Database) -> StoreNode:
    """A node on PostgreSQL, where two may write at once, whose link is up."""
    node = StoreNode(postgres_store)
    node.probe()
    return node


def somebody_waits(database: Database) -> bool:
    """Whether a session waits for another's lock."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with database.read() as conn:
        return bool(conn.execute(waiting).scalar_one())


def in_between(node: StoreNode, first: Work, second: Work) -> Any:
    """The first is done and not yet committed when the second begins; what the second said."""
    done, commit = threading.Event(), threading.Event()

    def slowly(conn: Connection) -> None:
        first(conn)
        done.set()
        commit.wait(60)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(node.database.write, slowly)
        assert done.wait(60)
        other: Future[Any] = pool.submit(node.database.write, second)
        wait_until(lambda: other.done() or somebody_waits(node.database), what="the second")
        commit.set()
        one.result(60)
        return other.result(10)


def export(node: StoreNode) -> Callable[[Connection], Any]:
    return lambda conn: outbox.export(conn, node.now, [State.QUEUED], "bundle")


def test_what_is_withdrawn_meanwhile_is_in_no_bundle(pg: StoreNode) -> None:
    made = pg.accept().id
    parted, _ = in_between(pg, lambda conn: outbox.withdraw(conn, pg.now, made), export(pg))
    assert (parted, pg.state(made), pg.row(made).in_doubt) == ([], State.WITHDRAWN, False)


def test_what_is_superseded_meanwhile_is_in_no_bundle(pg: StoreNode) -> None:
    made = pg.accept(rows=1).id
    correction = pg.entry(rows=2, if_match=made)
    parted, _ = in_between(pg, lambda conn: outbox.accept(conn, pg.now, correction), export(pg))
    assert parted == []
    assert (pg.state(made), pg.row(made).in_doubt) == (State.SUPERSEDED, False)


def test_what_is_exported_meanwhile_is_not_withdrawn(pg: StoreNode) -> None:
    made = pg.accept().id

    with pytest.raises(HeadMoved):
        in_between(pg, export(pg), lambda conn: outbox.withdraw(conn, pg.now, made))
    assert (pg.state(made), pg.row(made).in_doubt) == (State.QUEUED, True)


def test_what_is_settled_by_the_list_meanwhile_is_not_taken_back_into_the_queue(pg: StoreNode) -> None:
    made = pg.accept().id
    lease = pg.claim_one()
    row = pg.row(made)
    published = [(row, receipt_for(lease))]
    in_between(
        pg,
        lambda conn: outbox.publish_by_receipt(conn, pg.now, published),
        lambda conn: outbox.void_leases(conn, pg.now, "w1"),
    )
    assert (pg.state(made), pg.row(made).in_doubt) == (State.PUBLISHED, False)


def test_a_correction_that_comes_while_its_version_is_settled_goes_next(pg: StoreNode) -> None:
    made = pg.accept(rows=1).id
    lease = pg.claim_one()
    correction = pg.entry(rows=2, if_match=made)
    end = sender.settlement(lease, accepted(lease), 0.1, 0.5)
    in_between(
        pg,
        lambda conn: outbox.accept(conn, pg.now, correction),
        lambda conn: outbox.settle(conn, pg.now, [end]),
    )
    assert pg.state(made) == State.PUBLISHED
    assert not pg.row(correction.id).blocked, "nothing would ever let it go"
    assert pg.claim_one().submission == correction.id


def test_a_correction_that_comes_while_its_version_is_refused_goes_next(pg: StoreNode) -> None:
    made = pg.accept(rows=1).id
    lease = pg.claim_one()
    correction = pg.entry(rows=2, if_match=made)
    end = sender.settlement(lease, rejected(), 0.1, 0.5)
    in_between(
        pg,
        lambda conn: outbox.accept(conn, pg.now, correction),
        lambda conn: outbox.settle(conn, pg.now, [end]),
    )
    assert pg.state(made) == State.SUPERSEDED
    assert pg.claim_one().submission == correction.id


def test_an_undo_sees_that_what_took_its_place_went_on_its_way_meanwhile(pg: StoreNode) -> None:
    made = pg.accept(rows=1).id
    other = pg.entry(rows=2)
    parted = outbox.BundledVersion(
        other.id, other.kind, "bushy", other.date, made, other.digest, other.rows_digest, 2, "b", pg.now, other.body
    )
    pg.database.write(lambda conn: outbox.adopt(conn, pg.now, parted, pg.events["bushy"]))
    pg.withdraw(made)
    with pytest.raises(HeadMoved):
        in_between(
            pg,
            lambda conn: cycle.run_cycle(conn, pg.now, "w1", [], 1, CEILING),
            lambda conn: outbox.undo_withdrawal(conn, pg.now, made),
        )
    assert (pg.state(made), pg.state(other.id)) == (State.WITHDRAWN, State.SENDING)


def test_what_is_put_back_while_old_sheets_are_removed_keeps_its_sheet(pg: StoreNode) -> None:
    made = pg.accept().id
    pg.withdraw(made)
    pg.pass_time(3600)
    pruned = in_between(
        pg,
        lambda conn: outbox.undo_withdrawal(conn, pg.now, made),
        lambda conn: retention.prune_some(conn, pg.now),
    )
    assert (pruned.submissions, pg.state(made)) == (0, State.QUEUED)
    assert pg.publish_one().submission == made


@pytest.mark.parametrize("end", [lost(), rejected()])
def test_what_another_worker_puts_aside_meanwhile_stays_aside(pg: StoreNode, end: Outcome) -> None:
    made = pg.accept().id
    lease = pg.claim_one()
    ending = sender.settlement(lease, end, 0.1, 0.5)
    (settled,) = in_between(
        pg,
        lambda conn: outbox.put_aside(conn, pg.now, [lease.seq], "its row cannot be read"),
        lambda conn: outbox.settle(conn, pg.now, [ending]),
    )
    assert settled.state is None, "the lease was no longer its own"
    row = pg.row(made)
    assert (row.state, row.in_doubt, row.hold_id is not None) == (State.QUEUED, True, True)


def test_a_connection_that_a_thread_still_has_is_closed_when_it_comes_back_to_a_closed_database(store_url: str) -> None:
    database = migrated(store_url)
    with database.read() as conn:
        driver = conn.connection.dbapi_connection
        database.close()
        assert conn.execute(text("SELECT 1")).scalar_one() == 1
    with pytest.raises(Exception, match=r"closed"):
        driver.cursor().execute("SELECT 1")  # type: ignore[union-attr]
