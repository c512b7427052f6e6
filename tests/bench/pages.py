"""The pages of the dashboard with few and with many submissions, and the readers with small and with large events."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from resultsq import logs
from resultsq.kinds.results.check import report
from tests.bench import dashboard, readers
from tests.bench.report import OURS, Result

MOST_P95_MS = 150.0
LARGEST_EVENT, LARGEST_MS = 6_204, 150.0
USUAL_EVENT, USUAL_MS = 140, 5.0


def run(short: bool) -> Iterator[Result]:
    """Every page and filter of the dashboard, through the application."""
    logs.configure("json", "error")
    for submissions in (1_000,) if short else (1_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            database, client, asked = dashboard.prepared(Path(folder), "", submissions)
            took = {address: dashboard.measure(client, address, 5 if short else 20) for address in asked}
            database.close()
        slowest = max(took, key=lambda address: took[address].p95_ms)
        yield Result(
            "pages",
            f"{len(asked)} addresses of the dashboard, {submissions:,} submissions",
            OURS,
            {
                "median_p50_ms": median(one.p50_ms for one in took.values()),
                "slowest_p50_ms": took[slowest].p50_ms,
                "slowest_p95_ms": took[slowest].p95_ms,
                "pages_over_it": sum(one.p95_ms > MOST_P95_MS for one in took.values()),
            },
            "p95 ≤ 150 ms",
            took[slowest].p95_ms <= MOST_P95_MS,
            note=f"slowest: {slowest.partition('?')[0].replace('|', ' ')[:30]}",
        )


def read(short: bool) -> Iterator[Result]:
    """Reading, joining and checking whole events; the cost of a row is against that in a usual event."""
    per_row: dict[int, float] = {}
    for size in (USUAL_EVENT, 1_000, LARGEST_EVENT) if short else (USUAL_EVENT, 1_000, 5_000, LARGEST_EVENT, 20_000):
        files = readers.event_files(size)
        took = readers.milliseconds(partial(report, files), 5 if short else 15)
        per_row[size] = took / size
        limit = {USUAL_EVENT: USUAL_MS, LARGEST_EVENT: LARGEST_MS}.get(size)
        yield Result(
            "readers",
            f"{size:,} finishers, {len(files)} files",
            OURS,
            {
                "took_ms": took,
                "rows_per_second": size / took * 1000,
                "cost_of_a_row": per_row[size] / per_row[USUAL_EVENT],
            },
            "" if limit is None else f"≤ {limit:.0f} ms",
            None if limit is None else took <= limit,
        )
