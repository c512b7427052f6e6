"""What the runs of an event take: each event has its own."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Plausible:
    """What a run of an event takes, in seconds: between what the first finisher is expected, and all."""

    first_least: int = 12 * 60
    first_most: int = 45 * 60
    shortest: int = 10 * 60
    longest: int = 4 * 3600

    def takes(self, seconds: int) -> bool:
        return self.shortest <= seconds <= self.longest

    @property
    def makes_sense(self) -> bool:
        """Whether the four stand in order, within a day."""
        return 0 < self.shortest <= self.first_least < self.first_most <= self.longest < 86_400


FIVE_K: Final = Plausible()

PRESETS: Final = {"5k": FIVE_K, "junior": Plausible(6 * 60, 30 * 60, 6 * 60, 2 * 3600)}
"""By the name of a usual run: five kilometres, and the two of juniors."""
