"""A Saturday morning: who sends when, and what the link does meanwhile. Pure; times are seconds from 07:15."""

import random
from collections.abc import Iterator
from itertools import chain

from resultsq.drill.link import LinkMode, schedule

MORNING_S = 290 * 60.0
"""From 07:15 to 12:05."""

_EARLY = 0.12
"""The share of events that do not start at nine: other time zones, juniors."""

_PEAK_S, _SPREAD_S = 190 * 60.0, 35 * 60.0
"""Most send around 10:25, two thirds of them within 35 minutes of it."""

_CORRECTED_AFTER_S = 12 * 60.0

CORRECTED = 0.12
"""The share of events that send a correction, half of them while the master is away, half when it is back."""

BACK_S = 20 * 60.0
"""How long corrections go on coming after the link's return, and the longest that a team takes to find its mistake."""


def timetable(rng: random.Random, events: int, compressed: float) -> list[float]:
    """When each event sends."""
    return [_one(rng) / compressed for _ in range(events)]


def _one(rng: random.Random) -> float:
    if rng.random() < _EARLY:
        return rng.uniform(0, MORNING_S)
    while not 0 <= (at_s := rng.gauss(_PEAK_S, _SPREAD_S)) < MORNING_S:
        continue
    return at_s


def corrected_after(rng: random.Random, compressed: float) -> float | None:
    """How long after its answer an event corrects its results; None: after the link's return."""
    return None if rng.random() < 0.5 else min(BACK_S, rng.expovariate(1 / _CORRECTED_AFTER_S)) / compressed


def link_modes(rng: random.Random, compressed: float) -> Iterator[tuple[LinkMode, float]]:
    """Silent until 09:55, flapping through the busiest hour, refused from 10:45 to the end."""
    morning_s = MORNING_S / compressed
    return chain(
        schedule("hole", 160 / 290 * morning_s, rng),
        schedule("flap", 50 / 290 * morning_s, rng),
        schedule("refuse", 80 / 290 * morning_s, rng),
    )
