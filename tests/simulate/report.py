"""The page of a run: tests/simulate/RESULTS.md."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulate.morning import Result
from tests.simulate.planted import SEEDS, SOUGHT
from tests.simulate.sometimes import STATES, missing

PAGE = Path(__file__).parent / "RESULTS.md"

LEARNED = (
    (
        "1054, in the first form of the simulation",
        "A hold whose commit was unsure stayed in force after the last fault.",
    ),
    (
        "10",
        "A master that is restored twice within a minute hides it: it has as many receipts as before. Those who "
        "restore one ask each node for a comparison; the simulation now does.",
    ),
    (
        "34",
        "A version that a restored master lost is not sent again where a newer one is published by then. It cannot "
        "come below that one; the judge now knows it.",
    ),
    (
        "98",
        "A master that lost two versions numbers the next one lower than the second of these. The comparison went by "
        "the numbers, and sent the older one again, on top of the newer one.",
    ),
    (
        "98 --hasty",
        "The comparison leaves out what was published within the last minute. Where the clock is set back by an hour, "
        "it took the whole hour for that minute, and found no loss.",
    ),
)
"""What failing seeds taught, the last one at the end."""


@dataclass
class Tally:
    """What a run counts."""

    seeds: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    failed: list[Result] = field(default_factory=list)

    def add(self, done: Result) -> None:
        self.seeds += 1
        self.steps += done.steps
        self.virtual_s += done.virtual_s
        self.met += done.met
        self.seen += done.seen
        if done.findings:
            self.failed.append(done)


def page(tally: Tally, first: int, commit: str, took_s: float) -> str:
    """The whole page."""
    last = first + tally.seeds - 1
    seed, lesson = LEARNED[-1]
    lines = [
        "# Mornings under seeds",
        "",
        f"Written by `python -m tests.simulate --first {first} --seeds {tally.seeds} --write`, at {commit}.",
        "",
        f"Seeds {first} to {last}: {tally.steps:,} steps, {tally.virtual_s / 3600:,.1f} virtual hours in "
        f"{took_s / 60:,.1f} minutes. {len(tally.failed)} of {tally.seeds} broke a promise.",
        "",
        *(f"- {one.line}" for one in tally.failed),
        *([""] * bool(tally.failed)),
        f"Last failing seed: {seed}. {lesson}",
        "",
        "## Faults",
        "",
        *_table("fault", tally.met.items()),
        "## States that a run must reach",
        "",
        f"{sum(1 for _ in STATES) - sum(1 for _ in missing(tally.seen))} of {len(STATES)} were reached. "
        "A run of 1,000 seeds or more that misses one fails.",
        "",
        *_table("state", ((what, tally.seen[what]) for what in STATES)),
        "## Planted faults",
        "",
        "Each is found by the seed beside it, which keeps every promise without it (tests/faults/test_mornings.py).",
        "",
        "| fault | seed |",
        "|---|---|",
        *(f"| {words(plant)} | {seed} |" for plant, seed in SEEDS.items()),
        "",
        f"Planted, and found by no seed so far: {'; '.join(words(plant) for plant in SOUGHT)}.",
        "",
        "## What failing seeds taught",
        "",
        "| seed | lesson |",
        "|---|---|",
        *(f"| {seed} | {lesson} |" for seed, lesson in LEARNED),
        "",
    ]
    return "\n".join(lines)


def words(plant: Callable[[], object]) -> str:
    """A planted fault's name."""
    return plant.__name__.replace("_", " ")


def _table(title: str, counts: Iterable[tuple[str, int]]) -> list[str]:
    rows = [f"| {what} | {count:,} |" for what, count in sorted(counts)]
    return [f"| {title} | times |", "|---|---|", *rows, ""]
