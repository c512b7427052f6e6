"""What a rule is."""

from collections.abc import Callable
from dataclasses import dataclass

from resultsq.master.conformance.trial import Trial


@dataclass(frozen=True, slots=True)
class Rule:
    """`check` describes the answer in a few words; it raises Broken where the rule does not hold, and Skipped where it
    cannot be checked."""

    name: str
    sent: str
    expected: str
    check: Callable[[Trial], str]
