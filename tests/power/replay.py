"""A recording, cut at its steps."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sqlalchemy import event

from resultsq.store.engine.session import Database
from tests.history.check import Event, Finding
from tests.power.below import Said, Step
from tests.power.cuts import WAYS, Drive, Image, lay
from tests.power.judge import Looked, Revived, unkept, without_sync
from tests.power.morning import Recording


@dataclass
class Tally:
    """What was looked at. `found`: broken promises, each with its cut and the way of it."""

    cuts: int = 0
    disks: int = 0
    different: int = 0
    went_on: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    found: list[tuple[int, str, Finding]] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.cuts += other.cuts
        self.disks += other.disks
        self.different += other.different
        self.went_on += other.went_on
        self.steps += other.steps
        self.ways += other.ways
        self.found += other.found


def replay(recording: Recording, seed: int, cuts: Sequence[int], ways: Iterable[str] = tuple(WAYS)) -> Tally:
    """Cut it before each of these steps (the number of all steps: after the last one), in each way.

    A node goes on only from disks that differ in their rows, or in what was said until then."""
    ways = list(ways)
    tally = Tally(steps=Counter(type(step).__name__ for step in recording.steps))
    looked: dict[int, Looked] = {}
    gone_on: dict[tuple[str, int], list[Finding]] = {}
    with tempfile.TemporaryDirectory(prefix="resultsq-power-") as name:
        folder = Path(name)
        lay(recording.before, folder)
        drive, at, history = Drive(folder), 0, list[Event]()
        database = Database(f"sqlite:///{folder / 'store.db'}")
        event.listen(database.engine, "connect", without_sync)
        for cut in sorted(cuts):
            for step in recording.steps[at:cut]:
                drive.take(step)
                history += _said(step)
            at = cut
            tally.cuts += 1
            for number, how in enumerate(ways):
                image = drive.image(how, Random(f"{seed} {cut} {number}"))
                tally.disks += 1
                tally.ways[how] += 1
                key = hash(tuple(sorted(image.items())))
                if key not in looked:
                    looked[key] = _look(image, folder)
                    tally.different += 1
                one = looked[key]
                found = [*one.found, *unkept(one, history)]
                if not one.found:
                    later = (one.state, len(history))
                    if later not in gone_on:
                        gone_on[later] = _go_on(image, folder, database, history)
                        tally.went_on += 1
                    found += gone_on[later]
                tally.found += [(cut, how, finding) for finding in found]
    return tally


def places(recording: Recording, seed: int, count: int) -> list[int]:
    """So many places to cut at: behind what was said, for there something must last, and others by chance."""
    said = [at + 1 for at, step in enumerate(recording.steps) if isinstance(step, Said)]
    random = Random(seed)
    random.shuffle(said)
    others = random.sample(range(len(recording.steps) + 1), min(count, len(recording.steps)))
    return sorted({*said[: count // 3], *others[: count - count // 3]})


def _said(step: Step) -> list[Event]:
    return [step.what] if isinstance(step, Said) else []


def _look(image: Image, folder: Path) -> Looked:
    lay(image, folder)
    return Looked(folder / "store.db")


def _go_on(image: Image, folder: Path, database: Database, history: Sequence[Event]) -> list[Finding]:
    lay(image, folder)
    try:
        return Revived(database, history).go_on()
    finally:
        database.close()  # its engine keeps what it has compiled, and opens the next disk's file anew
