"""The dashboard with 100,000 submissions and 400,000 attempts: `python -m tests.bench.dashboard [--url …]`.

Seeds a database in bulk (one that was seeded before is taken as it is), asks every page and filter through the
application itself and prints the first ask of a new process, then p50 and p95 of each. The promise is 150 ms p95. For
each ask it is a quarter of an hour later than for the one before, so that the figures which all dashboards share are
computed anew. The last line is what 50 open dashboards cost the process, which do share them.
"""

import argparse
import random
import re
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, event, insert, select, text

from resultsq import logs
from resultsq.clock import Clock, SystemClock
from resultsq.domain.link import LinkState
from resultsq.domain.role import Role
from resultsq.domain.sheet import digest
from resultsq.domain.submission import State
from resultsq.settings import Settings
from resultsq.store.admin import accounts, tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Attempt, Audit, Chain, Event, Link, Outage, Payload, Submission, Worker
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.bench.filled import add_up
from tests.support.passwords import hashed
from tests.support.stores import migrated

EVENTS = 500
WAITING = 0.12
"""The part of all submissions that waits: a month's work, and an outage that is being caught up with."""

BODY = b'{"schema":"resultsq.results/1","event":"e","date":"2013-12-07","finishers":[]}'
FAILURES = (("timeout", None), ("refused", None), ("master-down", 503), ("busy", 429), ("not-our-master", 200))

Rows = Sequence[Mapping[str, Any]]


def seed(database: Database, now: datetime, submissions: int, attempts_each: int = 4) -> None:
    """A month of work: most published, one in eight waiting, a few for a person, with their attempts."""
    rng = random.Random(7)
    made = [
        {"slug": f"event-{n:04}", "name": f"Event {n}", "time_zone": "Europe/London", "created_at": now}
        for n in range(EVENTS)
    ]
    caught_up = round(submissions * (1 - WAITING / 2))
    link = {
        "name": "master",
        "state": LinkState.UP,
        "since": now - timedelta(minutes=5),
        "window": 8,
        "returned_at": now - timedelta(minutes=5),
        "return_seq": caught_up,
        "probed_at": now,
        "next_probe_at": now + timedelta(seconds=20),
    }
    outages = [
        {
            "link": "master",
            "began_at": now - timedelta(days=day, minutes=45),
            "ended_at": now - timedelta(days=day, minutes=5),
            "cause": "timeout",
            "delayed": submissions // 40,
            "last_seq": caught_up,
        }
        for day in range(0, 28, 3)
    ]
    worker = {"name": "w1", "started_at": now, "seen_at": now + timedelta(days=1), "version": "0"}
    acts = [
        {"at": now - timedelta(minutes=n), "who": "op", "action": "retry", "target": {"states": ["queued"]}, "count": n}
        for n in range(2000)
    ]
    with database.alone() as conn:  # on SQLite a transaction of the engine commits each row by itself
        for model, rows in ((Event, made), (Link, [link]), (Outage, outages), (Worker, [worker]), (Audit, acts)):
            conn.execute(insert(model), rows)
        events = list(conn.execute(select(Event.id).order_by(Event.id)).scalars())
    for start in range(1, submissions + 1, 5000):
        seqs = range(start, min(start + 5000, submissions + 1))
        with database.alone() as conn:
            _some(conn, now, rng, seqs, submissions, events, attempts_each)
    if not database.is_sqlite:
        with database.alone() as conn:
            for table, column in (("submissions", "seq"), ("attempts", "id"), ("chains", "id")):
                conn.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}")
                )
        add_up(database)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))


