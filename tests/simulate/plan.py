"""What a morning is made of: its seed, and what is left out of it to find the smallest one that fails."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

TEAMS = 8
"""The most that there are."""

FAULTS_S = 90.0
"""How long there are faults."""


@dataclass(frozen=True)
class Plan:
    """`without`: kinds of fault that do not happen; `teams`: no more than these; `until_s`: when the last fault is.
    `hasty`: teams withdraw most of what they have just sent. `restores`: the master comes back from a backup for
    certain, more than once. `rush`: every team is there, and corrects again and again."""

    seed: int
    teams: int = TEAMS
    without: frozenset[str] = frozenset()
    until_s: float = FAULTS_S
    hasty: bool = False
    restores: bool = False
    rush: bool = False

    @classmethod
    def of(cls, seed: int) -> "Plan":
        """The morning of a seed in a run of many: of each eight seeds one is a whole one, two are hasty, one has a
        master that is restored, and one a rush. These are about half as long as a whole one, for most faults are found
        in those, too."""
        return replace(_KINDS[seed % len(_KINDS)], seed=seed)

    @classmethod
    def brief(cls, seed: int) -> "Plan":
        """A short morning: a thousand of them reach every state at a third of the price of others. One of 16 has a
        master that is restored, and one is a rush."""
        return replace(_BRIEF[seed % len(_BRIEF)], seed=seed)

    def has(self, fault: str) -> bool:
        return fault not in self.without

    @property
    def command(self) -> str:
        """What runs it again."""
        words = ["python -m tests.simulate", f"--seed {self.seed}"]
        if self.teams != TEAMS:
            words.append(f"--teams {self.teams}")
        if self.until_s != FAULTS_S:
            words.append(f"--until {self.until_s:g}")
        if self.hasty:
            words.append("--hasty")
        if self.restores:
            words.append("--restores")
        if self.rush:
            words.append("--rush")
        if self.without:
            words.append(f'--without "{", ".join(sorted(self.without))}"')
        return " ".join(words)


_SMALL = Plan(0, teams=4, until_s=45.0)
_HASTY = replace(_SMALL, hasty=True)
_RESTORED = Plan(0, teams=3, until_s=60.0, hasty=True, restores=True)
_RUSH = Plan(0, teams=7, until_s=40.0, rush=True)
_KINDS = (Plan(0), _SMALL, _SMALL, _HASTY, _RESTORED, _RUSH, _SMALL, _HASTY)

_ALONE, _TWO = Plan(0, teams=1, until_s=10.0), Plan(0, teams=2, until_s=12.0)
_ALONE_HASTY, _TWO_HASTY = replace(_ALONE, hasty=True), replace(_TWO, hasty=True)
_BRIEF = (
    _ALONE,
    _TWO,
    _ALONE_HASTY,
    _TWO_HASTY,
    _ALONE_HASTY,
    _TWO,
    Plan(0, teams=2, until_s=18.0, hasty=True, restores=True),
    _TWO,
    _ALONE_HASTY,
    _TWO_HASTY,
    _ALONE,
    _TWO,
    Plan(0, teams=6, until_s=6.0, rush=True),
    _ALONE_HASTY,
    Plan(0, teams=3, until_s=15.0),
    replace(_TWO_HASTY, until_s=15.0),
)


def rows_of(sheet: dict[str, Any]) -> str:
    """What tells one team's results from another's: its lines."""
    lines = [(one["position"], one.get("athlete"), one.get("time")) for one in sheet["finishers"]]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]
