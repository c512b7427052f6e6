"""Taking turns: how long one event's result is on its way to the master while very many of another event wait, or very
many of another kind."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from statistics import quantiles

from resultsq.wakeup import Bell
from tests.bench import work
from tests.bench.ours import Ours
from tests.bench.report import OURS, Result
from tests.bench.work import EVENTS, Job
from tests.support.processes import OtherMaster
from tests.support.services import PostgreSQL, Valkey
from tests.support.waiting import wait_until

MASTER_S = 0.005
P95_S = 1.0
FLOODED, *OTHERS = EVENTS
_LONG_AGO = date(1880, 1, 3)
"""As many days of one event are in the past as are asked for here."""
_EVERY_S = 0.1


def run(short: bool) -> Iterator[Result]:
    if short:
        yield beside(1_000, 10, postgres=False)
        return
    for kind, postgres in (("results", False), ("messages", False), ("results", True), ("messages", True)):
        yield beside(50_000, 60, postgres, kind)


def beside(waiting: int, others: int, postgres: bool, kind: str = "results") -> Result:
    """Results of other events are accepted one after the other: first alone, then while the flood is sent."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(stack.enter_context(PostgreSQL(durable=True)).database()) if postgres else ""
        master = stack.enter_context(OtherMaster("--delay", str(MASTER_S), "--messages"))
        broker = stack.enter_context(Valkey())
        ours = stack.enter_context(Ours(folder, master.url, url, broker.url))
        bell = Bell(broker.url)
        stack.callback(bell.close)
        ours.start_workers()
        made = work.jobs(2 * others, events=OTHERS, finishers=100)
        alone = _posted(ours, master, bell, made[:others])
        hold = ours.hold()
        for start in range(0, waiting, 10_000):
            count = min(10_000, waiting - start)
            if kind == "results":
                ours.submit(work.jobs(count, start, 4, start, events=(FLOODED,), first_day=_LONG_AGO))
            else:
                ours.submit_messages(count, FLOODED)
        ours.release(hold)
        bell.ring()
        wait_until(lambda: ours.published() > others + waiting // 50, 60, "a drain at full speed")
        beside = _posted(ours, master, bell, made[others:])
        left = len(ours.waiting())
    p95_s = quantiles(beside, n=20, method="inclusive")[-1]
    return Result(
        "turns",
        f"{waiting:,} {kind} of one event wait, {'PostgreSQL' if postgres else 'SQLite'}: another's results",
        OURS,
        {
            "alone_p95_ms": 1000 * quantiles(alone, n=20, method="inclusive")[-1],
            "p50_ms": 1000 * quantiles(beside, n=2, method="inclusive")[0],
            "p95_ms": 1000 * p95_s,
            "most_ms": 1000 * max(beside),
            "waiting_still": left,
        },
        target="p95 ≤ 1 s",
        met=p95_s <= P95_S,
        note="" if left else "the flood was over before the last of them",
    )


def _posted(ours: Ours, master: OtherMaster, bell: Bell, made: list[Job]) -> list[float]:
    """Seconds of each from before it is accepted to the end of the master's answer."""
    began = {}
    for job in made:
        began[job.id] = time.monotonic()
        ours.submit([job])
        bell.ring()
        time.sleep(_EVERY_S)
    found: dict[str, float] = {}

    def all_there() -> bool:
        puts = [put for put in master.report()["puts"] if put["submission"] in began and put["status"] in (200, 201)]
        found.update({put["submission"]: put["ended"] - began[put["submission"]] for put in puts})
        return len(found) == len(made)

    wait_until(all_there, 60, "the other events' results", every_s=0.5)
    return list(found.values())
