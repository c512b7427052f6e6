"""What a morning is made of: its seed, and what is left out of it to find the smallest one that fails."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

TEAMS = 8
"""The most that there are."""

FAULTS_S = 90.0
"""How long there are faults."""


@dataclass(frozen=True)
class Plan:
    """`without`: kinds of fault that do not happen; `teams`: no more than these; `until_s`: when the last fault is.
    `hasty`: teams withdraw most of what they have just sent."""

    seed: int
    teams: int = TEAMS
    without: frozenset[str] = frozenset()
    until_s: float = FAULTS_S
    hasty: bool = False

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
        if self.without:
            words.append(f'--without "{", ".join(sorted(self.without))}"')
        return " ".join(words)


def rows_of(sheet: dict[str, Any]) -> str:
    """What tells one team's results from another's: its lines."""
    lines = [(one["position"], one.get("athlete"), one.get("time")) for one in sheet["finishers"]]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]
