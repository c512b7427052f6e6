"""The version before this one, built from its last commit, and this one on one store, in turns under seeds:
`python -m tests.upgrade --seeds 100`. The exit status is 1 where a promise was broken."""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.history.check import Event
from tests.upgrade.morning import PHASES, Upgrade
from tests.upgrade.versions import HERE, Version, last_of_0_1_0

PART = HERE / "tests" / "simulate" / "parts" / "upgrade.md"
SAMPLE = HERE / "tests" / "samples" / "store_of_0_1_0.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"write {PART.name}")
    parser.add_argument("--sample", action="store_true", help=f"write {SAMPLE.name}: a store as 0.1.0 leaves it")
    asked = parser.parse_args()
    began, met, failed = time.monotonic(), Counter[str](), 0
    with (
        tempfile.TemporaryDirectory(prefix="resultsq-upgrade-") as name,
        last_of_0_1_0(Path(name)) as paths,
        Version("0.1.0", paths) as old,
        Version("this", [HERE]) as new,
    ):
        if asked.sample:
            write_sample(old, new)
            return 0
        for seed in range(asked.first, asked.first + asked.seeds):
            with tempfile.TemporaryDirectory(prefix="resultsq-upgrade-") as folder:
                one = Upgrade(seed, Path(folder) / "store.db", old, new)
                found = one.run()
            met.update(one.met)
            failed += bool(found)
            for finding in found[:5]:
                print(f"seed {seed}: {finding.what}: {finding.about}: {finding.detail}", flush=True)
    print(f"{failed} of {asked.seeds} seeds broke a promise")
    if asked.write:
        words = " ".join(one for one in sys.argv[1:] if one != "--write")
        PART.parent.mkdir(exist_ok=True)
        PART.write_text(page(words, asked.seeds, failed, met, time.monotonic() - began))
    return 1 if failed else 0


def write_sample(old: Version, new: Version) -> None:
    """What waits, is on its way, in doubt, withdrawn and published there, as SQL, and what was promised until then."""
    with tempfile.TemporaryDirectory(prefix="resultsq-upgrade-") as folder:
        store = Path(folder) / "store.db"
        one = Upgrade(0, store, old, new)
        one.begin()
        one.old_alone()
        old.kill()
        connection = sqlite3.connect(store)
        dump = list(connection.iterdump())
        connection.close()
    SAMPLE.write_text(json.dumps({"history": one.history, "sql": dump}, indent=0) + "\n")


def read_sample(store: Path) -> list[Event]:
    """Make that store; the history until then."""
    sample = json.loads(SAMPLE.read_text())
    connection = sqlite3.connect(store)
    connection.executescript("\n".join(sample["sql"]))
    connection.close()
    history: list[Event] = sample["history"]
    return history


def page(asked: str, seeds: int, failed: int, met: Counter[str], seconds: float) -> str:
    """The part of tests/simulate/RESULTS.md."""
    done = [f"| {what} | {count:,} |" for what, count in sorted(met.items())]
    return "\n".join(
        [
            "## Upgrades",
            "",
            f"Written by `python -m tests.upgrade {asked} --write`, in {seconds / 60:.1f} minutes.",
            "",
            f"0.1.0, built as a wheel from its last commit, and this version acted on one store under {seeds:,} seeds, "
            f"in three phases: {', '.join(PHASES)}. The migration came while 0.1.0 had sheets in hand; either "
            "ended between any two steps, one time in ten by kill -9. In the end each acknowledged sheet was to be "
            f"published once, in order. {failed} seeds broke a promise.",
            "",
            "| phase, version and what it did | times |",
            "|---|---|",
            *done,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
