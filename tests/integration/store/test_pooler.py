"""PostgreSQL behind a pooler that gives each transaction another connection to the server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text

from resultsq import doctor
from resultsq.clock import SystemClock
from resultsq.doctor import CheckTarget, Level
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from tests.conftest import started
from tests.support import services
from tests.support.nodes import StoreNode, accepted, migrated
from tests.support.poolers import CONNECTIONS, PgBouncer
from tests.support.processes import OtherMaster
from tests.support.proxy import Proxy
from tests.support.relays import Relay

pytestmark = pytest.mark.long

LIMITS = {"statement_timeout": "15s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}
ROUNDS = 8
"""More often than a statement is run before the driver prepares it at the server."""


@pytest.fixture(scope="module", params=["session", "transaction"])
def pooler(request: pytest.FixtureRequest, postgresql: services.PostgreSQL) -> Iterator[PgBouncer]:
    """A pooler in each mode that can work, in turn."""
    with started(lambda: PgBouncer(postgresql.port, request.param)) as server:
        yield server


@pytest.fixture(scope="module")
def by_transaction(postgresql: services.PostgreSQL) -> Iterator[PgBouncer]:
    """A pooler in transaction mode."""
    with started(lambda: PgBouncer(postgresql.port, "transaction")) as server:
        yield server


@pytest.fixture(scope="module")
def by_statement(postgresql: services.PostgreSQL) -> Iterator[PgBouncer]:
    """A pooler in statement mode."""
    with started(lambda: PgBouncer(postgresql.port, "statement")) as server:
        yield server


def limits(conn: Connection) -> dict[str, str]:
    return {name: conn.execute(text(f"SHOW {name}")).scalar_one() for name in LIMITS}


def connect(url: str) -> psycopg.Connection:
    """As another program does."""
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False), autocommit=True)


def publish_some(node: StoreNode) -> None:
    """Versions that are accepted, claimed and settled, one by one, as often as the driver needs to get used to them."""
    for day in range(1, ROUNDS + 1):
        node.accept(date=f"2013-11-{day:02}")
        (lease,) = node.claim()
        node.settle(lease, accepted(lease))


def test_submissions_are_accepted_held_and_published_through_a_pooler(pooler: PgBouncer, postgres_url: str) -> None:
    with closing(migrated(pooler.through(postgres_url))) as database:
        node = StoreNode(database)
        node.probe()
        publish_some(node)
        for day in range(1, ROUNDS + 1):
            hold = node.hold("richmond")
            node.accept("richmond", date=f"2013-11-{day:02}")
            assert not node.claim()
            node.release(hold)
            (lease,) = node.claim()
            node.settle(lease, accepted(lease))
        assert node.count(state=State.PUBLISHED) == 2 * ROUNDS


def test_transactions_change_places_behind_a_pooler_and_none_meets_what_another_left(
    by_transaction: PgBouncer, postgres_url: str
) -> None:
    """With many more at once than the pooler has connections, so that each statement meets them all."""
    with closing(migrated(by_transaction.through(postgres_url))) as database:
        node = StoreNode(database)

        def team(event: str) -> None:
            for day in range(1, ROUNDS + 1):
                node.accept(event, date=f"2013-11-{day:02}")
                with database.snapshot() as conn:
                    assert limits(conn) == LIMITS

        with ThreadPoolExecutor(2 * CONNECTIONS) as pool:
            for done in [pool.submit(team, event) for event in node.events]:
                done.result()
        assert node.count() == ROUNDS * len(node.events)


def test_workers_publish_everything_once_through_a_pooler(by_transaction: PgBouncer, postgres_url: str) -> None:
    with (
        OtherMaster() as master,
        Relay(by_transaction.through(postgres_url), master) as relay,
        relay.worker("w1"),
        relay.worker("w2"),
    ):
        sent = relay.accept(12) + relay.accept(12, "richmond")
        relay.wait_until_published(len(sent))
        relay.assert_all_there_once(sent)


@pytest.mark.parametrize("pooled", [False, True], ids=["straight", "pooled"])
def test_every_kind_of_transaction_has_the_same_limits(
    pooled: bool, by_transaction: PgBouncer, postgres_url: str
) -> None:
    url = by_transaction.through(postgres_url) if pooled else postgres_url
    with closing(Database(url)) as database:
        for transaction in (database.read, database.snapshot, database.alone):
            with transaction() as conn:
                assert limits(conn) == LIMITS
        for _ in range(2 * CONNECTIONS):
            assert database.write(limits) == LIMITS


def test_a_pooler_s_other_clients_keep_settings_of_their_own(by_transaction: PgBouncer, postgres_url: str) -> None:
    url = by_transaction.through(postgres_url)
    with closing(Database(url)) as database:
        database.write(limits)
        with connect(url) as other:
            for _ in range(2 * CONNECTIONS):
                assert other.execute("SHOW statement_timeout").fetchone() == ("0",)


def prepared(database: Database) -> int:
    """How many statements the server keeps ready after the same one was run often on one connection."""

    def work(conn: Connection) -> int:
        for _ in range(ROUNDS):
            conn.execute(text("SELECT 1"))
        return int(conn.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one())

    return database.write(work)


def test_only_a_server_itself_keeps_statements_ready(by_transaction: PgBouncer, postgres_url: str) -> None:
    with closing(Database(postgres_url)) as straight, closing(Database(by_transaction.through(postgres_url))) as pooled:
        assert prepared(straight) > 0
        assert prepared(pooled) == 0


def test_migrations_that_start_together_behind_a_pooler_take_turns(
    by_transaction: PgBouncer, postgres_url: str
) -> None:
    with ExitStack() as stack:
        url = by_transaction.through(postgres_url)
        databases = [stack.enter_context(closing(Database(url))) for _ in range(CONNECTIONS)]
        with ThreadPoolExecutor(len(databases)) as pool:
            list(pool.map(migrate.upgrade, databases))
        assert {migrate.current(one) for one in databases} == {migrate.newest()}


def examine_store(database: Database) -> tuple[Level, str]:
    (finding,) = doctor.examine(CheckTarget(Settings(), database, SystemClock()), parts=["store"])
    return finding.level, finding.text


def test_doctor_says_that_a_pooler_is_in_between(pooler: PgBouncer, postgres_url: str) -> None:
    with closing(migrated(postgres_url)) as straight, closing(Database(pooler.through(postgres_url))) as pooled:
        StoreNode(straight)
        assert "pooler" not in examine_store(straight)[1]
        level, said = examine_store(pooled)
        assert level is Level.OK
        assert "through a pooler" in said


def test_doctor_refuses_statement_mode_in_one_sentence(by_statement: PgBouncer, postgres_url: str) -> None:
    with closing(migrated(postgres_url)) as straight, closing(Database(by_statement.through(postgres_url))) as pooled:
        StoreNode(straight)
        assert examine_store(pooled) == (
            Level.BAD,
            "The pooler in front of the database is in statement mode, which keeps no transaction together: set its "
            "pool_mode to transaction or session.",
        )


def test_doctor_names_a_startup_parameter_that_the_pooler_refuses(by_transaction: PgBouncer, postgres_url: str) -> None:
    url = f"{by_transaction.through(postgres_url)}?options=-c%20work_mem%3D8MB"
    with closing(Database(url)) as database:
        level, said = examine_store(database)
    assert level is Level.BAD
    assert "refuses a startup parameter: take `options` out of its URL" in said


def test_doctor_tells_a_server_that_is_away_behind_its_pooler(
    postgresql: services.PostgreSQL, postgres_url: str
) -> None:
    with (
        Proxy(postgresql.port) as way,
        started(lambda: PgBouncer(way.port, "transaction")) as pooler,
        closing(migrated(pooler.through(postgres_url))) as database,
    ):
        way.refuse()
        level, said = examine_store(database)
    assert level is Level.BAD
    assert said.startswith("The pooler in front of the database cannot reach the database's server.")
