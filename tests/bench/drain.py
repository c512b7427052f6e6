"""Drain: how fast a backlog goes out, against a bare `requests` loop of 8 threads with the same bytes."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench import work
from tests.bench.contest import Tally, awaited, tally
from tests.bench.machine import cpu_s
from tests.bench.ours import Ours
from tests.bench.report import OURS, Result
from tests.bench.work import Job
from tests.support.processes import OtherMaster, Process
from tests.support.services import Missing, PostgreSQL

SLOW_START_S = 2.0
MOST = {(1_000, False): 1.35, (1_000, True): 1.6, (10_000, False): 1.15, (10_000, True): 1.3}
"""Times a bare loop at a master of 5 ms, slow start included: by how many wait, and whether they are in PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds from the first PUT to the end of the last, and processor seconds of whoever sent."""

    took_s: float
    cpu_s: float
    tally: Tally


@contextmanager
def master(delay_s: float) -> Iterator[OtherMaster]:
    with OtherMaster("--delay", str(delay_s)) as one:
        yield one


def floor(made: Sequence[Job], file: Path, delay_s: float) -> Run:
    with master(delay_s) as one:
        command = (sys.executable, "-m", "tests.bench.floors", "requests", one.url, str(file))
        with Process(program=command) as loop:
            assert loop.wait(600) == 0, str(loop)
            burnt = float(loop.stdout.split()[1])
        seen = tally(one, made)
        return Run(seen.last_s - seen.first_s, burnt, seen)


def drained(made: Sequence[Job], delay_s: float, workers: int, postgres: PostgreSQL | None) -> Run:
    """Everything waits behind a hold of the destination; the clock starts with the first PUT after it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(postgres.database()) if postgres else ""
        one = stack.enter_context(master(delay_s))
        ours = stack.enter_context(Ours(folder, one.url, url))
        hold = ours.hold()
        ours.submit(made)
        ours.start_workers(workers)
        burnt = cpu_s(ours.pids)
        ours.release(hold)
        awaited(one, len(made), 600)
        burnt = cpu_s(ours.pids) - burnt
        seen = tally(one, made)
        return Run(seen.last_s - seen.first_s, burnt, seen)


def run(short: bool) -> Iterator[Result]:
    """Floor and ours in turn, as often as there are rounds; the ratio is taken within each round."""
    rounds = 1 if short else 3
    cases = [(1000 if not short else 100, delay, 1, False) for delay in (0.005, 0.05)]
    if not short:
        cases += [(1000, delay, workers, False) for delay in (0.005, 0.05) for workers in (2, 4)]
        cases += [(1000, delay, workers, True) for delay in (0.005, 0.05) for workers in (1, 2, 4)]
        cases += [(10_000, 0.005, 1, False), (10_000, 0.005, 1, True)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            postgres = None if short else stack.enter_context(PostgreSQL(durable=True))
        except Missing as missing:
            postgres = None
            yield Result("drain", "PostgreSQL", OURS, {}, note=str(missing))
        for count, delay_s, workers, on_postgres in cases:
            if not on_postgres or postgres:
                made = work.jobs(count)
                work.write(folder / "jobs", made)
                pairs = [
                    (
                        floor(made, folder / "jobs", delay_s),
                        drained(made, delay_s, workers, postgres if on_postgres else None),
                    )
                    for _ in range(rounds if count <= 1000 and workers == 1 else 1)
                ]
                yield from _told(count, delay_s, workers, on_postgres, pairs)


def _told(
    count: int, delay_s: float, workers: int, on_postgres: bool, pairs: Sequence[tuple[Run, Run]]
) -> Iterator[Result]:
    store = "PostgreSQL" if on_postgres else "SQLite"
    case = f"{count:,}, master {delay_s * 1000:.0f} ms"
    ratios = [ours.took_s / bare.took_s for bare, ours in pairs]
    if delay_s > 0.02:
        target = "≤ 1.25 × + 2 s"
        met = median((ours.took_s - SLOW_START_S) / bare.took_s for bare, ours in pairs) <= 1.25
    else:
        most = MOST.get((count, on_postgres), MOST[1_000, on_postgres])
        target, met = f"≤ {most:g} ×", median(ratios) <= most
    yield Result(
        "drain",
        case,
        "bare requests loop",
        {
            "per_second": count / median(bare.took_s for bare, _ in pairs),
            "cpu_s": median(bare.cpu_s for bare, _ in pairs),
        },
    )
    yield Result(
        "drain",
        f"{case}, {store}, {workers} worker{'s' * (workers > 1)}",
        OURS,
        {
            "ratio": median(ratios),
            "least": min(ratios),
            "most": max(ratios),
            "per_second": count / median(ours.took_s for _, ours in pairs),
            "cpu_s": median(ours.cpu_s for _, ours in pairs),
            "lost": sum(len(ours.tally.missing) for _, ours in pairs),
            "doubled": sum(ours.tally.doubled for _, ours in pairs),
        },
        target=target,
        met=met,
    )
