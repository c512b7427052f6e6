"""The form under twenty teams: `python -m tests.bench.form [--rounds 3]`, or in `tests.bench` the scenario `form`.

A web process of its own on SQLite, files of 250-finisher events, and as many teams as the promise names: first spread
as over a Saturday's minute, then all at the same moment. A check is from the drop of the files to the last byte of
what is shown; a click is a correction by hand, to the last byte of the page with it; a submit from the button to the
last byte of the receipt. Prints p50, p95 and the longest of each, the processor time that one costs (which a busy
machine does not change) and what pages weigh. A check may take 100 ms p95, a click 60, a submit 300.
"""

import argparse
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median, quantiles
from threading import Barrier
from typing import Any

import requests

from resultsq.clock import SystemClock
from resultsq.domain.role import Role
from resultsq.drill.files import upload
from resultsq.store.admin import accounts, events
from resultsq.store.engine.session import Database
from tests.bench.machine import cpu_s
from tests.bench.report import OURS, Result
from tests.support.days import BEFORE, SATURDAY
from tests.support.passwords import hashed
from tests.support.processes import Process
from tests.support.stores import migrated

TEAMS, FINISHERS, MINUTE_S = 20, 250, 60.0
SHORT_TEAMS, SHORT_SPREAD_S = 6, MINUTE_S / 10
CHECK_MS, CLICK_MS, MOST_MS = 100.0, 60.0, 300.0
FIRST_KB, LATER_KB = 200.0, 30.0
PASSWORD = "wet hands"
HTMX = {"HX-Request": "true", "Accept": "*/*"}

Times = Sequence[float]
"""Seconds, one for each time."""

_HIDDEN = re.compile(r'name="(csrf_token|revision|key)" value="([^"]*)"')


@dataclass
class Team:
    """A browser that is logged in, at its event's page; seconds of what it did."""

    address: str
    slug: str
    rng: random.Random
    checks: list[float] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self._post("/login", self._get("/login"), name=self.slug, password=PASSWORD)

    def prepare(self, day: date, submits: bool = True) -> Callable[[], None]:
        """Choose the day; what is left to do is the check and, if wanted, the submit."""
        page = f"/submit/{self.slug}"
        shown = self._post(f"{page}/date", self._get(page), date=day.isoformat())
        files = [("files", file) for file in upload(self.rng, self.slug, day, FINISHERS).files]

        def go() -> None:
            checked = self._timed(self.checks, lambda: self._post(f"{page}/files", shown, files))
            if not submits:
                return
            clicked = self._timed(self.clicks, lambda: self._edited(page, checked))
            fields = _hidden(clicked)
            assert 'id="send" disabled' not in clicked, f"the files of {self.slug} need mending"
            told = self._timed(self.submits, lambda: self._post(f"{page}/send", clicked, key=fields["key"], whole=True))
            assert "Saved here at" in told

        return go

    def _edited(self, page: str, shown: str) -> str:
        return self._post(f"{page}/change", shown, action="edit-athlete", position="3", athlete="A7654321")

    def _timed(self, into: list[float], act: Callable[[], str]) -> str:
        began = time.perf_counter()
        answer = act()
        into.append(time.perf_counter() - began)
        return answer

    def _get(self, path: str) -> str:
        answer = self.session.get(self.address + path, timeout=30)
        answer.raise_for_status()
        return answer.text

    def _post(self, path: str, page: str, files: Any = None, whole: bool = False, **fields: str) -> str:
        data = {**{name: text for name, text in _hidden(page).items() if name != "key"}, **fields}
        headers = {} if whole or path == "/login" else HTMX
        answer = self.session.post(self.address + path, data, files=files, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.text


def _hidden(page: str) -> dict[str, str]:
    return dict(_HIDDEN.findall(page))


@contextmanager
def web(
    folder: Path, url: str | None = None, program: Sequence[str] = (sys.executable, "-m", "resultsq")
) -> Iterator[tuple[str, Process]]:
    """A web process with its teams. `url`: its database, which may have the events already; None: a file of the
    folder."""
    if url is None:
        url = f"sqlite:///{folder / 'resultsq.db'}"
        migrated(url).close()
    database = Database(url)
    now, stored = SystemClock().now(), hashed(PASSWORD)  # twenty log in before anything is measured

    def people(conn: Any) -> None:
        for number in range(TEAMS):
            if events.find(conn, f"event-{number}") is None:
                events.add(conn, now, f"event-{number}", f"Event {number}", "Europe/London")
            accounts.add(conn, now, f"event-{number}", stored, Role.TEAM, [f"event-{number}"])

    database.write(people)
    database.close()
    env = {"RESULTSQ_DATA_DIR": str(folder), "RESULTSQ_DATABASE_URL": url, "RESULTSQ_LOG_LEVEL": "info"}
    with Process("web", "--port", "0", env=env, program=program) as process:
        process.wait_for("web.ready", 60)
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout + process.stderr)
        assert found is not None
        yield found[0], process


def p95_of(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1]


