"""How long results wait after a long outage, computed from each schedule with a virtual clock.

500 submissions are first tried in the first ten minutes of an outage, and each time again as the peer's own code says;
what counts is the time from the link's return to the next attempt. resultsq's column comes from its own rules: a probe
each second, each answered in 50 ms, then a window that opens at 2 and grows as answers come, 50 ms each.
"""

import importlib
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

from resultsq.domain import link
from resultsq.domain.link import LinkState
from tests.bench.peers import NAMES
from tests.bench.report import OURS, Result

OUTAGES = {"20 min": 1_200.0, "1 h": 3_600.0, "5 h": 18_000.0, "12 h": 43_200.0}
COUNT = 500
FIRST_TRIED_S = 600.0
CEILING = 8
_CALL_S = 0.05
_START = datetime(2013, 12, 7, 7, 15, tzinfo=UTC)


def run(_short: bool) -> Iterator[Result]:
    random.seed(7)  # the peers' jitter
    for said, outage_s in OUTAGES.items():
        yield _result(said, OURS, ours(outage_s))
        for name in NAMES:
            try:
                peer = importlib.import_module(f"tests.bench.peers.{name}")
            except ImportError as error:
                why = f"not installed ({error.name} is missing): pip install '.[bench]'"
                yield Result("waiting", f"{said} outage", name, {}, note=why)
            else:
                yield _result(said, peer.NAME, [extra_s(peer.waits(), number, outage_s) for number in range(COUNT)])


def extra_s(waits: Iterator[float], number: int, outage_s: float) -> float | None:
    """Seconds from the return to the next attempt; None: it has given up."""
    at = FIRST_TRIED_S * number / COUNT
    while at < outage_s:
        wait_s = next(waits, None)
        if wait_s is None:
            return None
        at += wait_s
    return at - outage_s


def ours(outage_s: float) -> list[float | None]:
    """Seconds from the return to each publication."""
    rng = random.Random(7)
    probe_at = 0.0
    while probe_at < outage_s:
        probe_at += link.probe_wait_s(LinkState.DOWN, False, rng.random())
    at = returned = probe_at - outage_s + _CALL_S
    window, done = replace(link.opening(CEILING), opened_at=_START), list[float | None]()
    while len(done) < COUNT:
        at += _CALL_S
        for _ in range(min(window.free_slots(0, CEILING), COUNT - len(done))):
            done.append(at)
            window = window.answered_well(_START + timedelta(seconds=at - returned), CEILING)
    return done


def _result(said: str, who: str, waited: list[float | None]) -> Result:
    come = [seconds for seconds in waited if seconds is not None]
    return Result(
        "waiting",
        f"{said} outage, computed",
        who,
        {
            "median_s": median(come) if come else None,
            "last_s": max(come) if len(come) == len(waited) else None,
            "given_up": len(waited) - len(come),
        },
    )
