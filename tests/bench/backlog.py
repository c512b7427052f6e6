"""A backlog of 100,000 of 2,500 events: how long after the return of the link its last one is published, against the
master's own pace, and whether the worker's memory stays flat."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench import drain, work
from tests.bench.contest import awaited, tally
from tests.bench.machine import memory_mb, trees
from tests.bench.ours import Ours
from tests.bench.report import OURS, Result

SCENARIO = "backlog"
WAITING, EVENTS, FINISHERS = 100_000, 2_500, 30
OF_THE_FLOOR = 4_000
MASTER_S = 0.05
MOST, MOST_GROWTH_MB = 1.15, 16.0
_LOOK_S, _GIVE_UP_S = 5.0, 3_600.0
_SETTLED = 12
"""Looks until a worker has done everything once: a minute."""


def run(short: bool) -> Iterator[Result]:
    """Nothing in short: the scenario drain has 200 of them."""
    if short:
        return
    events = [f"event-{number:04}" for number in range(EVENTS)]
    made = work.jobs(WAITING, finishers=FINISHERS, events=events)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work.write(folder / "jobs", made[:OF_THE_FLOOR])
        bare = drain.floor(made[:OF_THE_FLOOR], folder / "jobs", MASTER_S)
    pace = OF_THE_FLOOR / bare.took_s
    case = f"{WAITING:,} waiting of {EVENTS:,} events, master {MASTER_S * 1000:.0f} ms"
    yield Result(SCENARIO, case, "bare requests loop", {"per_second": pace}, note=f"of {OF_THE_FLOOR:,}")
    yield _ours(made, events, pace, case)


def _ours(made: list[work.Job], events: list[str], pace: float, case: str) -> Result:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        master = stack.enter_context(drain.master(MASTER_S))
        ours = stack.enter_context(Ours(folder, master.url, events=events))
        hold = ours.hold()
        ours.submit(made)
        ours.start_workers()
        looks: list[float] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_LOOK_S):
                looks.append(memory_mb(trees(ours.pids)))

        watching = threading.Thread(target=watch)
        ours.release(hold)
        watching.start()
        try:
            awaited(master, len(made), _GIVE_UP_S)
        finally:
            over.set()
            watching.join()
        seen = tally(master, made)
    took_s = seen.last_s - seen.first_s
    ratio = took_s * pace / len(made)
    before = looks[min(_SETTLED, len(looks) - 1)]
    growth = max(looks[_SETTLED:], default=before) - before
    return Result(
        SCENARIO,
        case,
        OURS,
        {
            "ratio": ratio,
            "last_s": took_s,
            "per_second": len(made) / took_s,
            "memory_mb": before,
            "growth_mb": growth,
            "lost": len(seen.missing),
            "doubled": seen.doubled,
        },
        target=f"≤ {MOST:g} × the master's own pace, grows ≤ {MOST_GROWTH_MB:.0f} MB",
        met=ratio <= MOST and growth <= MOST_GROWTH_MB,
    )
