"""Run mornings under seeds: `python -m tests.simulate --seeds 1000`. The exit status is 1 if a promise was broken.

A long run is split among processes, each with its own range, which keeps what it has every minute and when it is told
to end (SIGTERM, SIGINT). The same command goes on from there. `--join` makes one page of them:

    python -m tests.simulate --first 0 --seeds 10000 --part a.json
    python -m tests.simulate --first 10000 --seeds 10000 --part b.json
    python -m tests.simulate --join a.json b.json --write"""

import argparse
import gc
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from resultsq import logs
from tests.simulate.morning import Result, run
from tests.simulate.plan import FAULTS_S, TEAMS, Plan
from tests.simulate.report import PAGE, Tally, page
from tests.simulate.shrink import shrink
from tests.simulate.sometimes import missing
from tests.simulate.workshop import workshop

SO_MANY_REACH_ALL = 1000
"""A run of as many seeds reaches every interesting state."""


KEPT_EVERY_S = 60.0


def main() -> int:
    asked = command_line().parse_args()
    logs.configure("console", "INFO")
    tally = Tally.joined(asked.join) if asked.join else _run(asked)
    if asked.seed is None:
        _print_counts(tally)
    unreached = list(missing(tally.seen)) if tally.seeds >= SO_MANY_REACH_ALL and not asked.part else []
    print(*(f"never reached: {what}" for what in unreached), sep="\n", end="\n" * bool(unreached))
    print(f"{tally.seeds} seeds, {tally.steps} steps in {tally.cost}, {len(tally.failed)} with a broken promise")
    if asked.write:
        PAGE.write_text(page(tally))
    return 1 if tally.failed or unreached else 0


def _run(asked: argparse.Namespace) -> Tally:
    """Until there is no more to do, or until this process is told to end."""
    first, tally, told = asked.first if asked.seed is None else asked.seed, begun(asked), Told()
    if tally.seeds:
        print(f"{asked.part} has {tally.seeds} seeds; the next is {first + tally.seeds}", flush=True)
    settle_collector()
    with workshop() as shop:
        began, began_well = time.monotonic(), False
        kept = began
        while not told.to_end and _more(asked, tally.seeds, time.monotonic() - began):
            done = run(plan_of(asked, first + tally.seeds), shop)
            tally.add(done)
            tally.commands = [_words(asked, first, tally.seeds)]
            if asked.part and not began_well:
                print("the first morning has ended; SIGTERM ends this run in good order", flush=True)
                began_well = True
            if done.findings or asked.seed is not None:
                print(_line(done), flush=True)
            if done.findings and not asked.whole:
                print(f"smaller: {_line(shrink(done, shop))}", flush=True)
            if asked.part and time.monotonic() - kept >= KEPT_EVERY_S:
                tally.keep(asked.part)
                kept = time.monotonic()
    tally.measure()
    if asked.part:
        tally.keep(asked.part)
    return tally


def settle_collector() -> None:
    """What is there now stays; the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def begun(asked: argparse.Namespace) -> Tally:
    """What an earlier process has counted, where it ran the same code and began at the same seed; else nothing."""
    new = Tally(commits=[commit()])
    if not asked.part or not asked.part.exists():
        return new
    kept = Tally.kept(asked.part)
    if kept.commits == new.commits and kept.commands == [_words(asked, asked.first, kept.seeds)]:
        return kept
    sys.exit(f"{asked.part} is of {kept.commits[0]}, {kept.commands[0]}: remove it, or name another file.")


class Told:
    """Whether this process is to end; the morning that is under way comes first."""

    def __init__(self) -> None:
        self.to_end = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, _number: int, _frame: object) -> None:
        self.to_end = True


def _words(asked: argparse.Namespace, first: int, seeds: int) -> str:
    alone = f' --without "{asked.without}"' if asked.without else ""
    return f"--first {first} --seeds {seeds}{' --brief' * asked.brief}{alone}"


def _line(done: Result) -> str:
    """All that it takes to see it again."""
    return f"{done.line} at {commit()}: {done.plan.command}"


def _print_counts(tally: Tally) -> None:
    for title, counts in (("faults", tally.met), ("states", tally.seen)):
        print(title, *(f"{count:>9} {what}" for what, count in sorted(counts.items())), sep="\n")


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--brief", action="store_true", help="short mornings, as CI runs them")
    parser.add_argument("--hours", type=float, help="for so long, instead of a number of seeds")
    alone = parser.add_argument_group("with --seed; in a run of many each seed has its kind of morning")
    alone.add_argument("--teams", type=int, default=TEAMS, help="no more teams than these")
    alone.add_argument("--until", type=float, default=FAULTS_S, help="when (virtual seconds) the last fault is")
    alone.add_argument("--hasty", action="store_true", help="teams withdraw most of what they have just sent")
    alone.add_argument("--restores", action="store_true", help="the master comes back from a backup for certain")
    alone.add_argument("--rush", action="store_true", help="every team is there, and corrects again and again")
    parser.add_argument("--whole", action="store_true", help="do not look for a smaller morning that fails, too")
    parser.add_argument("--write", action="store_true", help="write tests/simulate/RESULTS.md")
    parser.add_argument("--part", type=Path, metavar="FILE", help="keep what this run counts, for --join")
    parser.add_argument("--join", type=Path, nargs="+", metavar="FILE", help="no run: what other runs have kept")
    parser.add_argument("--without", default="", help="kinds of fault that do not happen, between commas")
    return parser


def plan_of(asked: argparse.Namespace, seed: int) -> Plan:
    """The morning of that seed, as the command line has it."""
    without = frozenset(name for part in asked.without.split(",") if (name := part.strip()))
    if asked.seed is None:
        return replace(Plan.brief(seed) if asked.brief else Plan.of(seed), without=without)
    return Plan(seed, asked.teams, without, asked.until, asked.hasty, asked.restores, asked.rush)


def _more(asked: argparse.Namespace, done: int, seconds: float) -> bool:
    if asked.seed is not None:
        return done < 1
    return bool(done < asked.seeds if asked.hours is None else seconds < asked.hours * 3600)


def commit() -> str:
    """The commit that is checked out, and a + where files were changed since."""
    here = Path(__file__).parent
    try:
        name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
        changed = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True)
    except OSError:
        return "an unknown commit"
    return f"commit {name.stdout.strip()}{'+' if changed.stdout else ''}"


if __name__ == "__main__":
    sys.exit(main())
