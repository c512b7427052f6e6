"""What dashboards and a large action do to accepts: the same posts at the same pace, alone and beside them.

Twenty posts a second, which is a busy Saturday morning for thousands of events, from four connections, to a web process
of its own. Beside it fifty open dashboards ask for their news each two seconds, and operators open five pages a
second; then an action on a tenth of all submissions runs in another process, as one from the command line does.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import requests
from sqlalchemy import Connection

from resultsq.clock import SystemClock
from resultsq.domain.filter import Filter
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store.admin import action_runner, actions
from resultsq.store.engine.session import Database
from resultsq.store.engine.write_metrics import Work
from tests.bench import accept, dashboard
from tests.bench.report import OURS, Result

CLIENTS, PER_SECOND, FINISHERS = 4, 20.0, 250
DASHBOARDS, NEWS_S, PAGES_PER_SECOND = 50, 2.0, 5.0
MOST_BLOCKED_MS = 100.0

_numbers = itertools.count()  # each body is of another day


@dataclass(frozen=True, slots=True)
class Accepts:
    """Milliseconds of so many posts."""

    posts: int
    p50_ms: float
    p99_ms: float
    most_ms: float

    @classmethod
    def of(cls, took: list[float]) -> "Accepts":
        cuts = quantiles(took, n=100, method="inclusive")
        return cls(len(took), cuts[49] * 1000, cuts[98] * 1000, max(took) * 1000)


class Timed(Database):
    """Notes how long its longest transaction held others up."""

    longest_s = 0.0

    def write(self, work: Callable[[Connection], Any], what: Work = "other") -> Any:
        def timed(conn: Connection) -> Any:
            self._began = time.perf_counter()  # the lock is held from here
            return work(conn)

        done = super().write(timed, what)
        self.longest_s = max(self.longest_s, time.perf_counter() - self._began)
        return done


def run(folder: Path, url: str, asked: list[str], case: str, short: bool) -> Iterator[Result]:
    seconds = 2.0 if short else 30.0
    token = (folder / "token").read_text()
    with accept.served(dashboard.application, (folder, url)) as (port, _pid):

        def accepts(during: Callable[[], bool]) -> Accepts:
            return Accepts.of(_post(port, token, during))

        viewer = _person(port)
        for address in asked:  # a warm-up
            viewer.get(f"http://127.0.0.1:{port}{address}", timeout=10)
        accepts(_for(1.0))
        alone = accepts(_for(seconds))
        with _dashboards(port, viewer, asked) as load:
            beside = accepts(_for(seconds))
        ratio = beside.p99_ms / alone.p99_ms
        yield Result(
            "pages",
            f"{case}: accepts beside {DASHBOARDS} open dashboards",
            OURS,
            {
                "p99_ratio": ratio,
                "alone_p99_ms": alone.p99_ms,
                "beside_p50_ms": beside.p50_ms,
                "beside_p99_ms": beside.p99_ms,
                "posts": beside.posts,
                "pages": load.pages,
                "news": load.news,
            },
        )
        database = Timed(Settings(data_dir=folder, database_url=url).store_url)
        for verb in _VERBS[:1] if short else _VERBS:
            yield _action(database, accepts, alone, verb, case)
        database.close()


_VERBS = ("hold", "release", "withdraw")


def _action(
    database: Timed, accepts: Callable[[Callable[[], bool]], Accepts], alone: Accepts, verb: str, case: str
) -> Result:
    """Accepts from the first to the last piece of an action."""
    clock, database.longest_s = SystemClock(), 0.0
    took: list[float] = []
    done: list[actions.Progress | None] = []

    def act() -> None:
        began = time.perf_counter()
        target = Filter(states=(State.QUEUED,), accepted_to=clock.now())
        action = actions.start(database, clock.now(), "bench", verb, target, "a measurement")
        action_runner.run(database, clock, action)
        took.append(time.perf_counter() - began)
        with database.read() as conn:
            done.append(actions.progress(conn, action))

    worker = threading.Thread(target=act)
    worker.start()
    beside = accepts(worker.is_alive)
    worker.join()
    assert done, f"{verb} failed"
    assert done[0] is not None
    return Result(
        "pages",
        f"{case}: {verb} of {done[0].total:,}",
        OURS,
        {
            "done": done[0].done,
            "took_s": took[0],
            "longest_piece_ms": database.longest_s * 1000,
            "longest_accept_ms": beside.most_ms,
            "beside_p99_ms": beside.p99_ms,
            "alone_longest_ms": alone.most_ms,
            "posts": beside.posts,
        },
        "no accept blocked > 100 ms",
        # nothing but a piece blocks an accept, and in PostgreSQL hardly that: neither for longer than a piece takes
        # nor than accepts take longer than alone
        min(database.longest_s * 1000, beside.most_ms - alone.most_ms) <= MOST_BLOCKED_MS,
    )


def _for(seconds: float) -> Callable[[], bool]:
    until = time.perf_counter() + seconds
    return lambda: time.perf_counter() < until


def _sheet(number: int) -> bytes:
    """A body of another day for each number; the last year's days are those of the seeded submissions."""
    day = f"{1900 + number // 336:04}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
    return accept.sheet("event-0000", day, number, FINISHERS)


def _post(port: int, token: str, go_on: Callable[[], bool]) -> list[float]:
    """Post at the pace, at least once from each connection, until told to stop; the seconds of each."""
    took: list[list[float]] = [[] for _ in range(CLIENTS)]

    def client(mine: list[float]) -> None:
        while True:
            # a second's worth over one connection
            sheets = [(token, _sheet(next(_numbers))) for _ in range(round(PER_SECOND / CLIENTS))]
            accept.post(port, sheets, mine, CLIENTS / PER_SECOND, as_given="day-long-ago")
            if not go_on():
                return

    threads = [threading.Thread(target=client, args=(mine,)) for mine in took]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [seconds for mine in took for seconds in mine]


@dataclass
class Load:
    """What was asked of the dashboard meanwhile."""

    pages: int = 0
    news: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    failed: list[str] = field(default_factory=list)


@contextmanager
def _dashboards(port: int, viewer: requests.Session, asked: list[str]) -> Iterator[Load]:
    load, home = Load(), f"http://127.0.0.1:{port}"

    def news() -> None:
        session, tag = requests.Session(), ""
        session.cookies.update(viewer.cookies)  # of the same person, on another connection
        while not load.over.wait(NEWS_S / DASHBOARDS):
            answer = session.get(f"{home}/admin/live?view=overview", headers={"If-None-Match": tag}, timeout=10)
            tag, load.news = answer.headers.get("ETag", ""), load.news + 1
            if answer.status_code not in (200, 304):
                load.failed.append(f"{answer.status_code} for the news")

    def pages() -> None:
        turn = itertools.cycle(asked)
        while not load.over.wait(1 / PAGES_PER_SECOND):
            address = next(turn)
            answer, load.pages = viewer.get(home + address, timeout=10), load.pages + 1
            if answer.status_code != 200:
                load.failed.append(f"{answer.status_code} for {address}")

    threads = [threading.Thread(target=one) for one in (news, pages)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join()
    assert not load.failed, load.failed[:3]


def _person(port: int) -> requests.Session:
    session, home = requests.Session(), f"http://127.0.0.1:{port}"
    found = re.search(r'name="csrf_token" value="([^"]+)"', session.get(f"{home}/login", timeout=10).text)
    assert found is not None
    fields = {"csrf_token": found[1], "name": dashboard.NAME, "password": dashboard.PASSWORD}
    answer = session.post(f"{home}/login", data=fields, timeout=10)
    assert answer.status_code == 200, answer.status_code
    return session
