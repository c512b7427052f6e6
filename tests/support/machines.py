"""A node as a host runs it: web and workers as processes on one store, a broker, and a team that posts to it."""

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import requests

from tests.support.histories import chain_of
from tests.support.nodes import finishers
from tests.support.processes import Process
from tests.support.relays import DAYS, Relay
from tests.support.services import HOST

AT_HOME = (200, 201)
NOT_NOW = (503, 507)
"""The store is away or full: "nothing is stored, come again"."""


class Machine:
    """`relay` is its link and its store as an observer sees them. Each process can be killed and started again."""

    def __init__(
        self,
        relay: Relay,
        folder: Path,
        port: int,
        broker_url: str = "",
        workers: int = 1,
        days: Iterable[str] = DAYS,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`days`: the team's, a new one for each sheet. `environment`: what its processes see beside the settings."""
        self.relay = relay
        self.environment = {**relay.environment(DATA_DIR=folder, BROKER_URL=broker_url), **(environment or {})}
        self._port = port
        self._token = relay.token("bushy")
        self._days = iter(days)
        self._stack = ExitStack()
        self._workers = workers

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            self.workers = [self.start_worker(number) for number in range(self._workers)]
            self.web = self.start_web()
            self.relay.wait_for_link("up", 60)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_worker(self, number: int = 0) -> Process:
        return self._stack.enter_context(Process("worker", "--name", f"w{number}", env=self.environment))

    def start_web(self) -> Process:
        web = self._stack.enter_context(Process("web", "--port", str(self._port), env=self.environment))
        web.wait_for("web.ready", 60)
        return web

    def replace_worker(self) -> None:
        """Start the first one again, which was killed."""
        self.workers[0] = self.start_worker()

    def replace_web(self) -> None:
        """Start the web process again, which was killed."""
        self.web = self.start_web()

    def accept(self, count: int, patience_s: float = 60.0) -> list[str]:
        """So many first versions, each of a day of its own, each sent until it is acknowledged; their ids.

        :raises AssertionError: when an answer is neither that nor "not now", or when patience runs out"""
        return [self._post(next(self._days), time.monotonic() + patience_s) for _ in range(count)]

    def post_once(self, day: str) -> requests.Response:
        """One attempt to send results of that day.

        :raises requests.RequestException: there was no answer"""
        lines = [one.model_dump() for one in finishers(20)]
        sheet = {"event": "bushy", "date": day, "finishers": lines, "volunteers": []}
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": day}
        headers["As-Given"] = "already-here, day-long-ago"  # the same finishers each day
        url = f"http://{HOST}:{self._port}/api/v1/submissions"
        return requests.post(url, json=sheet, headers=headers, timeout=20)

    def _post(self, day: str, until: float) -> str:
        said = "nothing"
        while time.monotonic() < until:
            try:
                answer = self.post_once(day)
            except requests.RequestException as trouble:
                said = repr(trouble)
            else:
                if answer.status_code in AT_HOME:
                    told = answer.json()
                    self.relay.promised[told["id"]] = chain_of("bushy", day), told["digest"]
                    return str(told["id"])
                said = f"{answer.status_code} {answer.text}"
                assert answer.status_code in NOT_NOW, said
            time.sleep(0.1)
        raise AssertionError(f"Results of {day} were not taken: {said}")
