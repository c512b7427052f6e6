"""How soon after the link's return the first result is published: 20 outages of a minute, refused and silent.

Ten nodes stand beside each other, each with a worker, a broker, a link and a master of its own. Their links come back
one after the other, so that none is disturbed by another's return.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles

from tests.bench import work
from tests.bench.contest import awaited, faulty_link, tally
from tests.bench.outage import DELAY_S
from tests.bench.players import Resultsq
from tests.bench.report import OURS, Result
from tests.support.processes import OtherMaster
from tests.support.proxy import Proxy

SCENARIO = "returns"
RUNS, AT_ONCE, WAITING = 20, 10, 20
OUTAGE_S, APART_S, WARM_S, WAIT_S = 60.0, 3.0, 3.0, 60.0
MOST_S = {"refused": 0.5, "silent": 1.0}


def run(short: bool) -> Iterator[Result]:
    """Nothing in short: the scenario after-outage has one."""
    for mode, most_s in {} if short else MOST_S.items():
        firsts = [one for _ in range(0, RUNS, AT_ONCE) for one in _some(mode)]
        come = sorted(one for one in firsts if one is not None)
        p95_s = quantiles(come, n=20, method="inclusive")[-1] if len(come) == len(firsts) else None
        figures = {
            "p50_s": median(come) if come else None,
            "p95_s": p95_s,
            "most_s": come[-1] if p95_s is not None else None,
        }
        yield Result(
            SCENARIO, f"first publication, {len(firsts)} outages of {OUTAGE_S:.0f} s, {mode}", OURS, figures,
            f"p95 ≤ {most_s:g} s", p95_s is not None and p95_s <= most_s,
        )  # fmt: skip


@dataclass
class _Node:
    player: Resultsq
    master: OtherMaster
    link: Proxy
    jobs: list[work.Job] = field(default_factory=lambda: work.jobs(WAITING))

    def first_after(self, mode: str, number: int) -> float | None:
        """Seconds from the return to the end of the first PUT; None: none came."""
        self.player.submit(self.jobs)
        self.link.hole() if mode == "silent" else self.link.reset()
        time.sleep(OUTAGE_S + number * APART_S)
        returned = time.monotonic()
        self.link.restore()
        awaited(self.master, 1, WAIT_S)
        awaited(self.master, len(self.jobs), WAIT_S)  # and none of them stays on the way to its end
        ends = tally(self.master, self.jobs, returned).ends
        return ends[0] - returned if ends else None


def _some(mode: str) -> list[float | None]:
    with ExitStack() as stack:
        nodes = []
        for _ in range(AT_ONCE):
            master = stack.enter_context(OtherMaster("--delay", str(DELAY_S)))
            link = stack.enter_context(faulty_link(master))
            player = stack.enter_context(Resultsq(f"http://127.0.0.1:{link.port}"))
            player.start()
            nodes.append(_Node(player, master, link))
        time.sleep(WARM_S)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda one: one[1].first_after(mode, one[0]), enumerate(nodes)))
