"""The way between a node and the reference master: requests take time, are lost, come twice or late, and so do answers.

The node's HTTP adapter makes the request and reads the answer; the reference master's application answers it. Between
the two are no sockets.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from functools import partial
from random import Random

import requests

from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.watch import Call, Failed, Wire
from resultsq.domain.destinations import Address
from resultsq.domain.outcome import Cause
from tests.history.check import Event
from tests.simulate.plan import Plan, rows_of
from tests.simulate.scheduler import Machine, Scheduler, Task
from tests.simulate.workshop import Workshop
from tests.simulate.wsgi import ask

URL = "http://127.0.0.1:8400"
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
    "overtaken": "others that left later arrive before it",
    "interim": "a 1xx comes at once, and the answer seconds later",
    "cut short": "half of the answer comes",
    "gateway": "the master does it, and a proxy says that the master does not answer",
    "request portal": "another server answers",
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

_ANSWER_LOST = frozenset({"lost answer", "silent", "cut short", "gateway"})

_PORTALS = (
    Answer(200, {"content-type": "text/html"}, b"<html>Please log in to this network.</html>"),
    Answer(200, {"content-type": "application/json"}, b"{}"),
    Answer(201, {"content-type": "text/html"}, b""),
    Answer(302, {"location": "http://portal.example/"}, b""),
    Answer(404, {"content-type": "text/html"}, b"<html>Not found</html>"),
    Answer(511, {"content-type": "text/html"}, b"<html>Log in</html>"),
)


@dataclass(eq=False)
class Kept:
    """A request that the network keeps for a while. `copy`: the master has answered the same one meanwhile."""

    request: requests.PreparedRequest
    copy: bool


class Network:
    """`fail_share`: of how many requests something becomes while the link is up. `history`: what the master did."""

    def __init__(self, plan: Plan, scheduler: Scheduler, workshop: Workshop, history: list[Event]) -> None:
        self.plan = plan
        self.scheduler = scheduler
        self.history = history
        self.met: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.state = "up"
        self.fail_share = 0.0
        self.commits = 0
        self.digests: dict[str, str] = {}
        self.refused: set[str] = set()  # what the master itself has refused
        self.restored = False
        self.under_way: Counter[str] = Counter()
        self._late: defaultdict[str, list[Kept]] = defaultdict(list)
        self.clock = workshop.clock
        self._master = workshop.master
        self._far_side = Machine("network")
        self._goes = Random(f"{plan.seed} goes with an answer")

    def sometimes(self, what: str, so: object = True) -> None:
        """An interesting state was reached, if it is so."""
        if so:
            self.seen[what] += 1

    def fate(self) -> str:
        random = self.scheduler.random
        if random.random() >= self.fail_share:
            return WELL
        chosen = random.choice(list(FATES))
        if not self.plan.has(chosen):
            return WELL
        self.met[chosen] += 1
        return chosen

    def go_with_the_answer(self) -> None:
        """On a hasty morning what loses an answer often takes the link along, so that a doubt lasts while its team
        withdraws and corrects."""
        fault = "the link goes with an answer"
        if not self.plan.hasty or not self.plan.has(fault) or self._goes.random() < 0.5 or self.state != "up":
            return
        self.met[fault] += 1
        self.state = self._goes.choice(["no route", "refused", "half-open"])
        gone_s = self._goes.random() * 25.0

        def return_() -> None:
            self.scheduler.sleep(gone_s)
            self.state = "up"

        self.scheduler.spawn(self._far_side, return_)

    def delay_s(self) -> float:
        return min(self.scheduler.random.expovariate(10.0), 1.5)

    @property
    def keeps_any(self) -> bool:
        return any(self._late.values())

    def deliver(
        self, request: requests.PreparedRequest, late: bool = False, other: bool = False, copy: bool = False
    ) -> Answer:
        """The master works on it, at once and whole. `other`: it comes from another node."""
        url = str(request.url).removeprefix(URL)
        body = request.body if isinstance(request.body, bytes) else b""
        said = ask(self._master, str(request.method), url, request.headers, body)
        if not other:
            self._note(request, said.status, late)
        if said.status == 201 and request.method == "PUT":
            self._note_commit(request, said.json(), {"other": other, "copy": copy})
        date = format_datetime(self.clock.now(), usegmt=True)
        return Answer(said.status, {**said.headers, "date": date}, said.body)

    def _note(self, request: requests.PreparedRequest, status: int, late: bool) -> None:
        if request.method == "PUT":
            for kept in self._late[_name_of(request)]:
                kept.copy = True
            if 400 <= status < 500 and status != 412:
                self.refused.add(_name_of(request))
            self.sometimes("a late request is committed", late and status == 201)
            self.sometimes("a late request finds its sheet committed", late and status == 200)
            self.sometimes("a late request finds another version", late and status == 412)
            self.sometimes("a repeat finds its sheet committed", not late and status == 200)
            self.sometimes("the master has another version than was named", not late and status == 412)
        elif "/submissions/" in str(request.url):
            self.sometimes("a question about a doubt finds a receipt", status == 200)
            self.sometimes("a question about a doubt finds none", status == 404)
            if status == 404:
                self._arrive_after_question(str(request.url).rpartition("/")[2])

    def _note_commit(self, request: requests.PreparedRequest, receipt: dict[str, str], marks: dict[str, bool]) -> None:
        base = request.headers.get("If-Match")
        sheet = json.loads(gzip.decompress(request.body)) if isinstance(request.body, bytes) else {}
        self.commits += 1
        self.digests[receipt["submission"]] = receipt["digest"]
        self.history.append(
            {
                "kind": "commit",
                "id": receipt["submission"],
                "chain": f"{receipt['event']} {receipt['date']}",
                "base": base.strip('"') if base else None,
                "revision": receipt["revision"],
                "digest": rows_of(sheet),
                **{mark: True for mark, so in marks.items() if so},
            }
        )

    def deliver_later(self, request: requests.PreparedRequest, copy: bool = False) -> None:
        """At some time; often just after the master was asked whether it has that one, and had it not."""
        late_s, name, kept = self.scheduler.random.random() * LATEST_S, _name_of(request), Kept(request, copy)
        self._late[name].append(kept)

        def arrive() -> None:
            self.scheduler.sleep(late_s)
            if kept in self._late[name]:
                self._late[name].remove(kept)
                self._arrive(kept)

        self.scheduler.spawn(self._far_side, arrive)

    def _arrive(self, kept: Kept) -> None:
        self.deliver(kept.request, late=True, copy=kept.copy)

    def _arrive_after_question(self, name: str) -> None:
        if self._late[name] and self._goes.random() < 0.5:
            self.scheduler.spawn(self._far_side, partial(self._arrive, self._late[name].pop()))


def _name_of(request: requests.PreparedRequest) -> str:
    return str(request.headers.get("Idempotency-Key", "")).strip('"')


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
        name = _name_of(self.request)
        self.network.under_way[name] += 1
        try:
            return self._fetch(state, fate)
        finally:
            self.network.under_way[name] -= 1

    def _fetch(self, state: str, fate: str) -> Answer:
        self._wait(self.network.delay_s())
        if state == "half-open" or fate == "swallowed":
            self._wait_for_nothing()
        if state == "portal" or fate == "request portal":
            return self.network.scheduler.random.choice(_PORTALS)
        if state == "master down" or fate == "broken":
            return self._problem(503)
        if fate == "busy":
            return self._problem(429)
        if fate == "late":
            self.network.deliver_later(self.request)
            self._wait_for_nothing()
        if fate == "lost request":
            raise Failed(Cause.RESET, "It was cut on its way.")
        if fate == "overtaken":
            self._wait(self.network.scheduler.random.random() * 15.0)
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
        if fate in _ANSWER_LOST:
            self.network.go_with_the_answer()
        if fate == "doubled":
            self.network.deliver_later(self.request, copy=True)
        if fate == "silent":
            self._wait_for_nothing()
        self._wait(self.network.delay_s())
        if fate == "interim":
            self.call.touch()
            self._wait(self.network.scheduler.random.random() * 8.0)
        if fate == "gateway":
            return Answer(504, {"content-type": "text/html"}, b"<html>Gateway timeout</html>")
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