def _pour(conn: Connection, table: type[Chain | Submission | Payload | Attempt], rows: Rows) -> None:
    """As fast as the driver can: half a million rows through the ORM's types take minutes."""
    names = ", ".join(rows[0])
    raw: Any = conn.connection.driver_connection
    if conn.dialect.name == "sqlite":
        gaps = ", ".join("?" * len(rows[0]))
        plain = [[_plain(value) for value in row.values()] for row in rows]
        raw.executemany(f"INSERT INTO {table.__tablename__} ({names}) VALUES ({gaps})", plain)
        return
    with raw.cursor() as cursor, cursor.copy(f"COPY {table.__tablename__} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(list(row.values()))


def _plain(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value


def _some(
    conn: Connection,
    now: datetime,
    rng: random.Random,
    seqs: Iterable[int],
    total: int,
    events: Sequence[int],
    attempts_each: int,
) -> None:
    rows, chains, attempts = [], [], []
    for seq in seqs:
        accepted_at = now - timedelta(days=30) * (total - seq) / total
        drawn = rng.random()
        recent = seq > total * (1 - WAITING)
        state = State.QUEUED if recent else State.REJECTED if drawn < 0.002 else State.CONFLICT if drawn < 0.003 else (
            State.WITHDRAWN if drawn < 0.008 else State.SUPERSEDED if drawn < 0.02 else State.PUBLISHED
        )  # fmt: skip
        published = state is State.PUBLISHED
        settled_at = accepted_at + timedelta(seconds=min(rng.expovariate(0.01), (now - accepted_at).total_seconds()))
        cause, status = rng.choice(FAILURES)
        if state is State.REJECTED:
            cause, status, fingerprint = "invalid-sheet", 422, "rejected invalid-sheet"
        elif state is State.CONFLICT:
            cause, status, fingerprint = "conflict", 412, "conflict"
        else:
            fingerprint = f"{cause} {status or ''}".strip()
        failed = not published and state is not State.WITHDRAWN
        event_id = rng.choice(events)
        made = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        chains.append(
            {"id": seq, "kind": "results", "event_id": event_id, "date": f"d{seq}", "head": made, "versions": 1}
        )
        rows.append({
            "seq": seq, "id": made, "kind": "results", "chain_id": seq,
            "event_id": event_id, "date": accepted_at.date().isoformat(), "version": 1, "state": state,
            "state_at": settled_at, "digest": digest(BODY), "rows_digest": "y" * 64,
            "size": 15000, "finishers": rng.randint(4, 900), "submitted_by": f"team-{event_id}",
            "accepted_at": accepted_at, "blocked": False, "attempts": attempts_each + rng.randint(-3, 3),
            "failures": 2 if failed else 0, "cause": cause if failed else None, "status": status if failed else 201,
            "detail": "It did not get through." if failed else None, "fingerprint": fingerprint if failed else None,
            "published_as": None, "revision": 1 if published else None,
            "received_at": settled_at if published else None, "published_at": settled_at if published else None,
            "in_doubt": False, "silences": 0, "wait_s": 0.0, "lease_s": 0.0, "request_id": "r" * 16,
        })  # fmt: skip
        for number in range(1, attempts_each + 1):
            won = published and number == attempts_each
            cause, status = rng.choice(FAILURES)
            attempts.append({
                "seq": seq, "number": number, "lease": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                "worker": "w1", "started_at": accepted_at + timedelta(seconds=number),
                "ended_at": accepted_at + timedelta(seconds=number + 1), "duration_s": 1.0,
                "outcome": "accepted" if won else "deferred", "cause": None if won else cause,
                "status": 201 if won else status, "fingerprint": None if won else f"{cause} {status or ''}".strip(),
                "request_head": "PUT /v1/events/e/results/d HTTP/1.1\nAuthorization: (hidden)",
                "answer_head": "HTTP/1.1 201 Created", "answer_body": "{}",
            })  # fmt: skip
    _pour(conn, Chain, chains)
    _pour(conn, Submission, rows)
    _pour(conn, Payload, [{"seq": row["seq"], "body": BODY} for row in rows])
    _pour(conn, Attempt, attempts)


# what is asked


def addresses(conn: Connection) -> list[str]:
    """Every page, and filters of each kind: what fits much, little and nothing, by index and without one."""
    some = [
        conn.execute(
            select(Submission.id).where(Submission.state == state).order_by(Submission.seq.desc()).limit(1)
        ).scalar()
        for state in (State.QUEUED, State.PUBLISHED, State.CONFLICT, State.REJECTED)
    ]
    since = (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    filters = (
        "", "states=queued", "states=rejected&states=conflict", "waiting_only=true&sort=accepted", "text=event-0042",
        "text=nobody", "text=team-7", f"text={(some[1] or '')[:8]}", "cause=timeout", "cause=timeout&sort=-attempts",
        "status=412", "fingerprint=busy+429", "attempts_min=7", "attempts_min=70", "sort=-attempts", "sort=-published",
        f"accepted_from={since}", "events=event-0007&states=published", "text=event&sort=-published",
    )  # fmt: skip
    return [
        *("/admin", "/admin?span=24h", "/admin?span=30d", "/admin/live?view=overview", "/admin/errors", "/admin/audit"),
        *("/admin/holds", "/admin/outages/1"),
        *(f"/admin/submissions/{one}" for one in some if one is not None),
        *(f"/admin/submissions?{one}" for one in filters),
    ]


def person(app: Flask) -> FlaskClient:
    """A viewer's browser."""
    client = app.test_client()
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
    assert found is not None
    fields = {"csrf_token": found[1], "name": NAME, "password": PASSWORD}
    assert client.post("/login", data=fields).status_code == 303
    return client


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one address, in milliseconds; `cpu_ms` is the processor's p50, `first_ms` the first ask of the process, and
    `least_ms` the quickest after it."""

    first_ms: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    least_ms: float


class Leaping(SystemClock):
    """Time that can be passed at once."""

    leapt_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leapt_s


def measure(client: FlaskClient, clock: Leaping, address: str, times: int) -> Timing:
    """So many asks after the first one, each as if nobody had looked for a quarter of an hour."""
    wall, worked = [], []
    for _ in range(1 + times):
        clock.leapt_s += 900
        began, busy = time.perf_counter(), time.thread_time()
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        wall.append((time.perf_counter() - began) * 1000)
        worked.append((time.thread_time() - busy) * 1000)
    cuts = quantiles(wall[1:], n=20, method="inclusive")  # between what was seen, never beyond it
    return Timing(wall[0], cuts[9], cuts[18], quantiles(worked[1:], n=2)[0], min(wall[1:]))


def plans(database: Database, client: FlaskClient, address: str) -> Iterable[str]:
    """The plans of the queries that a page asks."""
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_conn: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith("SELECT") and " submissions" in statement:
            asked.append((statement, parameters))

    client.get(address)
    event.remove(database.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.read() as conn:
        for statement, parameters in asked:
            yield f"  {' '.join(statement.split())[:110]}"
            for row in conn.exec_driver_sql(explain + statement, parameters):
                yield f"      {row[-1]}"


def cost_of_polling(client: FlaskClient, open_dashboards: int = 50, every_s: float = 2.0) -> float:
    """The part of a core that so many open overviews take."""
    address, tag, polls = "/admin/live?view=overview", "", 300
    began, busy = time.perf_counter(), time.process_time()
    for n in range(polls):
        answer = client.get(address, headers={"If-None-Match": tag, "Accept-Encoding": "gzip"})
        tag = answer.headers["ETag"]
        # as they come: evenly
        time.sleep(max(0.0, began + (n + 1) * every_s / open_dashboards - time.perf_counter()))
    return (time.process_time() - busy) / (time.perf_counter() - began)


NAME, PASSWORD = "bench", "wet hands"


def application(folder: Path, url: str, clock: Clock | None = None) -> Flask:
    """The node's web application over the database at `url`; empty: SQLite in the folder."""
    settings = Settings(data_dir=folder, database_url=url, event_submissions_per_day=0, event_bytes_per_day=0)
    return create_app(settings, Database(settings.store_url), clock=clock or SystemClock(), bell=Bell(""))


def prepare(folder: Path, url: str, submissions: int) -> Database:
    """The seeded database, with a viewer's account and, in the file `token`, an event's token."""
    database = migrated(Settings(data_dir=folder, database_url=url).store_url)
    now = datetime.now(UTC)
    with database.read() as conn:
        seeded = conn.execute(select(Submission.seq).limit(1)).first() is not None
    if not seeded:
        seed(database, now, submissions)
        database.write(lambda conn: accounts.add(conn, now, NAME, hashed(PASSWORD), Role.VIEWER))
    with database.read() as conn:
        first = conn.execute(select(Event.id).order_by(Event.id).limit(1)).scalar_one()
    (folder / "token").write_text(database.write(lambda conn: tokens.issue(conn, now, NAME, Role.TEAM, first)))
    return database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--url", default="", help="of an empty database, or of one that was kept; else SQLite in a temporary folder"
    )
    parser.add_argument("--submissions", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--plans", action="store_true", help="print the plans of the list's queries")
    chosen = parser.parse_args()
    logs.configure("json", "error")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        database = prepare(Path(folder), chosen.url, chosen.submissions)
        print(f"seeded in {time.perf_counter() - began:.0f} s")
        clock = Leaping()
        client = person(application(Path(folder), chosen.url, clock))
        with database.read() as conn:
            asked = addresses(conn)
        print(f"{database.engine.dialect.name}\n   first      p50      p95      cpu  (ms)")
        for address in asked:
            took = measure(client, clock, address, chosen.times)
            figures = (took.first_ms, took.p50_ms, took.p95_ms, took.cpu_ms)
            print(*(f"{figure:8.1f}" for figure in figures), f" {address}", flush=True)
        if chosen.plans:
            for address in asked:
                print(address, *plans(database, client, address), sep="\n", flush=True)
        print(f"50 open dashboards: {cost_of_polling(client):.1%} of a core")


if __name__ == "__main__":
    main()
