"""Readers of the public page: how many a second one core serves without a proxy in front of it."""

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resultsq.clock import SystemClock
from resultsq.settings import Settings
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.bench.accept import served
from tests.bench.machine import cpu_s
from tests.bench.report import OURS, Result

CLIENTS = 8
LEAST_A_SECOND = 200.0


def node(folder: Path) -> Any:
    """A node with the public page."""
    settings = Settings(data_dir=folder, public_status=True)
    database = Database(settings.store_url)
    migrate.upgrade(database)
    return create_app(settings, database, clock=SystemClock(), bell=Bell(""))


def run(short: bool) -> Iterator[Result]:
    """The page and the JSON, read again and again."""
    reads = 200 if short else 8_000
    with tempfile.TemporaryDirectory() as folder, served(node, (Path(folder),)) as (port, pid):
        for path in ("/status", "/status.json"):
            _read(port, path, reads // 10)
            threads = [threading.Thread(target=_read, args=(port, path, reads // CLIENTS)) for _ in range(CLIENTS)]
            burnt, began = cpu_s([pid]), time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            elapsed, burnt = time.perf_counter() - began, cpu_s([pid]) - burnt
            of_a_core = reads / burnt
            figures = {"per_second": reads / elapsed, "per_second_of_a_core": of_a_core, "cpu_ms": burnt * 1000 / reads}
            yield Result(
                "public", f"{path}, {CLIENTS} readers", OURS, figures, "≥ 200 a second of a core",
                of_a_core >= LEAST_A_SECOND,
            )  # fmt: skip


def _read(port: int, path: str, times: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(times):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    connection.close()
