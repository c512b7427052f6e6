"""Accept: durable accepts per second against a bare Flask route, and what a drain and a bad broker do to them.

Both are served by the same waitress with the same threads, each in a process of its own, one after the other,
to the same clients: threads in another process, with raw keep-alive connections. The bare route inserts the
same bytes and commits them as durably, and does nothing else.
"""

import http.client
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from flask import Flask, request
from sqlalchemy import Connection
from waitress.server import create_server

from resultsq import interpreter, logs
from resultsq.clock import SystemClock
from resultsq.domain.role import Role
from resultsq.settings import Settings
from resultsq.store.admin import events, tokens
from resultsq.store.engine.session import Database
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.bench import work
from tests.bench.machine import cpu_s
from tests.bench.ours import Ours
from tests.bench.report import OURS, Result
from tests.support.days import SATURDAY
from tests.support.processes import OtherMaster, Process, are_forked
from tests.support.services import Valkey, free_port
from tests.support.stores import migrated

THREADS = 8
FINISHERS = 250
_PATIENCE_MS = 60_000
_LAST = 8_000
"""Characters of a server's log that are shown."""
EVENTS = 4
"""One event has no more days that are not asked about than a year has."""


def sheet(event: str, day: str, number: int, finishers: int) -> bytes:
    """A results body; each number has other athletes."""
    rows = [
        {
            "position": place,
            "athlete": f"A{1000000 + number + place}" if place % 12 else None,
            "time": f"00:{15 + place // 20:02}:{place % 20 * 3:02}",
        }
        for place in range(1, finishers + 1)
    ]
    return json.dumps({"event": event, "date": day, "finishers": rows}).encode()


def bare(folder: Path) -> Any:
    """The least that a route can do to insert and commit the body."""
    engine = Database(f"sqlite:///{folder / 'bare.db'}").engine  # the same SQLite with the same pragmas
    local = threading.local()

    def connection() -> Any:
        if not hasattr(local, "connection"):
            local.connection = engine.raw_connection()
            # SQLite lets writers wait in no order: on a slow disk one of them is passed by the others for seconds
            local.connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
        return local.connection

    connection().execute("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB)")
    app = Flask("bare")

    @app.post("/api/v1/submissions")
    def insert() -> tuple[dict[str, int], int]:
        used = connection()
        used.execute("BEGIN IMMEDIATE")
        row = used.execute("INSERT INTO bodies (body) VALUES (?)", (request.get_data(),)).lastrowid
        used.execute("COMMIT")
        return {"id": row}, 201

    return app


def product(folder: Path, broker_url: str = "", database_url: str = "") -> Any:
    """The node's own application on the store of `equip`."""
    settings = _settings(folder, database_url)
    return create_app(settings, Database(settings.store_url), clock=SystemClock(), bell=Bell(broker_url))


def equip(folder: Path, database_url: str = "") -> None:
    """Make the store, with `EVENTS` events and their tokens in `folder`."""
    with closing(migrated(_settings(folder, database_url).store_url)) as database:
        now = datetime.now(UTC)
        add = [partial(_event_with_token, now=now, slug=f"event-{number}") for number in range(EVENTS)]
        (folder / "tokens").write_text(" ".join(map(database.write, add)))


def _settings(folder: Path, database_url: str) -> Settings:
    return Settings(data_dir=folder, database_url=database_url, event_submissions_per_day=0, event_bytes_per_day=0)


def _event_with_token(conn: Connection, now: datetime, slug: str) -> str:
    event = events.add(conn, now, slug, slug, "Europe/London")
    return tokens.issue(conn, now, "bench", Role.TEAM, event)


def serve(
    make: Callable[..., Any], arguments: tuple[Any, ...], port: "multiprocessing.Queue[int]", threads: int, log: Path
) -> None:
    with log.open("w") as lines:
        os.dup2(lines.fileno(), 2)
    logs.configure("json", "info")
    server = create_server(make(*arguments), host="127.0.0.1", port=0, threads=threads)
    interpreter.ready()
    port.put(server.effective_port)
    server.run()


def post(
    port: int, sheets: list[tuple[str, bytes]], took: list[float], every_s: float = 0.0, as_given: str = ""
) -> None:
    """Post sheets, each with its token, one after the other, no sooner than `every_s` seconds apart; append the seconds
    of each. `as_given`: codes of problems that shall not block."""
    first = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number, (token, body) in enumerate(sheets):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        if as_given:
            headers["As-Given"] = as_given
        time.sleep(max(0.0, first + number * every_s - time.perf_counter()))
        began = time.perf_counter()
        connection.request("POST", "/api/v1/submissions", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 201, f"{answer.status} {said!r}"


@dataclass(frozen=True, slots=True)
class Rate:
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of the server, for one post


def _beginning() -> Any:
    """How processes begin. In a short run all of them are forked from one that has loaded what they serve."""
    if not are_forked():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"tests.bench.{name}" for name in ("accept", "dashboard", "public", "strangers")])
    return context


