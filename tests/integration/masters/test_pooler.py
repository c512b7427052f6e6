"""Straight into a PostgreSQL that is behind a pooler."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters.database import DatabaseMaster
from resultsq.domain.outcome import Accepted, Cause
from resultsq.master.database import open_engine
from tests.conftest import started
from tests.integration.masters.far import parcel
from tests.support.poolers import CONNECTIONS, PgBouncer
from tests.support.services import PostgreSQL

SHEETS = 10
"""Each sender's: more than the driver needs to get used to a statement."""

Pooled = Callable[[str], PgBouncer]


@pytest.fixture
def pooled(postgresql: PostgreSQL) -> Iterator[Pooled]:
    """Starts a pooler in a mode."""
    with ExitStack() as stack:
        yield lambda mode: stack.enter_context(started(lambda: PgBouncer(postgresql.port, mode)))


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_several_senders_publish_through_a_pooler(mode: str, pooled: Pooled, postgres_url: str) -> None:
    url = pooled(mode).through(postgres_url)
    with closing(DatabaseMaster(url, "token", clock=SystemClock())) as master:
        assert master.probe().cause is None

        def send(number: int) -> None:
            for sheet in range(SHEETS):
                sent = parcel(f"event-{number}-{sheet}")
                assert isinstance(master.send(sent), Accepted)
                receipt = master.receipt(sent.submission)
                assert getattr(receipt, "submission", None) == sent.submission

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(send, range(CONNECTIONS)))


@pytest.mark.parametrize("mode", [None, "transaction"], ids=["straight", "transaction"])
def test_statements_are_bounded_and_see_one_state(mode: str | None, pooled: Pooled, postgres_url: str) -> None:
    engine = open_engine(pooled(mode).through(postgres_url) if mode else postgres_url, statement_timeout_s=3)
    for _ in range(2):
        with engine.begin() as connection:
            asked = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_isolation")
            told = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in asked]
        assert told == ["3s", "3s", "repeatable read"]
    engine.dispose()


def test_a_probe_names_a_pooler_in_statement_mode(pooled: Pooled, postgres_url: str) -> None:
    url = pooled("statement").through(postgres_url)
    with closing(DatabaseMaster(url, "token", clock=SystemClock())) as master:
        answer = master.probe()
    assert answer.cause is Cause.DATABASE
    assert "set its pool_mode to transaction or session" in answer.detail
