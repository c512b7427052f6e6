"""resultsq and what people would use instead, side by side: `python -m tests.bench [--short] [--write] [SCENARIO…]`.

Same sheets, same master, same link, same machine, one run. Prints one Markdown table; `--json` writes one JSON file
and, beside it, charts as SVG; `--write` puts the figures of each scenario into MEASURED.md as soon as it has ended, and
draws the charts there. The exit status is 1 where something of resultsq's was lost, doubled or out of order, and where
a scenario came to no end.
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from resultsq.clock import SystemClock
from tests.bench import (
    accept,
    accept_postgres,
    athletes,
    backlog,
    drain,
    form,
    growth,
    install,
    machine,
    mails,
    measured,
    outage,
    pages,
    public,
    rest,
    returns,
    saturday,
    slow_disk,
    startup,
    strangers,
    turns,
    waiting,
)
from tests.bench.report import Report, Result, said
from tests.support.processes import forking

Scenario = Callable[[bool], Iterator[Result]]

SCENARIOS: dict[str, Scenario] = {
    "after-outage": outage.after_outage,
    "returns": returns.run,
    "lost-answers": outage.lost_answers,
    "crash": outage.crash,
    "accept": accept.run,
    "accept-postgres": accept_postgres.run,
    "slow-disk": slow_disk.run,
    "drain": drain.run,
    "backlog": backlog.run,
    "cost-at-rest": rest.run,
    "pages": pages.run,
    "million": pages.million,
    "growth": growth.run,
    "public": public.run,
    "form": form.run,
    "readers": pages.read,
    "athletes": athletes.run,
    "start-up": startup.run,
    "install": install.run,
    "strangers": strangers.run,
    "turns": turns.run,
    "mails": mails.run,
    "waiting": waiting.run,
    "saturday": saturday.run,
}

NOT_SHORT = frozenset({"saturday"})
"""A small Saturday is among the tests, which read its figures as the scenario does."""

AT_ONCE = 6
"""How many scenarios go on beside each other in short: each has services of its own and waits most of the time."""


@dataclass
class Part:
    """What one scenario measured. `load`: of the machine before it; `fault`: why it came to no end."""

    name: str
    results: list[Result] = field(default_factory=list)
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    fault: BaseException | None = None


def run_all(names: Sequence[str], short: bool) -> Iterator[Part]:
    """The scenarios in their order. One that fails keeps none of the others from being measured."""
    if not short:
        for name in names:
            yield _part(name, short)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda name: _part(name, short), names)


def _part(name: str, short: bool) -> Part:
    part, began = Part(name), time.monotonic()
    try:
        for result in SCENARIOS[name](short):
            part.results.append(result)
            print(f"{result.scenario}: {result.case}: {result.who}: {said(result)}", file=sys.stderr, flush=True)
    except (Exception, KeyboardInterrupt, SystemExit) as fault:
        part.fault = fault
        traceback.print_exception(fault)
    print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return part


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="nearly all of it in a minute, with less of everything")
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
    report, faults = Report(machine.described(), chosen.short), []
    of = measured.stamp(SystemClock().now().date())  # of what is measured, whatever is committed meanwhile
    wanted = [name for name in SCENARIOS if not (chosen.short and name in NOT_SHORT)]
    with forking() if chosen.short else nullcontext():
        for part in run_all(chosen.scenario or wanted, chosen.short):
            report.results += part.results
            if chosen.write:  # at once, so that a run that is stopped keeps what it has
                facts = {**report.machine, "load before": f"{part.load:.1f}"}
                measured.write(part.name, part.results, facts, of, whole=part.fault is None)
            if part.fault is not None:
                faults.append(part.name)
            if isinstance(part.fault, KeyboardInterrupt | SystemExit):
                break
    print(report.markdown())
    if chosen.json:
        report.write(chosen.json)
    for name in faults:
        print(f"Came to no end: {name}.", file=sys.stderr)
    for result in report.harmed:
        print(f"Lost, doubled or out of order: {result.scenario}, {result.case}.", file=sys.stderr)
    return 1 if report.harmed or faults else 0


if __name__ == "__main__":
    sys.exit(main())
