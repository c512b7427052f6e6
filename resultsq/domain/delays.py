"""From acceptance to publication, of many submissions at once."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delays:
    """How many were published after so many whole seconds (rounded down), the shortest first."""

    counts: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, counts: Mapping[int, int]) -> "Delays":
        """`counts`: seconds → how many. A negative delay is a clock that was set back: no delay."""
        found: dict[int, int] = {}
        for seconds, number in counts.items():
            found[max(0, seconds)] = found.get(max(0, seconds), 0) + number
        return cls(tuple(sorted(found.items())))

    @classmethod
    def together(cls, parts: Iterable["Delays"]) -> "Delays":
        """Of all parts."""
        total: Counter[int] = Counter()
        for part in parts:
            total.update(dict(part.counts))
        return cls.of(total)

    @property
    def count(self) -> int:
        return sum(number for _, number in self.counts)

    def percentile_s(self, share: float) -> float:
        """The delay that `share` (0 to 1) of them did not exceed; 0.0 where nothing was published."""
        wanted, seen, seconds = max(1, math.ceil(share * self.count)), 0, 0
        for seconds, number in self.counts:  # noqa: B007 - it is the answer
            seen += number
            if seen >= wanted:
                break
        return float(seconds)

    @property
    def p50(self) -> float:
        return self.percentile_s(0.5)

    @property
    def p95(self) -> float:
        return self.percentile_s(0.95)

    @property
    def p99(self) -> float:
        return self.percentile_s(0.99)

    @property
    def most(self) -> float:
        return self.percentile_s(1.0)
