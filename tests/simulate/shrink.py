"""Makes a failing morning smaller: fewer teams, an earlier end, kinds of fault switched off, while it still fails."""

from collections.abc import Iterator
from dataclasses import replace

from tests.simulate.morning import Result, run
from tests.simulate.plan import Plan
from tests.simulate.workshop import Workshop

MOST = 80
"""So many mornings are tried."""


def shrink(failed: Result, shop: Workshop, most: int = MOST) -> Result:
    """The smallest of those that were tried and broke the same promise."""
    return _Search(failed, shop, most).smallest()


class _Search:
    def __init__(self, failed: Result, shop: Workshop, most: int) -> None:
        self._best = failed
        self._shop = shop
        self._left = most
        self._broken = {one.what for one in failed.findings}

    def smallest(self) -> Result:
        self._first_of(replace(self._plan, teams=teams) for teams in (1, 2, 4) if teams < self._plan.teams)
        self._first_of(replace(self._plan, until_s=s) for s in (15.0, 30.0, 45.0, 60.0) if s < self._plan.until_s)
        size = max(1, len(self._best.met) // 2)
        while size:
            for some in self._groups(size):
                self._fails(replace(self._plan, without=self._plan.without | some))
            size //= 2
        return self._best

    @property
    def _plan(self) -> Plan:
        return self._best.plan

    def _groups(self, size: int) -> Iterator[frozenset[str]]:
        """The kinds that happen, so many at a time; those that happen no more when it is their turn are left out."""
        kinds = sorted(self._best.met)
        for start in range(0, len(kinds), size):
            if some := frozenset(kinds[start : start + size]) & self._best.met.keys():
                yield some

    def _first_of(self, plans: Iterator[Plan]) -> None:
        for plan in plans:
            if self._fails(plan):
                return

    def _fails(self, plan: Plan) -> bool:
        if not self._left:
            return False
        self._left -= 1
        tried = run(plan, self._shop)
        if fails := bool(self._broken & {one.what for one in tried.findings}):
            self._best = tried
        return fails
