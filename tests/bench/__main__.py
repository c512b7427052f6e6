"""resultsq and what people would use instead, side by side: `python -m tests.bench [--short] [--write] [SCENARIO…]`.

Same sheets, same master, same link, same machine, one run. Prints one Markdown table; `--json` writes one JSON file
and, beside it, charts as SVG; `--write` puts the figures into MEASURED.md. The exit status is 1 only where something
of resultsq's was lost, doubled or out of order.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from resultsq.clock import SystemClock
from tests.bench import (
    accept,
    accept_postgres,
    athletes,
    drain,
    form,
    machine,
    mails,
    measured,
    outage,
    pages,
    public,
    rest,
    saturday,
    slow_disk,
    startup,
    strangers,
    turns,
    waiting,
)
from tests.bench.report import Report, Result, said

Scenario = Callable[[bool], Iterator[Result]]

SCENARIOS: dict[str, Scenario] = {
    "after-outage": outage.after_outage,
    "lost-answers": outage.lost_answers,
    "crash": outage.crash,
    "accept": accept.run,
    "accept-postgres": accept_postgres.run,
    "slow-disk": slow_disk.run,
    "drain": drain.run,
    "cost-at-rest": rest.run,
    "pages": pages.run,
    "public": public.run,
    "form": form.run,
    "readers": pages.read,
    "athletes": athletes.run,
    "start-up": startup.run,
    "strangers": strangers.run,
    "turns": turns.run,
    "mails": mails.run,
    "waiting": waiting.run,
    "saturday": saturday.run,
}

AT_ONCE = 4
"""How many scenarios go on beside each other in short: each has services of its own and waits most of the time."""


def run_all(names: Sequence[str], short: bool) -> Iterator[Result]:
    """The results of the scenarios, in their order."""
    if not short:
        for name in names:
            yield from _told(name, short)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for results in pool.map(lambda name: list(_told(name, short)), names):
            yield from results


def _told(name: str, short: bool) -> Iterator[Result]:
    began = time.monotonic()
    yield from SCENARIOS[name](short)
    print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="all of it in two minutes, with less of everything")
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the figures here, and charts beside it")
    parser.add_argument("--write", action="store_true", help="put the figures into tests/bench/MEASURED.md")
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; none: all")
    chosen = parser.parse_args()
    if chosen.short and chosen.write:
        parser.error("figures of a short run are not written down: leave out --short or --write")
    for name in chosen.scenario:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario {name}: choose from {', '.join(SCENARIOS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every process that was started ends with this one
    report = Report(machine.described(), chosen.short)
    for result in run_all(chosen.scenario or list(SCENARIOS), chosen.short):
        report.results.append(result)
        print(f"{result.scenario}: {result.case}: {result.who}: {said(result)}", file=sys.stderr, flush=True)
    print(report.markdown())
    if chosen.json:
        report.write(chosen.json)
    if chosen.write:
        measured.write(report, SystemClock().now().date())
    for result in report.harmed:
        print(f"Lost, doubled or out of order: {result.scenario}, {result.case}.", file=sys.stderr)
    return 1 if report.harmed else 0


if __name__ == "__main__":
    sys.exit(main())
