"""The way between a node and the reference master: requests take time, are lost, come twice or late, and so do answers.

The node's HTTP adapter makes the request and reads the answer; the reference master's application answers it. Between
the two are no sockets.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path

import requests
from flask.testing import FlaskClient

from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.watch import Call, Failed, Wire
from resultsq.domain.destinations import Address
from resultsq.domain.outcome import Cause
from resultsq.master.app import TokenRule, create_app
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from tests.history.check import Event
from tests.simulate.scheduler import Machine, Scheduler, Task, VirtualClock

URL = "http://127.0.0.1:8400"
TOKEN = "a token"
LATEST_S = 40.0
"""How long the network may keep a request that nobody waits for any more."""

WELL = "well"
FATES = {
    "lost request": "it is cut before it arrives",
    "lost answer": "it is cut once the master has answered",
    "silent": "the answer never comes",
    "swallowed": "the request never arrives, and nothing says so",
    "late": "the request arrives when nobody waits for it any more",
    "doubled": "the request arrives twice",
    "cut short": "half of the answer comes",
    "portal": "another server answers",
    "busy": "the master says: later",
    "broken": "the master says that it has failed",
}
"""What may become of a single request, beside going well."""

STATES = {
    "up": "single requests fail",
    "refused": "nothing listens",
    "no route": "there is no way",
    "half-open": "whatever is sent is swallowed",
    "portal": "another server answers everything",
    "master down": "the master answers 503",
}
"""How the link as a whole may be."""


@dataclass
class Network:
    """`fail_share`: of how many requests something becomes while the link is up. `history`: what the master did."""

    scheduler: Scheduler
    folder: Path
    history: list[Event]
    met: Counter[str] = field(default_factory=Counter)
    state: str = "up"
    fail_share: float = 0.0

    def __post_init__(self) -> None:
        self.engine = open_engine(f"sqlite:///{self.folder / 'master.db'}")
        ledger = Ledger(self.engine)
        ledger.create_tables()
        self.clock = VirtualClock(self.scheduler)
        app = create_app(ledger, tokens={TOKEN: TokenRule("this node")}, clock=self.clock)
        self._client: FlaskClient = app.test_client()
        self._far_side = Machine("network")

    def close(self) -> None:
        self.engine.dispose()

    def fate(self) -> str:
        random = self.scheduler.random
        if random.random() >= self.fail_share:
            return WELL
        chosen = random.choice(list(FATES))
        self.met[chosen] += 1
        return chosen

    def delay_s(self) -> float:
        return min(self.scheduler.random.expovariate(10.0), 1.5)

    def deliver(self, request: requests.PreparedRequest) -> Answer:
        """The master works on it, at once and whole."""
        url = str(request.url).removeprefix(URL)
        said = self._client.open(url, method=request.method, headers=dict(request.headers), data=request.body)
        if said.status_code == 201 and request.method == "PUT":
            self._note_commit(request, json.loads(said.data))
        headers = {name.lower(): value for name, value in said.headers.items()}
        headers["date"] = format_datetime(self.clock.now(), usegmt=True)
        return Answer(said.status_code, headers, said.data)

    def _note_commit(self, request: requests.PreparedRequest, receipt: dict[str, str]) -> None:
        base = request.headers.get("If-Match")
        self.history.append(
            {
                "kind": "commit",
                "id": receipt["submission"],
                "chain": f"{receipt['event']} {receipt['date']}",
                "base": base.strip('"') if base else None,
                "revision": receipt["revision"],
                "digest": receipt["digest"],
            }
        )

    def deliver_later(self, request: requests.PreparedRequest) -> None:
        late_s = self.scheduler.random.random() * LATEST_S

        def arrive() -> None:
            self.scheduler.sleep(late_s)
            self.deliver(request)

        self.scheduler.spawn(self._far_side, arrive)


class VirtualWire(Wire):
    """What the watch cuts a call with."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def moved(self) -> tuple[int, float] | None:
        return None

    def cut(self) -> None:
        self._wake()

    def close(self) -> None:
        return None


@dataclass(frozen=True)
class Trip:
    """One request on its way, and the thread that waits for its answer."""

    network: Network
    call: Call
    request: requests.PreparedRequest
    task: Task

    def fetch(self) -> Answer:
        """:raises Failed: there is no answer"""
        self._connect()
        state, fate = self.network.state, self.network.fate()
        self._wait(self.network.delay_s())
        if state == "half-open" or fate == "swallowed":
            self._wait_for_nothing()
        if state == "portal" or fate == "portal":
            return Answer(200, {"content-type": "text/html"}, b"<html>Please log in to this network.</html>")
        if state == "master down" or fate == "broken":
            return self._problem(503)
        if fate == "busy":
            return self._problem(429)
        if fate == "late":
            self.network.deliver_later(self.request)
            self._wait_for_nothing()
        if fate == "lost request":
            raise Failed(Cause.RESET, "It was cut on its way.")
        return self._back(self.network.deliver(self.request), fate)

    def _connect(self) -> None:
        state = self.network.state
        self.network.scheduler.sleep(0.001)
        if state == "refused":
            raise Failed(Cause.REFUSED, "Nothing listens there.")
        if state == "no route":
            raise Failed(Cause.UNREACHABLE, "There is no way.")
        self.call.left()
        self.call.attach(VirtualWire(lambda: self.network.scheduler.unpark(self.task)))
        self.call.sent = True
        self.call.touch()

    def _back(self, answer: Answer, fate: str) -> Answer:
        if fate == "doubled":
            self.network.deliver_later(self.request)
        if fate == "silent":
            self._wait_for_nothing()
        self._wait(self.network.delay_s())
        if fate == "lost answer":
            raise Failed(Cause.RESET, "It was cut on its way back.")
        if fate == "cut short":
            return Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2])
        return answer

    def _problem(self, status: int) -> Answer:
        body = json.dumps({"title": "Later", "status": status}).encode()
        return Answer(status, {"content-type": "application/problem+json", "retry-after": "2"}, body)

    def _wait(self, seconds: float) -> None:
        until = self.network.scheduler.now_s + seconds
        while (left := until - self.network.scheduler.now_s) > 0:
            self.network.scheduler.park(min(left, self.call.left()))
        self.call.left()

    def _wait_for_nothing(self) -> None:
        while True:
            self.network.scheduler.park(self.call.left())


class VirtualLines:
    """`Lines` of one process over the simulated network: each request has a connection of its own."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def address(self) -> Address:
        return Address.parse(URL)

    def fetch(
        self, call: Call, request: requests.PreparedRequest, limit: int, *, fresh: bool = False, keep: bool = True
    ) -> Answer:
        call.sent = False
        return Trip(self._network, call, request, self._network.scheduler.current).fetch()

    def refresh(self) -> None:
        """There are none to drop."""
