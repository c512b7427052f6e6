"""Growth: what a step costs beside 1,000 to 1,000,000 submissions that are over, or that wait.

Each line is one step: the least that it took at each size, for what else a machine does only adds; and the slope of all
sizes, which is the exponent: 0 where a step costs the same however much there is, 1 where ten times as much costs ten
times as much. An index that is a level deeper takes a tenth more or so. What grows is a fault.

A sweep is the cycle that a worker runs though there is nothing to do, and the alerts are what one works out each ten
seconds. Pages are asked as if nobody had looked for a quarter of an hour; a check, a click and a submit are a team's,
over HTTP; the memory is that of the web process after all this, and of a worker that looks at all that waits and may
send nothing.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from math import log10
from pathlib import Path
from statistics import linear_regression
from typing import TypeVar

from resultsq import logs
from resultsq.app import submissions
from resultsq.app.context import AppContext
from resultsq.clock import SystemClock
from resultsq.delivery import sender
from resultsq.domain.entry import Entry
from resultsq.domain.role import Role
from resultsq.domain.settlement import Settlement
from resultsq.kinds.registry import KINDS
from resultsq.settings import Settings
from resultsq.store.admin import accounts
from resultsq.store.outbox import cycle
from resultsq.store.outbox.cycle import Cycle
from resultsq.wakeup import Bell
from resultsq.watch import messenger
from tests.bench import accept, dashboard, filled
from tests.bench.filled import EVENTS, FIRST_EVENT, LAST_SEQ, OVER, WAITING
from tests.bench.form import PASSWORD, Team
from tests.bench.machine import memory_mb, trees
from tests.bench.ours import Ours
from tests.bench.report import OURS, Result
from tests.support.days import BEFORE
from tests.support.nodes import CEILING, accepted, entry
from tests.support.processes import OtherMaster
from tests.support.services import Missing, PostgreSQL

SCENARIO = "growth"
SIZES, SHORT_SIZES = (1_000, 10_000, 100_000, 1_000_000), (300, 3_000)
MOST_SLOPE = 0.1
"""Twice as dear beside a thousand times as much."""

TIMES, SHORT_TIMES = 25, 2
MORNINGS = 10
"""Of a team at each size: all of them are within a year, for a form asks about what is longer ago."""

ROWS = 250
TEAM = "filled-000"
PAGES = (
    "/admin",
    "/admin?span=30d",
    "/admin/errors",
    "/admin/submissions",
    "/admin/submissions?waiting_only=true&sort=accepted",
    "/admin/submissions?states=published&sort=-published",
    f"/admin/submissions/filled-{LAST_SEQ}",
)
_REST_S = 4.0
_FIRST_DAY = date(1960, 1, 2)

T = TypeVar("T")
Costs = dict[str, float]
"""Of each step: milliseconds, or megabytes where its name begins with "memory"."""


@dataclass
class Bench:
    """One store that is filled further and further, and what is done to it at each size."""

    ours: Ours
    folder: Path
    url: str
    short: bool
    clock: SystemClock = field(default_factory=SystemClock)
    days: int = 0
    mornings: int = 0

    def __post_init__(self) -> None:
        settings = Settings(data_dir=self.folder, database_url=self.url, event_submissions_per_day=0)
        self.ctx = AppContext(settings, self.ours.database, self.clock, Bell(""))
        self.times = SHORT_TIMES if self.short else TIMES
        now, write = self.clock.now(), self.ours.database.write
        filled.prepare(self.ours.database, now)
        self.ours.node.now = now
        self.ours.node.probe()
        team, viewer = accounts.hash_password(PASSWORD), accounts.hash_password(dashboard.PASSWORD)
        write(lambda conn: accounts.add(conn, now, TEAM, team, Role.TEAM, [TEAM]))
        write(lambda conn: accounts.add(conn, now, dashboard.NAME, viewer, Role.VIEWER))

    def costs(self) -> Costs:
        return {**self.store(), **self.pages(), **({} if self.short else self.processes())}

    def store(self) -> Costs:
        """Each step of the store, as the product calls it."""
        entries = [self._entry(number) for number in range(CEILING * self.times)]
        accepts = [_ms(partial(submissions.keep, self.ctx, self.clock.now(), one))[0] for one in entries]
        claims, settles = list[float](), list[float]()
        for _ in range(self.times):
            took, taken = _ms(partial(self._cycle, (), CEILING))
            assert len(taken.leases) == CEILING, f"only {len(taken.leases)} were claimed"
            ends = [sender.settlement(lease, accepted(lease), 0.05, 0.5) for lease in taken.leases]
            claims.append(took)
            settles.append(_ms(partial(self._cycle, ends, 0))[0])
        hold = self.ours.hold()
        sweep = self._again(partial(self._cycle, (), CEILING))
        self.ours.release(hold)
        alerts = self._again(partial(messenger.evaluate_alerts, self.ctx.settings, self.ours.database, self.clock))
        return {
            "accept": min(accepts),
            f"claim of {CEILING}": min(claims),
            f"settle of {CEILING}": min(settles),
            "sweep": sweep,
            "alerts": alerts,
        }

    def _cycle(self, ends: Sequence[Settlement], free: int) -> Cycle:
        now = self.clock.now
        return self.ours.database.write(
            lambda conn: cycle.run_cycle(conn, now(), "w1", ends, free, CEILING, kinds=KINDS)
        )

    def pages(self) -> Costs:
        clock = dashboard.Leaping()
        app = dashboard.application(self.folder, self.url, clock)
        client = dashboard.person(app)
        pages = PAGES[:1] if self.short else PAGES
        timings = {page: dashboard.measure(client, clock, page, self.times) for page in pages}
        return {f"page {page}": timing.least_ms for page, timing in timings.items()}

    def processes(self) -> Costs:
        """What a team does at a web process, and what that and a worker hold in memory."""
        found: Costs = {}
        with accept.served(dashboard.application, (self.folder, self.url)) as (port, pid):
            team = Team(f"http://127.0.0.1:{port}", TEAM, random.Random(self.mornings))
            for _ in range(MORNINGS):
                self.mornings += 1
                team.prepare(BEFORE - timedelta(weeks=self.mornings))()
            for name, seconds in (("check", team.checks), ("click", team.clicks), ("submit", team.submits)):
                found[f"{name} of {ROWS} finishers"] = 1000 * min(seconds)
            found["memory of a web process"] = memory_mb([pid])
        hold = self.ours.hold()
        self.ours.start_workers()
        time.sleep(_REST_S)
        found["memory of a worker"] = memory_mb(trees(self.ours.pids))
        self.ours.workers.pop().terminate()
        self.ours.release(hold)
        return found

    def _entry(self, number: int) -> Entry:
        """A version of a day of its own, of an event with as long a past as any."""
        self.days += 1
        event = number % EVENTS
        day = _FIRST_DAY + timedelta(days=self.days)
        return entry(FIRST_EVENT + event, f"filled-{event:03}", ROWS, date=day.isoformat())

    def _again(self, do: Callable[[], object]) -> float:
        return min(_ms(do)[0] for _ in range(self.times))


def _ms(do: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    done = do()
    return 1000 * (time.perf_counter() - began), done


def run(short: bool) -> Iterator[Result]:
    if short:
        yield from grown("SQLite", WAITING, short)
        return
    for make in ("SQLite", "PostgreSQL"):
        for which in (OVER, WAITING):
            try:
                yield from grown(make, which, short)
            except Missing as missing:
                yield Result(SCENARIO, _case(make, which), OURS, {}, note=str(missing))


def grown(make: str, which: str, short: bool = False) -> Iterator[Result]:
    """A line for each step."""
    logs.configure("json", "error")
    seen: dict[int, Costs] = {}
    with ExitStack() as stack:
        folder, url = Path(stack.enter_context(tempfile.TemporaryDirectory())), ""
        if make == "PostgreSQL":
            url = stack.enter_context(stack.enter_context(PostgreSQL(durable=True)).database())
        master = stack.enter_context(OtherMaster())
        ours = stack.enter_context(Ours(folder, master.url, url))
        bench, before = Bench(ours, folder, url, short), 0
        for size in SHORT_SIZES if short else SIZES:
            filled.fill(ours.database, bench.clock.now(), which, before + 1, size)
            seen[size], before = bench.costs(), size
    for step in seen[before]:
        costs = {size: one[step] for size, one in seen.items()}
        yield told(f"{step}: {_case(make, which)}", costs, short)


def _case(make: str, which: str) -> str:
    return f"{make}, beside so many that {'are over' if which == OVER else 'wait'}"


def told(case: str, costs: Mapping[int, float], short: bool) -> Result:
    unit = "mb" if case.startswith("memory") else "ms"
    slope = slope_of(costs)
    figures: dict[str, float | None] = {f"at_{size:,}_{unit}": cost for size, cost in costs.items()}
    # a short one is of a few rows and a few times: its slope says little
    target, met = ("", None) if short else (f"slope ≤ {MOST_SLOPE:g}", slope <= MOST_SLOPE)
    return Result(SCENARIO, case, OURS, {"slope": slope, **figures}, target, met)


def slope_of(costs: Mapping[int, float]) -> float:
    """The exponent by which a cost grows with the size."""
    return linear_regression([log10(size) for size in costs], [log10(cost) for cost in costs.values()]).slope
