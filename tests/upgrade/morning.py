"""A store, begun by the old version, migrated under it, and finished by the new one. Whose turn it is, a seed says."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from tests.history.check import Event, Finding
from tests.power.judge import Revived
from tests.power.morning import Ledger
from tests.support.nodes import EVENTS, entry
from tests.upgrade.versions import Refused, Version

STEPS = 30
"""Of each phase: the old version alone, both, the new one alone."""
PHASES = ("old alone", "both", "new alone")
KILLED = 0.06
DAYS = tuple(f"2013-12-{day:02}" for day in range(1, 29))


class Upgrade:
    """The morning of a seed. `met` counts what was done by whom, `refused` what a version could not do."""

    def __init__(self, seed: int, store: Path, old: Version, new: Version) -> None:
        self.random = Random(seed)
        self.url = f"sqlite:///{store}"
        self.versions = {"old": old, "new": new}
        self.history: list[Event] = []
        self.met: list[str] = []
        self.refused: list[Finding] = []
        self._ledger = Ledger()
        self._ops = count()
        self._second = 0.0
        self._days = [(slug, day) for slug in EVENTS for day in DAYS]
        self.random.shuffle(self._days)
        self._newest: dict[tuple[str, str], str] = {}
        self._in_hand: dict[str, list[SimpleNamespace]] = {"old": [], "new": []}

    def run(self) -> list[Finding]:
        self.begin()
        self._phase("old alone", ["old"])
        self.versions["new"].do("open", url=self.url, first=True)  # migrates, under what the old one has in hand
        self._phase("both", ["old", "new"])
        self._die("old")
        self._phase("new alone", ["new"])
        self._die("new")
        return self.finish()

    def begin(self) -> None:
        self.versions["old"].do("open", url=self.url, first=True)
        self._do("old", "probe")

    def old_alone(self) -> None:
        """Sheets stay in its hands, and the master has some of them."""
        self._phase("old alone", ["old"])
        self._claim("old")
        for lease in self._in_hand["old"][::2]:
            self._commit(lease)

    def finish(self) -> list[Finding]:
        """By this version's worker; then everything is judged."""
        return [*self.refused, *go_on(self.url, self.history)]

    def _phase(self, name: str, who: list[str]) -> None:
        acts: list[Callable[[str], None]] = [self._accept, self._accept, self._correct, self._withdraw]
        acts += [self._claim, self._claim, self._settle, self._settle, self._settle]
        for _ in range(STEPS):
            self._second += self.random.choice((1.0, 1.0, 5.0, 40.0))  # leases may run out
            one = self.random.choice(who)
            if self.random.random() < KILLED:
                self._die(one)
                self.versions[one].do("open", url=self.url, first=False)
                self._do(one, "void", worker=one)
            act = self.random.choice(acts)
            try:
                act(one)
                self.met.append(f"{name}: {one} {act.__name__.strip('_')}")
            except Refused as refused:
                self.refused.append(Finding("refused", name, str(refused)))

    def _do(self, who: str, what: str, **more: Any) -> Any:
        self.versions[who].do("at", seconds=self._second)
        return self.versions[who].do(what, **more)

    def _die(self, who: str) -> None:
        """What it has in hand is lost with it; the master may have it."""
        for lease in self._in_hand[who]:
            if self.random.random() < 0.5:
                self._commit(lease)
        self._in_hand[who] = []
        if self.random.random() < 0.1:
            self.versions[who].kill()
        else:
            self.versions[who].do("close")  # the same to the store, and much quicker

    def _accept(self, who: str) -> None:
        self._submit(who, *self._days.pop(), corrects=None)

    def _correct(self, who: str) -> None:
        if self._newest:
            (slug, day), newest = self.random.choice(sorted(self._newest.items()))
            self._submit(who, slug, day, newest)

    def _submit(self, who: str, slug: str, day: str, corrects: str | None) -> None:
        op, rows = next(self._ops), 3 + len(self.history)
        digest = entry(0, slug, rows, date=day).digest
        self.history.append(
            {"kind": "invoke", "op": op, "what": "submit", "chain": f"{slug} {day}", "digest": digest}
        )  # fmt: skip
        told = self._do(who, "accept", event=slug, rows=rows, date=day, corrects=corrects)
        self.history.append({"kind": "ok", "op": op, "id": told["id"]})
        self._newest[slug, day] = told["id"]

    def _withdraw(self, who: str) -> None:
        """A first version of a day of its own."""
        slug, day = self._days.pop()
        self._submit(who, slug, day, None)
        id_, op = self._newest.pop((slug, day)), next(self._ops)
        self.history.append({"kind": "invoke", "op": op, "what": "withdraw", "id": id_})
        self._do(who, "withdraw", submission=id_)
        self.history.append({"kind": "ok", "op": op})

    def _claim(self, who: str) -> None:
        self._do(who, "probe")
        got = self._do(who, "claim", worker=who, free=self.random.randrange(1, 4))
        self._in_hand[who] += [SimpleNamespace(**lease) for lease in got]

    def _settle(self, who: str) -> None:
        if not self._in_hand[who]:
            return
        lease = self._in_hand[who].pop(self.random.randrange(len(self._in_hand[who])))
        if self.random.random() < 0.85:
            self._commit(lease)
        knows = lease.submission in self._ledger.revisions and self.random.random() < 0.8
        revision = self._ledger.revisions[lease.submission] if knows else None
        self._do(who, "settle", lease=lease.lease, worker=who, revision=revision)

    def _commit(self, lease: Any) -> None:
        """The master takes it, where it goes on top of what it has; a request that is late finds another there."""
        if lease.submission in self._ledger.revisions or self._ledger.heads.get(_chain(lease)) != lease.base:
            return
        made = self._ledger.put(lease)
        assert made is not None
        self.history.append(made)


def _chain(lease: Any) -> str:
    return f"{lease.event} {lease.date}"


def go_on(url: str, history: list[Event]) -> list[Finding]:
    """Migrate the store and finish everything on it."""
    database = Database(url)
    try:
        migrate.upgrade(database)
        return Revived(database, history, workers=("old", "new", "w1")).go_on()
    finally:
        database.close()