def told(name: str, seconds: Sequence[float]) -> str:
    """One line of figures, in milliseconds."""
    figures = (median(seconds), p95_of(seconds), max(seconds))
    return f"{name:<28} n={len(seconds):<4}" + "".join(
        f" {label} {one * 1000:7.1f} ms" for label, one in zip(("p50", "p95", "max"), figures, strict=True)
    )


def worked(
    teams: Sequence[Team], rounds: int, spread_s: float, first: date, pid: int
) -> tuple[Times, Times, Times, float]:
    """Rounds of all teams: each begins at its own moment of `spread_s`, or all at once where that is 0. Seconds of the
    checks, of the clicks and of the submits, and processor seconds of the web process a team."""
    spent = 0.0
    for team in teams:
        team.checks.clear()
        team.clicks.clear()
        team.submits.clear()
    for number in range(rounds):
        ready = [team.prepare(first - timedelta(days=7 * number)) for team in teams]
        together = Barrier(len(teams))

        def one(at: int, go: Callable[[], None], together: Barrier = together) -> None:
            together.wait()
            time.sleep(at * spread_s / len(teams))
            go()

        before = cpu_s([pid])
        with ThreadPoolExecutor(len(teams)) as pool:
            for done in [pool.submit(one, at, go) for at, go in enumerate(ready)]:
                done.result()
        spent += cpu_s([pid]) - before
    checks, clicks = [one for team in teams for one in team.checks], [one for team in teams for one in team.clicks]
    return checks, clicks, [one for team in teams for one in team.submits], spent / rounds / len(teams)


def show(teams: Sequence[Team], rounds: int, spread_s: float, first: date, pid: int) -> None:
    """The same, printed."""
    checks, clicks, submits, spent_s = worked(teams, rounds, spread_s, first, pid)
    how = f"spread over {spread_s:g} s" if spread_s else "all at once"
    print(told(f"check, {how}", checks))
    print(told(f"click, {how}", clicks))
    print(told(f"submit, {how}", submits))
    print(f"processor of the three       {spent_s * 1000:.1f} ms of the web process a team")


def run(short: bool) -> Iterator[Result]:
    """Twenty teams that each submit once a minute, and what a page weighs."""
    rounds, count = (1, SHORT_TEAMS) if short else (5, TEAMS)
    with tempfile.TemporaryDirectory() as folder, web(Path(folder)) as (address, process):
        teams = [Team(address, f"event-{number}", random.Random(number)) for number in range(count)]
        spread_s = SHORT_SPREAD_S if short else MINUTE_S
        checks, clicks, submits, spent_s = worked(teams, rounds, spread_s, BEFORE, process.pid)
        first, later = weights(address, teams[0])
    for name, seconds, most in (("check", checks, CHECK_MS), ("click", clicks, CLICK_MS), ("submit", submits, MOST_MS)):
        p50, p95 = median(seconds), p95_of(seconds)
        yield Result(
            "form",
            f"{name} of {FINISHERS} finishers, {count} teams {'ten times' if short else 'once'} a minute",
            OURS,
            {"p50_ms": p50 * 1000, "p95_ms": p95 * 1000, "processor_ms": spent_s * 1000},
            f"p95 ≤ {most:g} ms",
            p95 * 1000 <= most,
        )
    for name, size, most in (("first visit", first, FIRST_KB), ("later", later, LATER_KB)):
        yield Result(
            "form", f"page with {FINISHERS} finishers, {name}", OURS, {"kB on the wire": size / 1000},
            f"< {most:g} kB", size / 1000 < most,
        )  # fmt: skip


def weights(address: str, team: Team) -> tuple[int, int]:
    """Bytes of bodies on the wire, compressed as for a browser, of the page with a whole sheet in it: at the first
    visit, with all that it needs, and later."""

    def weight(path: str) -> int:
        with team.session.get(address + path, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=30) as answer:
            return len(answer.raw.read(decode_content=False))

    page = team.session.get(f"{address}/submit/{team.slug}", timeout=30).text
    assets = [found for found in re.findall(r'(?:href|src)="([^"#]+\?v=\w+)', page) if "static" in found]
    team.prepare(SATURDAY, submits=False)()
    first = weight(f"/submit/{team.slug}")
    files = sum(weight(path) for path in dict.fromkeys([*assets, *re.findall(r'use href="([^"#]+)', page)]))
    return first + files, first


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.form", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--spread-s", type=float, default=MINUTE_S)
    chosen = parser.parse_args()
    saturday = BEFORE
    with tempfile.TemporaryDirectory() as folder, web(Path(folder)) as (address, process):
        teams = [Team(address, f"event-{number}", random.Random(number)) for number in range(TEAMS)]
        print(f"{TEAMS} teams, {FINISHERS} finishers each; load of the machine {os.getloadavg()[0]:.1f}")
        show(teams, 1, chosen.spread_s, saturday, process.pid)
        show(teams, chosen.rounds, 0.0, saturday - timedelta(days=140), process.pid)
        first, later = weights(address, teams[0])
        print(f"page weight                  first visit {first / 1000:.1f} kB, later {later / 1000:.1f} kB")


if __name__ == "__main__":
    main()
