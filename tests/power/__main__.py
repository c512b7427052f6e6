"""Cut the power at every write and sync of whole mornings, and spoil pages: `python -m tests.power --seeds 3`. The exit
status is 1 where something acknowledged was lost, doubled or altered."""

import argparse
import sys
import time
from pathlib import Path

from tests.power import pages
from tests.power.morning import journal, record
from tests.power.replay import Tally, replay

PART = Path(__file__).parents[1] / "simulate" / "parts" / "power.md"
MODES = ("WAL", "DELETE")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="mornings for each way to commit")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=2, help="of each morning; the more, the longer it is")
    parser.add_argument("--every", type=int, default=1, help="cut at each so-manieth step")
    parser.add_argument("--pages", type=int, default=100, help="damages of each sort, for each seed")
    parser.add_argument("--write", action="store_true", help=f"write {PART.name}")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    began = time.process_time()
    tallies = {mode: Tally() for mode in MODES}
    seen = pages.Seen()
    for seed in seeds:
        for mode, tally in tallies.items():
            with journal(mode):
                recording = record(seed, asked.rounds)
                steps = range(0, len(recording.steps) + 1, asked.every)
                done = replay(recording, seed, steps)
            tally.add(done)
            print(f"seed {seed}, {mode}: {done.disks:,} disks, {len(done.found)} broken promises", flush=True)
            for cut, how, one in done.found[:5]:
                print(f"  cut before step {cut}, {how}: {one.what}: {one.about}: {one.detail}")
        spoilt = pages.look(pages.keep(seed), seed, asked.pages)
        seen.add(spoilt)
        print(f"seed {seed}, pages: {spoilt.damages} damages, {dict(spoilt.ends)}", flush=True)
        for line in spoilt.found[:5]:
            print(f"  {line}")
    if asked.write:
        PART.parent.mkdir(exist_ok=True)
        PART.write_text(
            page(" ".join(sys.argv[1:]).replace(" --write", ""), tallies, seen, time.process_time() - began)
        )
    return 1 if seen.found or any(tally.found for tally in tallies.values()) else 0


def page(asked: str, tallies: dict[str, Tally], seen: pages.Seen, core_s: float) -> str:
    """The part of tests/simulate/RESULTS.md."""
    rows = [
        f"| {mode} | {sum(one.steps.values()):,} | {one.steps['Synced'] + one.steps['FolderSynced']:,} | {one.cuts:,} "
        f"| {one.disks:,} | {one.different:,} | {one.went_on:,} | {len(one.found)} |"
        for mode, one in tallies.items()
    ]
    ends = [f"| {end} | {count:,} |" for end, count in sorted(seen.ends.items())]
    return "\n".join(
        [
            "## Power cuts",
            "",
            f"Written by `python -m tests.power {asked} --write`, in {core_s / 60:.1f} minutes of one core.",
            "",
            "Each write and sync below SQLite is noted, and the power is cut between any two. Of what was not synced, "
            "everything is lost, everything is kept, a beginning is kept, or some sectors are. Then each acknowledged "
            "sheet must be there, the database be whole, and the node go on without losing or doubling anything.",
            "",
            "| journal | steps | syncs | cuts | disks | different | the node went on from | broken promises |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "## Damaged pages",
            "",
            f"{seen.damages:,} times one page was flipped, torn, old, empty or garbled. {len(seen.found)} times other "
            "bytes than those that were accepted were shown or sent, or the driver's own error came up.",
            "",
            "| what a person or a worker met | times |",
            "|---|---|",
            *ends,
            "",
            "Sheets and files are compared with their digests. Of a row's other fields, as a team's name or the time "
            "of an attempt, a flipped bit is noticed only where the database or the product cannot read the row then.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
