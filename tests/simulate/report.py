"""The page of one run or of several: tests/simulate/RESULTS.md."""

import json
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.simulate.morning import Result
from tests.simulate.plan import Plan
from tests.simulate.planted import SEEDS, SOUGHT, Patch
from tests.simulate.sometimes import STATES, missing

PAGE = Path(__file__).parent / "RESULTS.md"
PARTS = Path(__file__).parent / "parts"
"""What other runs say of their own, each a file that the page has whole."""
PARTS_IN_ORDER = (
    "races",
    "power",
    "upgrade",
    *(f"mutation-{one}" for one in ("domain", "kinds", "store-outbox", "delivery")),
)

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
    (
        "11",
        "Calls that were given up together ended in an order that memory decided, so the seed was two mornings. In one "
        "of them an office's release stayed half done: nobody went on with actions. Workers do now, as in the product.",
    ),
    (
        "45 --teams 4 --until 60 --hasty",
        "A version that a restored master lost was replaced by one whose answer never came. The judge knew only of "
        "newer versions that were acknowledged.",
    ),
    (
        "20 --teams 3 --until 60 --hasty --restores",
        "A version in doubt is claimed again before an older one that a restored master lost. That is as it should be: "
        "it is asked about first; the simulation took it for a wrong order.",
    ),
    (
        "164 --teams 3 --until 60 --hasty --restores",
        "Equal results of another node stood for the version on top of one that a restored master lost. The judge knew "
        "only of newer versions under their own ids.",
    ),
    (
        "180 --teams 3 --until 60 --hasty --restores",
        "A correction was being sent when a comparison queued the lost version below it again. It came back with a "
        "412, and was sent on top of the version below both, before the lost one.",
    ),
    (
        "10716 --teams 3 --until 60 --hasty --restores",
        "A correction was refused because a restored master lacked the version below it, and was withdrawn. That one "
        "was sent again, and then a copy of the refused request arrived and was taken. No node can prevent it; a whole "
        "comparison publishes such a version, and the morning ended before that.",
    ),
    (
        "7676 --teams 3 --until 60 --hasty --restores",
        "As seed 10716, with a request that the network kept from the start: its repeat was refused because a restored "
        "master lacked the version below. The judge knew only of copies.",
    ),
)
"""What failing seeds taught, the last one at the end."""


@dataclass
class Tally:
    """What a run counts, or several together. `commands`: those that ran it; `failed`: a line for each such seed."""

    seeds: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    hasty: int = 0
    core_s: float = 0.0
    most_mb: float = 0.0
    commands: list[str] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)

    def add(self, done: Result) -> None:
        self.seeds += 1
        self.steps += done.steps
        self.virtual_s += done.virtual_s
        self.hasty += done.plan.hasty
        self.met += done.met
        self.seen += done.seen
        if done.findings:
            self.failed.append(f"{done.line}: {done.plan.command}")

    def __post_init__(self) -> None:
        self._core_s_before = self.core_s  # of other processes

    def measure(self) -> None:
        """Note what has been taken so far: of a core, and the most memory that a process ever had."""
        self.core_s = self._core_s_before + time.process_time()
        self.most_mb = max(self.most_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    @property
    def cost(self) -> str:
        return f"{self.core_s / 60:,.1f} minutes of one core and at most {self.most_mb:,.0f} MB"

    def keep(self, path: Path) -> None:
        """Write it down whole, or leave the file as it is."""
        self.measure()
        new = path.with_suffix(".new")
        new.write_text(json.dumps({one.name: getattr(self, one.name) for one in fields(self)}, indent=1))
        os.replace(new, path)

    @classmethod
    def kept(cls, path: Path) -> "Tally":
        """What an earlier process has counted there: to be gone on with."""
        found = json.loads(path.read_text())
        return cls(**{**found, "met": Counter(found["met"]), "seen": Counter(found["seen"])})

    @classmethod
    def joined(cls, paths: Iterable[Path]) -> "Tally":
        """What several runs have kept, as one."""
        whole = cls()
        for path in paths:
            part = cls.kept(path)
            for one in fields(cls):
                mine, its = getattr(whole, one.name), getattr(part, one.name)
                setattr(whole, one.name, max(mine, its) if one.name == "most_mb" else mine + its)
        return whole


def page(tally: Tally) -> str:
    """The whole page."""
    seed, lesson = LEARNED[-1]
    commands = ", ".join(f"`python -m tests.simulate {one}`" for one in tally.commands)
    lines = [
        "# Mornings under seeds",
        "",
        f"Written by {commands}, at {', '.join(dict.fromkeys(tally.commits))}.",
        "",
        f"{tally.seeds:,} seeds, {tally.hasty:,} of them with hasty teams: {tally.steps:,} steps, "
        f"{tally.virtual_s / 3600:,.1f} virtual hours in {tally.cost}. {len(tally.failed)} of them broke a promise.",
        "",
        *(f"- {one}" for one in tally.failed),
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
        *([f"Planted, and found by no seed so far: {'; '.join(map(words, SOUGHT))}.", ""] * bool(SOUGHT)),
        "## What failing seeds taught",
        "",
        "| seed | lesson |",
        "|---|---|",
        *(f"| {seed} | {lesson} |" for seed, lesson in LEARNED),
        "",
        *_parts(),
    ]
    return "\n".join(lines)


def _parts() -> Iterator[str]:
    for name in PARTS_IN_ORDER:
        path = PARTS / f"{name}.md"
        if path.exists():
            yield path.read_text()


def words(plant: Callable[[], Patch]) -> str:
    """A planted fault's name."""
    return plant.__name__.replace("_", " ")


def seed_of(plant: Callable[[], Patch]) -> str:
    """What finds it, as the command line has it."""
    return Plan.of(SEEDS[plant]).command.removeprefix("python -m tests.simulate --seed ")


def _table(title: str, counts: Iterable[tuple[str, int]]) -> list[str]:
    rows = [f"| {what} | {count:,} |" for what, count in sorted(counts)]
    return [f"| {title} | times |", "|---|---|", *rows, ""]
