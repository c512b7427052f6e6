"""Accept on PostgreSQL, with one web process and with four, against a bare Flask route that commits the same bytes.

The clients, the server of the database and the web processes share the machine's cores: more processes than cores
only show that they do not stand in each other's way. What one accept costs a web process is beside it.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from flask import Flask, request

from tests.bench import accept
from tests.bench.report import OURS, Result
from tests.support.services import PostgreSQL

SCENARIO = "accept-postgres"
PROCESSES = (1, 4)
CLIENTS = 8


def bare(url: str) -> Any:
    """The least that a route can do to insert and commit the body in PostgreSQL."""
    local = threading.local()
    address = url.replace("+psycopg", "")

    def connection() -> psycopg.Connection:
        if not hasattr(local, "connection"):
            local.connection = psycopg.connect(address)
        found: psycopg.Connection = local.connection
        return found

    with connection() as first:
        first.execute("CREATE TABLE IF NOT EXISTS bodies (id bigserial PRIMARY KEY, body bytea)")
    del local.connection
    app = Flask("bare")

    @app.post("/api/v1/submissions")
    def insert() -> tuple[dict[str, int], int]:
        used = connection()
        row = used.execute("INSERT INTO bodies (body) VALUES (%b) RETURNING id", (request.get_data(),)).fetchone()
        used.commit()
        assert row is not None
        return {"id": row[0]}, 201

    return app


def rate(server: PostgreSQL, make: Callable[..., Any], posts: int, processes: int) -> accept.Rate:
    """Accepts a second of so many processes that `make` fills, on a database of their own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(server.database())
        if make is not bare:
            accept.equip(folder, url)
        arguments = (url,) if make is bare else (folder, "", url)
        served = [stack.enter_context(accept.served(make, arguments)) for _ in range(processes)]
        return accept.load(folder, served, posts, CLIENTS)


def run(short: bool) -> Iterator[Result]:
    rounds, posts = (1, 60) if short else (3, 1_000)
    with PostgreSQL(durable=True) as server:
        turns = [
            {many: (rate(server, bare, posts, many), rate(server, accept.product, posts, many)) for many in PROCESSES}
            for _ in range(rounds)
        ]
    for many in PROCESSES:
        pairs = [turn[many] for turn in turns]
        ratios = [ours.per_second / least.per_second for least, ours in pairs]
        case = f"{CLIENTS} clients, PostgreSQL, {many} web process{'es' * (many > 1)}"
        yield accept.told(case, "bare Flask route", [least for least, _ in pairs], scenario=SCENARIO)
        yield accept.told(case, OURS, [ours for _, ours in pairs], ratios, "≥ 0.75", median(ratios) >= 0.75, SCENARIO)
    times = [turn[PROCESSES[-1]][1].per_second / turn[PROCESSES[0]][1].per_second for turn in turns]
    figures = {"ratio": median(times), "least": min(times), "most": max(times)}
    yield Result(SCENARIO, "PostgreSQL, 4 web processes of 1", OURS, figures, "≥ 1.8", median(times) >= 1.8)
