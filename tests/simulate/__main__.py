"""Run mornings under seeds: `python -m tests.simulate --seeds 1000`. The exit status is 1 if a promise was broken."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from resultsq import logs
from tests.simulate.morning import Result, run, template


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--hours", type=float, help="for so long, instead of a number of seeds")
    asked = parser.parse_args()
    logs.configure("console", "ERROR")
    began, first = time.monotonic(), asked.first if asked.seed is None else asked.seed
    counts: Counter[str] = Counter()
    failed: list[Result] = []
    seed = first
    with tempfile.TemporaryDirectory() as folder:
        store = template(Path(folder))
        while _more(asked, seed - first, time.monotonic() - began):
            done = run(seed, store)
            counts += done.counts
            counts["steps"] += done.steps
            if done.findings or asked.seed is not None:
                print(done.line, flush=True)
            failed += [done] * bool(done.findings)
            seed += 1
    took_s = time.monotonic() - began
    print(*(f"{count:>9} {what}" for what, count in sorted(counts.items())), sep="\n")
    print(f"{seed - first} seeds in {took_s:.1f} s, {len(failed)} with a broken promise")
    return 1 if failed else 0


def _more(asked: argparse.Namespace, done: int, seconds: float) -> bool:
    if asked.seed is not None:
        return done < 1
    return bool(done < asked.seeds if asked.hours is None else seconds < asked.hours * 3600)


if __name__ == "__main__":
    sys.exit(main())
