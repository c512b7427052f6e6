"""The list of athletes at its full size: `athletes` in `tests.bench`.

A million athletes (twenty thousand in short, on SQLite alone) come from a master's feed, a process of its own, into
each database, as a worker loads them, in an order that is the worst for an index. Beside it another process writes, as
accepting does, and its waits are measured. Then, at a node of 2,500 events with twelve sheets each of the first twenty
and the master away:

- What a row costs.
- A look-up of 250 numbers, alone in this process, with its connection.
- The same in a real web process while twenty teams work in it, over HTTP and once a minute each, as the promise for
  checks names them. The web process times its own look-ups, so neither the teams' threads, which are here, nor the way
  of the page to them count. The sheets' athletes are on the list, but for a hundredth. Also said, without a bound: the
  same where all twenty send in one moment.
- Who was meant by 250 numbers that the list lacks, and a public profile: the functions that the pages call.

The teams, and what else works beside, share the two cores of the machine with the web process, and with the database.
At last, in a database of its own, a list that the master voids is replaced while another process looks 250 athletes up
a hundred times a second: none may fail or see half a list.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from resultsq.app import known_athletes, profiles
from resultsq.clock import SystemClock
from resultsq.domain import sheet
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.sheet import Finisher, Sheet
from resultsq.store import outbox
from resultsq.store.admin import events
from resultsq.store.athletes import copies, lookup
from resultsq.store.engine.session import Database
from tests.bench import form
from tests.bench.report import OURS, Result
from tests.support import feed_of_athletes, list_loader, looks_beside, writes_beside
from tests.support.days import BEFORE
from tests.support.nodes import StoreNode
from tests.support.services import Missing, PostgreSQL
from tests.support.stores import migrated

MANY, FEW = 1_000_000, 20_000
ASKED, ROUNDS, EVENTS = 250, 2, 2_500
LOAD_S, LOAD_MB, ALONE_MS, LOOK_MS, MEANT_MS, ROW_BYTES, WAIT_MS = 60.0, 150.0, 5.0, 10.0, 50.0, 200.0, 100.0
PROFILE_MS = 50.0
HOME = "event-3"


def run(short: bool) -> Iterator[Result]:
    """The results."""
    for make in ("SQLite",) if short else ("SQLite", "PostgreSQL"):
        try:
            yield from _with(make, short)
        except Missing as missing:
            yield Result("athletes", make, OURS, {}, note=str(missing))


def _with(make: str, short: bool) -> Iterator[Result]:
    count = FEW if short else MANY
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, other = (f"sqlite:///{folder / name}" for name in ("resultsq.db", "other.db"))
        if make == "PostgreSQL":
            server = stack.enter_context(PostgreSQL(durable=True))
            url, other = (stack.enter_context(server.database()) for _ in range(2))
        database = migrated(url)
        node = StoreNode(database, [f"event-{number}" for number in range(EVENTS)])
        node.probe()
        yield _load(make, url, folder, count)
        database.close()
        if database.is_sqlite:
            yield _row(folder / "resultsq.db", count)
        database = node.database = Database(url)
        stack.callback(database.close)
        numbers = feed_of_athletes.numbers(count)
        while node.probe(Cause.REFUSED).state is LinkState.UP:
            continue
        for event in sorted(node.events)[: 1 if short else profiles.MOST_EVENTS]:
            _run_weeks(node, event, numbers)
        _run_weeks(node, HOME, numbers)
        yield _look(make, database, url, folder, numbers, short)
        yield _meant(make, database, numbers)
        yield _profile(make, database, numbers)
        yield _swap(make, other, folder, *((FEW // 10, FEW // 5) if short else (FEW, 4 * FEW)))


def _load(make: str, url: str, folder: Path, count: int) -> Result:
    with feed_of_athletes.serve(count) as feed, writes_beside.writing(url) as waits:
        cost = list_loader.load(url, feed, folder)
    waited = _p95_ms(waits)
    figures = {
        "load_s": round(cost.load_s, 1),
        "cpu_s": round(cost.cpu_s, 1),
        "more_memory_mb": round(cost.more_memory_mb, 1),
        "other_write_p95_ms": round(waited, 1),
    }
    target = f"≤ {LOAD_S:.0f} s, ≤ {LOAD_MB:.0f} MB more, another's write ≤ {WAIT_MS:.0f} ms p95"
    met = cost.load_s <= LOAD_S and cost.more_memory_mb <= LOAD_MB and waited <= WAIT_MS
    return Result("athletes", f"load {count:,}, {make}", OURS, figures, target, met)


def _row(file: Path, count: int) -> Result:
    figures = {"row_bytes": round(file.stat().st_size / count, 1)}
    return Result("athletes", "a row", OURS, figures, f"≤ {ROW_BYTES:.0f} bytes", figures["row_bytes"] <= ROW_BYTES)


def _run_weeks(node: StoreNode, event: str, numbers: list[int]) -> None:
    """Twelve sheets of the event, each with 250 of these athletes."""
    rng = random.Random(event)
    for week in range(known_athletes.SHEETS):
        day = (datetime(2013, 1, 5, tzinfo=UTC) + timedelta(weeks=week)).date().isoformat()
        lines = tuple(
            Finisher(position=place, athlete=f"A{number}", time=f"00:{17 + place // 60:02}:{place % 60:02}")
            for place, number in enumerate(rng.sample(numbers, ASKED), 1)
        )
        body = sheet.canonical_bytes(
            Sheet(event=event, date=day, submitted_by="team", submitted_at=node.now, finishers=lines)
        )
        rows = sheet.rows_digest(lines, ())
        made = outbox.Entry(
            "results", node.events[event], day, body, sheet.digest(body), rows, ASKED, "team"
        )  # fmt: skip
        node.database.write(lambda conn, made=made: outbox.accept(conn, node.now, made))  # type: ignore[misc]


class _OfTheList(random.Random):
    """Chance that draws athletes from the list, but for one in a hundred."""

    def __init__(self, seed: int, numbers: list[int]) -> None:
        super().__init__(seed)
        self._numbers = numbers

    def sample(self, population: Any, k: int, **more: Any) -> list[Any]:
        if population != range(1_000, 9_999_999):
            return super().sample(population, k, **more)
        return [one + 10_000_000 * (self.random() < 0.01) for one in super().sample(self._numbers, k)]


def _look(make: str, database: Database, url: str, folder: Path, numbers: list[int], short: bool) -> Result:
    asked = [f"A{number}" for number in random.Random(2).sample(numbers, ASKED)]
    alone = 1000 * median(_timed(lambda: _read(database, asked)) for _ in range(21))
    notes = folder / "look-ups"
    with form.web(folder, url, (sys.executable, "-m", "tests.support.timed_lookups", str(notes))) as (address, process):
        count = form.SHORT_TEAMS if short else form.TEAMS
        teams = [form.Team(address, f"event-{at}", _OfTheList(at, numbers)) for at in range(count)]
        rounds, spread_s = (1, form.SHORT_SPREAD_S) if short else (ROUNDS, form.MINUTE_S)
        form.worked(teams, rounds, spread_s, BEFORE, process.pid)
        times = _noted(notes)
        form.worked(teams, 1, 0.0, BEFORE - timedelta(days=140), process.pid)
        at_once = _noted(notes)[len(times) :]
    p50, p95 = 1000 * median(times), _p95_ms(times)
    figures = {
        "alone_ms": round(alone, 2),
        "p50_ms": round(p50, 2),
        "p95_ms": round(p95, 2),
        "look-ups": float(len(times)),
        "all_teams_at_once_p95_ms": round(_p95_ms(at_once), 2),
    }
    target = f"alone ≤ {ALONE_MS:.0f} ms, p95 ≤ {LOOK_MS:.0f} ms"
    case = f"look up {ASKED}, {count} teams {'ten times' if short else 'once'} a minute, {make}"
    return Result("athletes", case, OURS, figures, target, alone <= ALONE_MS and p95 <= LOOK_MS)


def _noted(notes: Path) -> list[float]:
    return [float(line) for line in notes.read_text().split()]


def _read(database: Database, asked: list[str]) -> None:
    with database.read() as conn:
        assert len(lookup.by_number(conn, asked)) == len(asked)


def _meant(make: str, database: Database, numbers: list[int]) -> Result:
    """All that the page asks of the list for a sheet of which no number is there."""
    known, rng = set(numbers), random.Random(3)
    lacking = [number for number in rng.sample(range(1_000_000, 9_999_999), 2 * ASKED) if number not in known][:ASKED]
    lines = [Finisher(position=at, athlete=f"A{number}", time="00:20:00") for at, number in enumerate(lacking, 1)]
    with database.read() as conn:
        event = events.find(conn, HOME)
    assert event is not None

    def look() -> None:
        with database.read() as conn:
            found = known_athletes.of_sheet(conn, event, lines, SystemClock().now())
            assert found is not None
            assert len(found.meant) == ASKED

    p50, p95 = _p50_and_p95_ms(look)
    figures = {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1)}
    case = f"who was meant, {ASKED} rows, {make}"
    return Result("athletes", case, OURS, figures, f"≤ {MEANT_MS:.0f} ms", p95 <= MEANT_MS)


def _profile(make: str, database: Database, numbers: list[int]) -> Result:
    """What everybody may see of a runner, at a node of many events."""
    number = next(f"A{number}" for number in numbers if f"event-{number % 800}" == HOME)

    def look() -> None:
        with database.read() as conn:
            assert profiles.of_anybody(conn, number) is not None

    p50, p95 = _p50_and_p95_ms(look)
    figures = {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1)}
    case = f"a public profile, {EVENTS:,} events, {make}"
    return Result("athletes", case, OURS, figures, f"≤ {PROFILE_MS:.0f} ms", p95 <= PROFILE_MS)


def _swap(make: str, url: str, folder: Path, first: int, second: int) -> Result:
    database = migrated(url)
    StoreNode(database).probe()
    with feed_of_athletes.serve(first) as feed:
        list_loader.pull(list_loader.keeper_of(database, feed, folder), database)
    database.write(copies.ask_now)
    with feed_of_athletes.serve(second, "h2") as feed, looks_beside.looking(url, first) as looks:
        keeper = list_loader.keeper_of(database, feed, folder)
        list_loader.pull(keeper, database)
        keeper.work()  # the old one is deleted
    database.close()
    assert looks.lists == ["h1", "h2"]
    figures = {
        "look-ups": float(len(looks.took)),
        "a second": len(looks.took) / looks.lasted_s,
        "failed": float(looks.failed),
        "saw half a list": float(looks.halves),
        "p95_ms": round(_p95_ms(looks.took), 2),
    }
    case = f"a list of {second:,} takes another's place, {make}"
    met = looks.failed == looks.halves == 0 and figures["a second"] >= 0.95 * looks_beside.A_SECOND
    return Result("athletes", case, OURS, figures, f"{looks_beside.A_SECOND} look-ups a second, none fails", met)


def _p50_and_p95_ms(do: Callable[[], None]) -> tuple[float, float]:
    do()
    times = [_timed(do) for _ in range(60)]
    return 1000 * median(times), _p95_ms(times)


def _timed(do: Callable[[], None]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


def _p95_ms(times: list[float]) -> float:
    return 1000 * quantiles(times, n=20, method="inclusive")[-1]
