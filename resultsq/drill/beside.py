"""What travels beside the results of a rehearsal: one submission of each other kind for each team, in the same outage.

A kind says itself what a rehearsal may post (`Kind.example`). Its submissions stand alone, so the master's receipts
tell all: each id once, with the digest that the node answered with. Reminders are asked for as the page does, and a
worker passes them on. Mails are queued as the node itself does, and the mail server tells which arrived."""

import itertools
import json
from collections.abc import Iterable, Sequence, Set
from contextlib import ExitStack
from typing import Self

from resultsq.app import mails, reminders
from resultsq.clock import Clock
from resultsq.domain.outcome import Receipt
from resultsq.domain.submission import State
from resultsq.drill.link import LinkMode
from resultsq.drill.mail_sink import MailSink
from resultsq.drill.node import RehearsalNode
from resultsq.drill.other_kinds import KindFindings, compare_kind, compare_mails
from resultsq.drill.posts import RehearsalPhase, Taken
from resultsq.drill.teams import PlannedPost, Teams
from resultsq.kinds.registry import KINDS
from resultsq.store.admin.reminders import MOST_WAITING

_CLIENTS = 2
_AT_ONCE = 500
"""Mails in one transaction."""

_ASKED_AT_ONCE = MOST_WAITING // 2
"""Reminders: a node refuses more than it keeps for its workers."""


class Writers:
    """Posts the examples of every kind that has one; a context manager. With a `sink` the node also writes mails.
    `clients`: how many send at once, of each kind."""

    def __init__(
        self, node: RehearsalNode, clock: Clock, sink: MailSink | None = None, clients: int = _CLIENTS
    ) -> None:
        self._node, self._clock, self._sink = node, clock, sink
        self._mails: list[str] = []
        self._asked: dict[str, RehearsalPhase] = {}
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._by_kind = {
            name: Teams(node.addresses, clock, clients, path=f"/api/v1/{name}")
            for name, kind in KINDS.items()
            if kind.example("any", 1) is not None
        }

    def __enter__(self) -> Self:
        for each in self._by_kind.values():
            self._stack.enter_context(each)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, events: Sequence[str], phase: RehearsalPhase, over_s: float = 0.0) -> None:
        """One of each kind for each event, spread over the next `over_s` seconds; returns at once. Every other is sent
        twice, as one is whose first answer was not seen."""
        for name, teams in self._by_kind.items():
            teams.phase = phase
            teams.send([self._post(name, event, number % 2 == 0) for number, event in enumerate(events)], over_s)
        self._ask_reminders(min(len(events), _ASKED_AT_ONCE), phase)
        if self._sink is not None:
            self.queue_mails(len(events))

    def send_more(self, kind: str, events: Sequence[str], over_s: float = 0.0) -> None:
        """One more of this kind for each of these events, spread in the same way."""
        self._by_kind[kind].send([self._post(kind, event, twice=False) for event in events], over_s)

    def take(self, mode: LinkMode) -> None:
        """What the line to the mail server does from now on."""
        if self._sink is not None:
            self._sink.take(mode)

    def queue_mails(self, count: int) -> None:
        """Queue so many mails at this node."""
        for first in range(0, count, _AT_ONCE):
            some = [f"runner-{number}@mail.example" for number in range(first, min(count, first + _AT_ONCE))]
            self._mails += self._node.queue_mails(self._clock.now(), some)

    def _ask_reminders(self, count: int, phase: RehearsalPhase) -> None:
        addresses = [f"runner-{number}@mail.example" for number in range(count)]
        self._asked |= dict.fromkeys(self._node.ask_reminders(self._clock.now(), addresses), phase)

    @property
    def done(self) -> bool:
        """Whether every post was answered."""
        return all(each.done for each in self._by_kind.values())

    @property
    def answered(self) -> int:
        return sum(each.answered for each in self._by_kind.values())

    @property
    def mails_arrived(self) -> int:
        return 0 if self._sink is None else len(self._sink.arrived)

    def have_arrived(self, receipts: Set[str]) -> bool:
        """Whether all that the node has taken is at the master, by its `receipts`, and every mail has gone."""
        taken = {one for each in self._by_kind.values() for sheet in list(each.taken) for one in sheet.ids}
        return self.done and taken | self._asked.keys() <= receipts and not self._under_way()

    def _under_way(self) -> set[str]:
        if self._sink is None:
            return set()
        missing = set(self._mails) - set(self._sink.arrived)
        if len(missing) > _AT_ONCE:
            return missing
        return missing - self._given_up(missing)

    def _given_up(self, mails: Iterable[str]) -> set[str]:
        return {each for each, state in self._node.states(mails).items() if state is State.REJECTED}

    def findings(self, receipts: Sequence[Receipt]) -> list[KindFindings]:
        """By kind, what became of it."""
        found = [compare_kind(name, each.taken, each.refused, receipts) for name, each in self._by_kind.items()]
        found.append(compare_kind(reminders.KIND, self._reminders(), [], receipts))
        if self._sink is not None:
            # the node itself writes to runners who registered before a number was at hand
            others = self._node.mails() - set(self._mails)
            arrived = [each for each in self._sink.arrived if each not in others]
            found.append(compare_mails(mails.KIND, self._mails, self._given_up(self._mails), arrived))
        return found

    def _reminders(self) -> list[Taken]:
        digests, place = self._node.digests(self._asked), ("", reminders.KIND)
        return [
            Taken(place, phase, frozenset({each}), digests.get(each, ""), "", 0.0)
            for each, phase in self._asked.items()
        ]

    def _post(self, name: str, event: str, twice: bool) -> PlannedPost:
        body = json.dumps(KINDS[name].example(event, next(self._numbers))).encode()
        return PlannedPost((event, name), self._node.team_tokens[event], body, "application/json", "", twice)
