"""The page of a run: tests/simulate/RESULTS.md."""

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulate.morning import Result
from tests.simulate.planted import SEEDS, SOUGHT, Patch
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
    hasty: int = 0

    def add(self, done: Result) -> None:
        self.seeds += 1
        self.steps += done.steps
        self.virtual_s += done.virtual_s
        self.hasty += done.plan.hasty
        self.met += done.met
        self.seen += done.seen
        if done.findings:
            self.failed.append(done)


@dataclass(frozen=True)
class Cost:
    """What a run took: of a core, and the most memory that its process ever had."""

    core_s: float
    most_mb: float

    @classmethod
    def so_far(cls) -> "Cost":
        return cls(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    def __str__(self) -> str:
        return f"{self.core_s / 60:,.1f} minutes of one core and at most {self.most_mb:,.0f} MB"


def page(tally: Tally, asked: str, commit: str, cost: Cost) -> str:
    """The whole page. `asked`: the words of the command."""
    seed, lesson = LEARNED[-1]
    lines = [
        "# Mornings under seeds",
        "",
        f"Written by `python -m tests.simulate {asked} --write`, at {commit}.",
        "",
        f"{tally.seeds:,} seeds, {tally.hasty:,} of them with hasty teams: {tally.steps:,} steps, "
        f"{tally.virtual_s / 3600:,.1f} virtual hours in {cost}. {len(tally.failed)} of them broke a promise.",
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
        *(f"| {words(plant)} | {seed_of(plant)} |" for plant in SEEDS),
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


def words(plant: Callable[[], Patch]) -> str:
    """A planted fault's name."""
    return plant.__name__.replace("_", " ")


def seed_of(plant: Callable[[], Patch]) -> str:
    """What finds it, as the command line has it."""
    seed = SEEDS[plant]
    return str(seed) if isinstance(seed, int) else seed.command.removeprefix("python -m tests.simulate --seed ")


def _table(title: str, counts: Iterable[tuple[str, int]]) -> list[str]:
    rows = [f"| {what} | {count:,} |" for what, count in sorted(counts)]
    return [f"| {title} | times |", "|---|---|", *rows, ""]
