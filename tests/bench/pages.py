"""The pages of the dashboard with few and with many submissions on both databases, what they do to accepts, and the
readers with small and with large events."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from resultsq import logs
from resultsq.kinds.results.check import report
from tests.bench import dashboard, readers, undisturbed
from tests.bench.report import OURS, Result
from tests.support.services import Missing, PostgreSQL

MOST_P95_MS, LARGE_P95_MS = 60.0, 150.0
LARGE = 1_000_000
"""Submissions, with four times as many attempts; then a page may take the longer time."""

LARGEST_EVENT, LARGEST_MS = 6_204, 150.0
USUAL_EVENT, USUAL_MS = 140, 5.0


def run(short: bool) -> Iterator[Result]:
    """Every page and filter, then accepts beside open dashboards and beside a large action."""
    logs.configure("json", "error")
    for submissions in (1_000,) if short else (1_000, 100_000):
        for make in ("SQLite",) if short else ("SQLite", "PostgreSQL"):
            yield from _with(make, submissions, short)


def million(short: bool) -> Iterator[Result]:
    """The same pages with a million on PostgreSQL; nothing in short, for to fill it takes minutes."""
    logs.configure("json", "error")
    if not short:
        for result in _with("PostgreSQL", LARGE, short, beside=False):
            yield replace(result, scenario="million")


def _with(make: str, submissions: int, short: bool, beside: bool = True) -> Iterator[Result]:
    case = f"{submissions:,} submissions, {make}"
    try:
        yield from _filled(make, submissions, case, short, beside)
    except Missing as missing:
        yield Result("pages", case, OURS, {}, note=str(missing))


def _filled(make: str, submissions: int, case: str, short: bool, beside: bool) -> Iterator[Result]:
    with ExitStack() as stack:
        folder, url = Path(stack.enter_context(tempfile.TemporaryDirectory())), ""
        if make == "PostgreSQL":
            url = stack.enter_context(stack.enter_context(PostgreSQL(durable=True)).database())
        database = dashboard.prepare(folder, url, submissions)
        stack.callback(database.close)
        with database.read() as conn:
            asked = dashboard.addresses(conn)
        most_ms = LARGE_P95_MS if submissions >= LARGE else MOST_P95_MS
        yield from _each(folder, url, asked, case, most_ms, short)
        if beside:
            yield from undisturbed.run(folder, url, asked, case, short)


def _each(folder: Path, url: str, asked: list[str], case: str, most_ms: float, short: bool) -> Iterator[Result]:
    clock = dashboard.Leaping()
    client = dashboard.person(dashboard.application(folder, url, clock))
    took = {address: dashboard.measure(client, clock, address, 3 if short else 40) for address in asked}
    if not short:
        for address, one in took.items():
            met = one.p95_ms <= most_ms
            figures = {"p50_ms": one.p50_ms, "p95_ms": one.p95_ms, "processor_ms": one.cpu_ms}
            yield Result("pages", f"{case}: {_short(address)}", OURS, figures, f"p95 ≤ {most_ms:.0f} ms", met)
    slowest = max(took, key=lambda address: took[address].p95_ms)
    yield Result(
        "pages",
        f"{case}: all {len(asked)} addresses",
        OURS,
        {
            "p50_of_the_usual_ms": median(one.p50_ms for one in took.values()),
            "p50_of_the_slowest_ms": took[slowest].p50_ms,
            "p95_of_the_slowest_ms": took[slowest].p95_ms,
            "slowest_first_of_a_process_ms": max(one.first_ms for one in took.values()),
            "pages_over_it": sum(one.p95_ms > most_ms for one in took.values()),
        },
        f"p95 ≤ {most_ms:.0f} ms",
        took[slowest].p95_ms <= most_ms,
        note=f"slowest: {_short(slowest)}",
    )


def _short(address: str) -> str:
    return address.replace("|", " ")[:50]


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
