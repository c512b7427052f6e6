"""A master whose health is good and whose PUTs fail, as one does whose database is away; the worker is a process."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from resultsq.clock import SystemClock
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.engine.tables import Submission
from tests.support.processes import Process
from tests.support.relays import Relay
from tests.support.services import Valkey
from tests.support.waiting import wait_until

PROMISE_S = 2.0
PATIENCE_S = 3.0
"""What is left to a busy machine."""
FAILS: dict[str, dict[str, Any]] = {
    "answers 503": {"status": 503, "body": {"title": "The database is away.", "status": 503}, "times": None},
    "is cut off": {"cut": True, "times": None},
}


def put_off(relay: Relay, seconds: float) -> None:
    """All that failed waits so long, as after an outage of many minutes."""
    until = {"next_attempt_at": SystemClock().now() + timedelta(seconds=seconds), "wait_s": seconds}
    failed = (Submission.state == State.QUEUED, Submission.next_attempt_at.is_not(None))
    relay.database.write(lambda conn: conn.execute(update(Submission).where(*failed).values(**until)))


@pytest.mark.parametrize(("database", "fault"), [("sqlite", "answers 503"), ("postgres", "is cut off")])
def test_all_that_waits_goes_at_once_when_a_master_that_took_nothing_is_mended(
    request: pytest.FixtureRequest,
    valkey: Valkey,
    start_process: Callable[..., Process],
    tmp_path: Path,
    database: str,
    fault: str,
) -> None:
    relay: Relay = request.getfixturevalue(f"{database}_relay")
    ids = relay.accept(4)
    relay.master.script(FAILS[fault])
    start_process("worker", env=relay.environment(DATA_DIR=tmp_path, BROKER_URL=valkey.url))
    wait_until(relay.node.outages, 40, "an outage")
    put_off(relay, 60)
    probes = relay.master.report()["probes"]
    (outage,) = relay.node.outages()
    assert (outage.cause, outage.ended_at) == (Cause.TAKES_NOTHING, None)
    assert relay.node.link().state == LinkState.UP, "its probes are answered"
    mended = time.monotonic()
    relay.master.forget()
    relay.wait_until_published(4, 40)
    took = time.monotonic() - mended
    assert took < PROMISE_S + PATIENCE_S
    (outage,) = relay.node.outages()
    assert outage.cause == Cause.TAKES_NOTHING
    assert outage.ended_at > outage.began_at
    assert outage.delayed >= 3
    assert relay.master.report()["probes"] >= probes > 0
    relay.assert_all_there_once(ids)
