"""A stranger posts garbage at the registration page: what it costs, and what a runner at another address feels.

One address sends 20,000 forms over four connections to a web process of its own: first those that the node reads and
refuses, then, beyond the limit of an address, those that it refuses unread. Meanwhile a runner at another address
registers now and then. Nothing of the garbage may be stored; each form beyond the limit is answered 429 with a sentence
and a Retry-After; all of the runner's registrations are kept.
"""

import http.client
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import func, select

from resultsq.clock import SystemClock
from resultsq.sealed import personal_keys
from resultsq.settings import Settings
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from resultsq.web.register import MOST_OF_A_CALLER
from tests.bench.accept import served
from tests.bench.machine import cpu_s
from tests.bench.report import OURS, Result
from tests.support.runners import FIELDS

STRANGER, RUNNER = "127.0.0.1", "127.0.0.2"
CONNECTIONS, EVERY_S = 4, 0.25
MOST_GROWN_KB = 8192.0

_GARBAGE: tuple[dict[str, str], ...] = (
    {},
    {"given_name": "x" * 5000},
    {"id": "no uuid", "born": "\0"},
    {"consent": "?"},
    {"website": "https://x.example"},
)


def node(folder: Path) -> Any:
    """A node where runners register."""
    settings = Settings(data_dir=folder, registration=True)
    database = _database(folder)
    migrate.upgrade(database)
    return create_app(settings, database, clock=SystemClock(), bell=Bell(""))


def run(short: bool) -> Iterator[Result]:
    """The flood, and the runner beside it."""
    posts = 400 if short else 20_000
    with tempfile.TemporaryDirectory() as name, served(node, (Path(name),)) as (port, pid):
        folder = Path(name)
        runner = _Caller(port, RUNNER)
        runner.register()  # a warm-up; the database has its first pages
        over = threading.Event()
        beside = threading.Thread(target=runner.register_until, args=(over,))
        grown, burnt, began = _size(folder), cpu_s([pid]), time.perf_counter()
        beside.start()
        strangers = [_Caller(port, STRANGER) for _ in range(CONNECTIONS)]
        threads = [threading.Thread(target=one.flood, args=(posts // CONNECTIONS,)) for one in strangers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed, burnt, grown = time.perf_counter() - began, cpu_s([pid]) - burnt, _size(folder) - grown
        over.set()
        beside.join()
        database = _database(folder)
        with database.read() as conn:
            stored = conn.execute(select(func.count()).select_from(Submission)).scalar_one()
        database.close()
    answers = [status for one in strangers for status in one.answers]
    strange = sum(status not in (400, 422, 429) for status in answers) + sum(not one.friendly for one in strangers)
    figures = {
        "malformed": answers.count(400),
        "read": answers.count(422),
        "refused_unread": answers.count(429),
        "otherwise": strange,
        "stored": stored - runner.answers.count(303),
        "lost": runner.answers.count(303) - stored if stored < runner.answers.count(303) else 0,
        "grown_kb": grown / 1024,
        "cpu_ms": burnt * 1000 / posts,
        "per_second": posts / elapsed,
        "runner_p95_ms": quantiles(runner.took, n=20)[-1] * 1000 if len(runner.took) > 1 else runner.took[0] * 1000,
        "registered": runner.answers.count(303),
    }
    met = (
        strange == 0
        and figures["stored"] == 0
        and figures["read"] <= MOST_OF_A_CALLER
        and set(runner.answers) == {303}
        and grown / 1024 < MOST_GROWN_KB
    )
    yield Result(
        "strangers", f"{posts:,} forms of garbage from one address", OURS, figures,
        "each beyond the limit a friendly 429, none stored, < 8 MB, the runner registers", met,
    )  # fmt: skip


def _database(folder: Path) -> Database:
    return Database(Settings(data_dir=folder).store_url, partial(personal_keys, "", folder))


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@dataclass
class _Caller:
    """A browser at an `address` of its own, with one connection and its cookie."""

    port: int
    address: str
    took: list[float] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    friendly: bool = True

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30, source_address=(self.address, 0)
        )
        self._cookie = ""
        _status, heads, page = self._call("GET")
        self._cookie = heads["Set-Cookie"].partition(";")[0]
        self._token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]

    def _call(self, verb: str, fields: dict[str, Any] | None = None) -> tuple[int, http.client.HTTPMessage, str]:
        heads = {"Cookie": self._cookie} if self._cookie else {}
        body = None
        if fields is not None:
            body = urlencode({"csrf_token": self._token, **fields}, doseq=True)
            heads["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(verb, "/register", body, heads)
        answer = self._connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    def register(self) -> None:
        """One runner, with an id of their own."""
        began = time.perf_counter()
        status, _heads, _page = self._call("POST", {**FIELDS, "id": str(uuid.uuid4())})
        self.took.append(time.perf_counter() - began)
        self.answers.append(status)

    def register_until(self, over: threading.Event) -> None:
        """Runners one after the other, within the limit of an address."""
        while not over.wait(EVERY_S) and len(self.answers) < MOST_OF_A_CALLER:
            self.register()

    def flood(self, posts: int) -> None:
        """Garbage without a pause."""
        for number in range(posts):
            status, heads, page = self._call("POST", _GARBAGE[number % len(_GARBAGE)])
            self.answers.append(status)
            if status == 429:
                self.friendly &= "Wait a few minutes" in page and int(heads["Retry-After"]) > 0
