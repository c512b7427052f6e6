"""Two sheets beside each other: only the rows that differ. The team's pages and the operators' show the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from resultsq.domain.sheet import Finisher, Sheet, Volunteer, parse

MOST_ROWS = 2000
"""A comparison is for people; beyond so many different rows the two sheets have nothing in common."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same position in two sheets; None: that sheet ends before it."""

    position: int
    ours: Finisher | None
    theirs: Finisher | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The rows that differ, at most `MOST_ROWS` of `count`, how many are equal, and whether the volunteers differ."""

    pairs: Sequence[Pair]
    count: int
    equal: int
    volunteers: bool

    @property
    def nothing(self) -> bool:
        """Whether the two are the same."""
        return not self.count and not self.volunteers


def difference(finishers: Sequence[Finisher], volunteers: Sequence[Volunteer], theirs: Sheet) -> Difference:
    """Compare these with another sheet: finishers position by position, volunteers in any order."""
    pairs = [
        Pair(position, mine, other)
        for position, (mine, other) in enumerate(zip_longest(finishers, theirs.finishers), 1)
        if mine != other
    ]
    return Difference(
        pairs=pairs[:MOST_ROWS],
        count=len(pairs),
        equal=max(len(finishers), len(theirs.finishers)) - len(pairs),
        volunteers=set(volunteers) != set(theirs.volunteers),
    )


def parsed(body: bytes | None) -> Sheet | None:
    """A sheet that is kept; None: it is gone, or another version of this program published what this one cannot
    read."""
    try:
        return None if body is None else parse(body)
    except ValueError:
        return None
