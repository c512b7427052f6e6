"""Four worker processes, one window: a backlog goes at the master's pace, and new work does not wait behind it."""

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from resultsq.store.engine.tables import Attempt, Submission
from tests.support.processes import Process
from tests.support.relays import Relay, at_once
from tests.support.waiting import wait_until

Start = Callable[..., Process]

WORKERS = 4
SLOTS, WORK_S = 5, 0.05
BACKLOG = 600
"""Six seconds' work for the master, so that one behind it all waits as long."""


def test_four_workers_keep_to_one_window_and_new_work_goes_beside_the_backlog(
    postgres_relay: Relay, start_process: Start, tmp_path: Path
) -> None:
    relay = postgres_relay
    relay.master.settings(delay=WORK_S, slots=SLOTS, patient=False)
    for number in range(WORKERS):
        start_process("worker", "--name", f"w{number}", env=relay.environment(DATA_DIR=tmp_path))
    relay.wait_for_link("up", 60)
    relay.proxy.refuse()
    ids = relay.accept()  # finds the link down
    relay.wait_for_link("down")
    ids += relay.accept(BACKLOG)
    relay.proxy.restore()
    wait_until(lambda: relay.published() > 0, 60, "the first publication")
    fresh = []
    while relay.published() < BACKLOG * 0.9:
        fresh += relay.accept(event="richmond")
        time.sleep(0.2)
    ids += fresh
    relay.wait_until_published(len(ids), 60)
    relay.assert_all_there_once(ids)

    puts = relay.puts()
    worked_on = [put for put in puts if put["status"] != 503]  # one that was sent away took no time
    assert at_once(worked_on, WORK_S) <= 8, "the ceiling is that of all workers together"
    first_refusal = min(put["ended"] for put in puts if put["status"] == 503)
    later = [put["status"] for put in puts if put["began"] > first_refusal + 1]
    assert later.count(503) < 0.1 * len(later), f"{later.count(503)} of {len(later)} were sent away"
    with relay.database.read() as conn:
        assert len(set(conn.execute(select(Attempt.worker)).scalars())) > 1, "one alone would show nothing"
        rows = conn.execute(select(Submission.id, Submission.published_at, Submission.accepted_at)).all()
    waits = sorted(row.published_at - row.accepted_at for row in rows if row.id in set(fresh))
    assert len(waits) >= 20
    backlog = sorted(row.published_at for row in rows if row.id not in set(fresh))
    assert waits[int(len(waits) * 0.95)] < (backlog[-1] - backlog[0]) / 2, "half of what the backlog takes"
