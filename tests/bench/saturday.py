"""A whole Saturday: `resultsq drill --saturday` itself, of twice as many events as it has by itself."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.report import OURS, Result
from tests.support.processes import Process

_WHOLE, _SMALL = ("--events", "5000"), ("--events", "60", "--compress", "4000")
MOST_MS = 100.0
_WAIT_S = 900.0


def run(short: bool) -> Iterator[Result]:
    with Process("drill", "--saturday", "--json", *(_SMALL if short else _WHOLE)) as drill:
        drill.wait(_WAIT_S)
        yield read(json.loads(drill.stdout))


def read(told: Mapping[str, Any]) -> Result:
    """What a rehearsal told."""
    case = f"{told['events']:,} events in {290 * 60 / told['compressed']:.0f} s, {told['workers']} workers, PostgreSQL"
    if "error" in told:
        return Result("saturday", case, OURS, {}, note=told["error"])
    growth = max(grown for *_, grown in told["memory_mb"].values())
    slowest = max(told.get(f"accept_{phase}_p99_s", 0.0) for phase in ("during", "after"))
    figures = {name: told[name] for name in ("accepted", "waiting_at_return", "lost", "doubled", "disordered")}
    return Result(
        "saturday",
        case,
        OURS,
        {
            **figures,
            "p99_ms": 1000 * slowest,
            "late_p99_ms": 1000 * (told.get("late_p99_s") or 0.0),
            "drained_s": told["drained_s"],
            "growth_mb": growth,
        },
        target=f"exactly once, in order; p99 ≤ {MOST_MS:.0f} ms; drained in 120 s; memory flat",
        met=told["ok"] and 1000 * slowest <= MOST_MS,
        note="; ".join(told["missed"]),
    )
