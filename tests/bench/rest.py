"""Cost at rest in an outage: what a worker spends while the link is silent, with one waiting and with many."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench import work
from tests.bench.contest import faulty_link
from tests.bench.machine import cpu_s, memory_mb, trees
from tests.bench.ours import Ours
from tests.bench.report import OURS, Result
from tests.support.processes import OtherMaster
from tests.support.services import Valkey
from tests.support.waiting import wait_until

MOST_CPU_PERCENT = 0.5
MOST_MEMORY_MB = 150.0
_SETTLE_S = 6.0  # a probe's whole limit, so that as many are outstanding as ever will be


def run(short: bool) -> Iterator[Result]:
    for waiting in (1_000,) if short else (1, 1_000, 100_000):
        yield at_rest(waiting, 5.0 if short else 60.0)


def at_rest(waiting: int, look_s: float) -> Result:
    """One worker with its broker, the link silent, and so many waiting."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        master = stack.enter_context(OtherMaster())
        link = stack.enter_context(faulty_link(master))
        broker = stack.enter_context(Valkey())
        ours = stack.enter_context(Ours(folder, f"http://127.0.0.1:{link.port}", broker_url=broker.url, afresh=True))
        hold = ours.hold()
        for start in range(0, waiting, 10_000):  # small sheets: it is their number that could cost
            ours.submit(work.jobs(min(10_000, waiting - start), seed=start, finishers=4, first=start))
        ours.start_workers()
        link.hole()
        ours.suspect()
        wait_until(lambda: ours.link().state == "down", 30, "an outage")
        ours.release(hold)
        time.sleep(_SETTLE_S)
        burnt, probes, began = cpu_s(ours.pids), ours.link().probes, time.monotonic()
        time.sleep(look_s)
        spent_s = time.monotonic() - began
        percent = 100 * (cpu_s(ours.pids) - burnt) / spent_s
        memory = memory_mb(trees(ours.pids))
        return Result(
            "cost-at-rest",
            f"{waiting:,} waiting, link silent",
            OURS,
            {
                "cpu_percent": percent,
                "memory_mb": memory,
                "probes_a_minute": 60 * (ours.link().probes - probes) / spent_s,
                "payloads_sent": len(master.report()["puts"]),
            },
            target="≤ 0.5 % of a core, < 150 MB",
            met=percent <= MOST_CPU_PERCENT and memory < MOST_MEMORY_MB,
        )
