"""What the teams of a rehearsal sent, and a line of its closing table."""

from dataclasses import dataclass
from enum import StrEnum


class RehearsalPhase(StrEnum):
    """When a team sent its files."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


Place = tuple[str, str]
"""Event and ISO date."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A version that the node took. `ids`: every id it answered with (one, however often the team sent it);
    `rows` is the digest of the rows that the team's files say; `took_s`: how long the answer took; `late_s`: how long
    after its time it was sent; `numbers`: every athlete number in the answers, of a registration (one, or none)."""

    place: Place
    phase: RehearsalPhase
    ids: frozenset[str]
    digest: str
    rows: str
    took_s: float
    version: int = 1
    late_s: float = 0.0
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RefusedPost:
    """A sheet that the node did not take, and its sentence."""

    place: Place
    phase: RehearsalPhase
    why: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One line of the closing table. `good` None: a figure without a judgement."""

    what: str
    value: str
    good: bool | None = None
