"""What travels beside the results of a rehearsal: one submission of each other kind for each team, in the same outage.

A kind says itself what a rehearsal may post (`Kind.example`). Its submissions stand alone, so the master's receipts
tell all: each id once, with the digest that the node answered with."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from resultsq.clock import Clock
from resultsq.domain.outcome import Receipt
from resultsq.drill.node import RehearsalNode
from resultsq.drill.other_kinds import KindFindings, compare_kind
from resultsq.drill.posts import RehearsalPhase
from resultsq.drill.teams import PlannedPost, Teams
from resultsq.kinds.registry import KINDS

_CLIENTS = 2


class Writers:
    """Posts the examples of every kind that has one; a context manager."""

    def __init__(self, node: RehearsalNode, clock: Clock) -> None:
        self._node = node
        self._stack = ExitStack()
        self._by_kind = {
            name: Teams(node.addresses, clock, _CLIENTS, path=f"/api/v1/{name}")
            for name, kind in KINDS.items()
            if kind.example("any") is not None
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

    @property
    def done(self) -> bool:
        """Whether every post was answered."""
        return all(each.done for each in self._by_kind.values())

    @property
    def answered(self) -> int:
        return sum(each.answered for each in self._by_kind.values())

    @property
    def ids(self) -> set[str]:
        """All that the node has taken."""
        return {one for each in self._by_kind.values() for sheet in list(each.taken) for one in sheet.ids}

    def findings(self, receipts: Sequence[Receipt]) -> list[KindFindings]:
        """By kind, what became of it."""
        return [compare_kind(name, each.taken, each.refused, receipts) for name, each in self._by_kind.items()]

    def _post(self, name: str, event: str, twice: bool) -> PlannedPost:
        body = json.dumps(KINDS[name].example(event)).encode()
        return PlannedPost((event, name), self._node.team_tokens[event], body, "application/json", "", twice)