@contextmanager
def served(make: Callable[..., Any], arguments: tuple[Any, ...], threads: int = THREADS) -> Iterator[tuple[int, int]]:
    """The application that `make` makes, in a process of its own: its port and its pid. What it logged is shown when
    the block around it fails."""
    context = _beginning()
    ports: multiprocessing.Queue[int] = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        process = context.Process(target=serve, args=(make, arguments, ports, threads, log), daemon=True)
        process.start()
        try:
            assert process.pid is not None
            yield ports.get(timeout=30), process.pid
        except BaseException:
            print(make.__name__, "logged last:", log.read_text()[-_LAST:] if log.exists() else "", file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.join()


def measure(folder: Path, make: Callable[..., Any], arguments: tuple[Any, ...], posts: int, clients: int) -> Rate:
    """So many posts, shared out among the clients, after a warm-up of a tenth."""
    with served(make, arguments) as one:
        return load(folder, [one], posts, clients)


def load(folder: Path, processes: Sequence[tuple[int, int]], posts: int, clients: int) -> Rate:
    """The same to processes that are there, each with its port and pid: the clients are shared out among them."""
    file = folder / "tokens"
    keys = file.read_text().split() if file.exists() else [""] * EVENTS
    sheets = [_next(keys, number) for number in range(posts + posts // 10)]
    ports, pids = [port for port, _ in processes], [pid for _, pid in processes]
    for at, port in enumerate(ports):
        post(port, sheets[posts + at :: len(ports)], [])
    took: list[list[float]] = [[] for _ in range(clients)]
    threads = [
        threading.Thread(target=post, args=(ports[start % len(ports)], sheets[:posts][start::clients], took[start]))
        for start in range(clients)
    ]
    burnt, began = cpu_s(pids), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    burnt = cpu_s(pids) - burnt
    answers = [seconds for one in took for seconds in one]
    assert len(answers) == posts, f"{posts - len(answers)} posts were not accepted"
    cuts = quantiles(answers, n=100)
    return Rate(posts / elapsed, cuts[49] * 1000, cuts[98] * 1000, burnt * 1000 / posts)


def _next(keys: list[str], number: int) -> tuple[str, bytes]:
    """A token and a sheet of its event, each number another event or day."""
    day = SATURDAY - timedelta(days=number // EVENTS)
    return keys[number % EVENTS], sheet(f"event-{number % EVENTS}", day.isoformat(), number, FINISHERS)


def bare_rate(posts: int, clients: int) -> Rate:
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), bare, (Path(folder),), posts, clients)


def our_rate(posts: int, clients: int, broker_url: str = "") -> Rate:
    with tempfile.TemporaryDirectory() as folder:
        equip(Path(folder))
        return measure(Path(folder), product, (Path(folder), broker_url), posts, clients)


def during_a_drain(posts: int, clients: int) -> Rate:
    """A worker publishes a backlog from the same database to a master of 50 ms meanwhile."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        master = stack.enter_context(OtherMaster("--delay", "0.05"))
        ours = stack.enter_context(Ours(folder, master.url))
        ours.submit(work.jobs(200 if posts < 1_000 else 3_000))
        ours.start_workers()
        equip(folder)
        return measure(folder, product, (folder,), posts, clients)


def run(short: bool) -> Iterator[Result]:
    rounds, posts = (1, 100) if short else (3, 1_000)
    yield from _floors(posts)
    for clients in (8,) if short else (1, 8, 32):
        pairs = [(bare_rate(posts, clients), our_rate(posts, clients)) for _ in range(rounds)]
        ratios = [ours.per_second / least.per_second for least, ours in pairs]
        case = f"{FINISHERS} finishers, {clients} client{'s' * (clients > 1)}"
        yield told(case, "bare Flask route", [least for least, _ in pairs])
        rates = [ours for _, ours in pairs]
        met = (median(ratios) >= 0.75 and median(one.p99_ms for one in rates) < 50) if clients == 8 else None
        yield told(case, OURS, rates, ratios, "≥ 0.75, p99 < 50 ms" if clients == 8 else "", met)
    rates = [during_a_drain(posts, 8) for _ in range(rounds)]
    met = median(one.p99_ms for one in rates) < 150
    yield told("8 clients, during a drain", OURS, rates, target="p99 < 150 ms", met=met)
    yield from _brokers(rounds, posts)


def told(
    case: str,
    who: str,
    rates: list[Rate],
    ratios: list[float] | None = None,
    target: str = "",
    met: bool | None = None,
    scenario: str = "accept",
) -> Result:
    figures: dict[str, float | None] = {}
    if ratios:
        figures = {"ratio": median(ratios), "least": min(ratios), "most": max(ratios)}
    for name in ("per_second", "p50_ms", "p99_ms", "cpu_ms"):
        figures[name] = median(getattr(one, name) for one in rates)
    return Result(scenario, case, who, figures, target, met)


def _brokers(rounds: int, posts: int) -> Iterator[Result]:
    """With the broker up, refused and frozen, in turn."""
    with Valkey() as up, Valkey() as frozen:
        frozen.freeze()
        urls = {"up": up.url, "down": f"redis://127.0.0.1:{free_port()}/0", "frozen": frozen.url}
        turns = [{name: our_rate(posts, 8, url) for name, url in urls.items()} for _ in range(rounds)]
    for name in urls:
        beside = [turn[name].p99_ms / turn["up"].p99_ms for turn in turns]
        target, met = ("", None) if name == "up" else ("p99 ≤ 1.5 × of broker up", median(beside) <= 1.5)
        yield told(f"8 clients, broker {name}", OURS, [turn[name] for turn in turns], None, target, met)


def _floors(posts: int) -> Iterator[Result]:
    """What this disk and this driver can do at all."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs"
        work.write(file, work.jobs(posts, finishers=FINISHERS))
        wheres = {"inserts": f"sqlite:///{folder}/floor.db", "fdatasync": folder}
        for name, words in (("inserts", "bare SQLAlchemy insert and commit"), ("fdatasync", "write and fdatasync")):
            with Process(name, wheres[name], str(file), program=(sys.executable, "-m", "tests.bench.floors")) as floor:
                assert floor.wait(120) == 0, str(floor)
                per_second = posts / float(floor.stdout.split()[0])
            yield Result("accept", f"{FINISHERS} finishers, one after the other", words, {"per_second": per_second})
