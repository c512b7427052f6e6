"""What teams and the office ask of the node over HTTP, and what they are told. A request may be lost either way, and
the web process may die under it; then it is sent again, as a phone does, with its Idempotency-Key."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any
from uuid import UUID

from resultsq.app import submissions
from resultsq.app.context import AppContext
from resultsq.domain.errors import Conflicting, NotThere, StoreUnavailable, StoreUnsure
from resultsq.store.outbox import Acknowledgement
from tests.history.check import Event
from tests.simulate.network import Network
from tests.simulate.plan import Plan, rows_of
from tests.simulate.scheduler import Machine, Scheduler, Task
from tests.simulate.workshop import Workshop
from tests.simulate.wsgi import ask
from tests.support.nodes import DATE

ANSWER_S = 10.0
"""How long a team waits for an answer."""

TRIES = 4
LOST_SHARE = 0.2
"""How many requests or answers of a phone are lost on a bad morning."""

HASTE, HASTY_S = 0.7, 8.0
"""How often a hasty team withdraws what it has just sent, and how soon at most."""

Answer = tuple[int, Any]


@dataclass
class WebProcess:
    """It dies and stands still as a whole."""

    scheduler: Scheduler
    machine: Machine = field(default_factory=lambda: Machine("web"))

    def kill(self) -> None:
        self.machine.alive = False

    def start(self) -> None:
        self.machine = Machine("web")


@dataclass
class Teams:
    """One for each event; `lost_share`: of how many requests or answers the network loses."""

    plan: Plan
    workshop: Workshop
    scheduler: Scheduler
    network: Network
    web: WebProcess
    history: list[Event]
    machine: Machine = field(default_factory=lambda: Machine("teams"))
    ops: int = 0
    lost_share: float = 0.0

    @property
    def random(self) -> Random:
        return self.scheduler.random

    @property
    def _office(self) -> AppContext:
        return AppContext(
            self.workshop.settings, self.workshop.databases["web"], self.workshop.clock, self.workshop.bell
        )

    def morning_of(self, slug: str) -> None:
        """First results, corrections of them, and now and then a withdrawal that is undone or not."""
        self._rest(self.plan.until_s / 2)
        head = self._submitted(slug, None)
        for _ in range(self.random.randrange(3, 7) if self.plan.rush else self.random.randrange(5)):
            self._rest(self.plan.until_s / (12 if self.plan.rush else 6))
            if head is not None and self.random.random() < 0.3:
                self._withdraw(slug, head)
            if self.random.random() < 0.3:
                self._publish_over(slug)
            head = self._submitted(slug, self._head(slug))

    def _submitted(self, slug: str, head: str | None) -> str | None:
        sent = self._submit(slug, head)
        if self.plan.hasty and sent is not None and self.random.random() < HASTE:
            self._rest(HASTY_S)
            self._withdraw(slug, sent)
        return sent

    def _withdraw(self, slug: str, id_: str) -> None:
        if self._ask(slug, {"what": "withdraw", "id": id_}, "DELETE", f"/api/v1/submissions/{id_}") is None:
            return
        self.network.sometimes("a version is withdrawn" + (", the link down" * (self.network.state != "up")))
        if self.random.random() < 0.6:
            self._rest(5.0)
            said = self._decide(slug, "undo", submissions.undo_withdrawal, id_)
            self.network.sometimes(f"a withdrawal {'is' if said else 'cannot be'} undone")

    def _publish_over(self, slug: str) -> None:
        head = self._head(slug)
        if head is not None and self._decide(slug, "decide", submissions.publish_over, head):
            self.network.sometimes("a person publishes over the master's version")

    def _rest(self, most_s: float) -> None:
        self.scheduler.sleep(self.random.random() * most_s)

    def _head(self, slug: str) -> str | None:
        found = self.workshop.look("SELECT head FROM chains WHERE event_id = ?", self.workshop.events[slug])
        return found[0][0] if found else None

    def _submit(self, slug: str, head: str | None) -> str | None:
        lines = [
            {"position": n, "athlete": f"A{1_000_000 + n * 7919}", "time": f"00:{17 + n}:00"}
            for n in range(1, 2 + self.random.randrange(6))
        ]
        sheet = {"event": slug, "date": DATE, "finishers": lines}
        headers = {"Idempotency-Key": f'"{UUID(int=self.random.getrandbits(128), version=4)}"'}
        if head is not None:
            headers["If-Match"] = f'"{head}"'
        asked = {"what": "submit", "chain": f"{slug} {DATE}", "digest": rows_of(sheet)}
        headers["Content-Type"] = "application/json"
        said = self._ask(slug, asked, "POST", "/api/v1/submissions", headers, json.dumps(sheet).encode())
        return head if said is None else str(said["id"])

    def _begin(self, asked: dict[str, Any]) -> int:
        self.ops += 1
        self.history.append({"kind": "invoke", "op": self.ops, **asked})
        return self.ops

    def _ask(
        self,
        slug: str,
        asked: dict[str, Any],
        method: str,
        path: str,
        more: Mapping[str, str] = MappingProxyType({}),
        body: bytes = b"",
    ) -> Any:
        """The body of the answer; None: it was refused, or there was none."""
        op, doubt = self._begin(asked), False
        headers = {"Authorization": f"Bearer {self.workshop.tokens[slug]}", **more}
        for tried in range(TRIES):
            status, said = self._call(method, path, headers, body)
            if status in (200, 201):
                self.network.sometimes("a team's repeat finds what it sent", status == 200 and tried > 0)
                self.history.append(
                    {"kind": "ok", "op": op, **({"id": said["id"]} if asked["what"] == "submit" else {})}
                )
                return said
            if 400 <= status < 500 or (status == 507 and not doubt):
                break
            doubt = True  # there was no answer, or one of a node that does not know
            self._rest(4.0)
        self.history.append({"kind": "info" if doubt else "fail", "op": op})
        self.network.sometimes("a team gives up without an answer", doubt)
        return None

    def _call(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request; status 0: there was no answer."""
        machine, answers, team = self.web.machine, list[Answer](), self.scheduler.current
        if self._loses("request"):
            self._rest(ANSWER_S)
            return 0, None
        self.scheduler.spawn(machine, lambda: self._serve(method, path, headers, body, answers, team))
        give_up = self.scheduler.now_s + ANSWER_S
        while not answers and self.scheduler.now_s < give_up:
            self.scheduler.park(give_up - self.scheduler.now_s)
        self.network.sometimes("the web process dies under a request", not answers and not machine.alive)
        if not answers or self._loses("answer"):
            return 0, None
        return answers[0]

    def _loses(self, what: str) -> bool:
        fault = f"a team's {what} is lost"
        lost = self.random.random() < self.lost_share / 2 and self.plan.has(fault)
        self.network.met[fault] += lost
        return lost

    def _serve(
        self, method: str, path: str, headers: dict[str, str], body: bytes, answers: list[Answer], team: Task
    ) -> None:
        said = ask(self.workshop.web, method, path, headers, body)
        answers.append((said.status, said.json()))
        self.scheduler.unpark(team)

    def _decide(self, slug: str, what: str, decision: Callable[..., Acknowledgement], id_: str) -> bool:
        """The office decides, on this machine."""
        op = self._begin({"what": what, "id": id_, "chain": f"{slug} {DATE}"})
        try:
            submissions.decide(self._office, decision, "the office", id_)
        except StoreUnsure:
            self.history.append({"kind": "info", "op": op})
        except (StoreUnavailable, Conflicting, NotThere):
            self.history.append({"kind": "fail", "op": op})
        else:
            self.history.append({"kind": "ok", "op": op})
            return True
        return False
