"""The interesting states of a morning, and which of them it reached. A run of many seeds that never reached one of them
proves nothing about it, so it fails and says which."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from resultsq.domain.submission import WAITING
from tests.history.check import Finding
from tests.simulate.node import CEILING, VirtualNode
from tests.simulate.teams import WebProcess
from tests.simulate.workshop import Workshop
from tests.support.promises import broken

LOOK_S = 2.0
WHOLE_LOOK = 3
"""Each so manieth look asks what is true of a store after each transaction."""


class Waits(NamedTuple):
    """A submission that waits."""

    id: str
    state: str
    blocked: bool
    in_doubt: bool
    hold_id: int | None
    lease_owner: str | None
    lease_until: str | None
    chain_id: int
    event_id: int
    failures: int
    silences: int
    wait_for: str | None


class LinkNow(NamedTuple):
    """The link as the store has it."""

    state: str
    suspect: bool
    prober: str | None
    window: int


@dataclass(frozen=True)
class Moment:
    """The store and the processes as they are now. `now`: as SQLite keeps it. `alive` and `awake`: of the workers."""

    now: str
    waiting: Sequence["Waits"]
    link: "LinkNow"
    held: frozenset[int | None]
    alive: frozenset[str]
    awake: frozenset[str]
    web_lives: bool
    under_way: frozenset[str]

    @property
    def sending(self) -> list["Waits"]:
        return [one for one in self.waiting if one.state == "sending"]

    @property
    def queued(self) -> list["Waits"]:
        return [one for one in self.waiting if one.state == "queued"]

    def behind(self, one: "Waits") -> int:
        """How many wait behind it."""
        return sum(other.chain_id == one.chain_id and other.blocked for other in self.waiting)

    def run_out(self, one: "Waits") -> bool:
        return bool(one.lease_until is not None and one.lease_until < self.now)


_LOOKS: dict[str, Callable[[Moment], bool]] = {
    "in doubt, the link down, and a correction waits": lambda m: (
        m.link.state != "up" and any(one.in_doubt and m.behind(one) for one in m.waiting)
    ),
    "in doubt, and its event is held": lambda m: any(one.in_doubt and one.event_id in m.held for one in m.queued),
    "a submission is sent while its event is held": lambda m: any(one.event_id in m.held for one in m.sending),
    "the destination is held, and results wait": lambda m: None in m.held and bool(m.queued),
    "a hold keeps a single submission": lambda m: any(one.hold_id is not None for one in m.waiting),
    "a lease of a dead worker": lambda m: any(one.lease_owner not in m.alive for one in m.sending),
    "a lease of a frozen worker": lambda m: any(
        one.lease_owner in m.alive and one.lease_owner not in m.awake for one in m.sending
    ),
    "a lease has run out, and is not taken back": lambda m: any(m.run_out(one) for one in m.sending),
    "a lease ran out while its request is under way": lambda m: any(
        m.run_out(one) and one.id in m.under_way for one in m.sending
    ),
    "its request is under way, and it waits in the queue": lambda m: any(one.id in m.under_way for one in m.queued),
    "both workers send at once": lambda m: len({one.lease_owner for one in m.sending}) > 1,
    "more is sent than the window lets": lambda m: len(m.sending) > m.link.window,
    "two versions of a chain wait": lambda m: any(m.behind(one) == 1 for one in m.waiting),
    "three versions of a chain wait": lambda m: any(m.behind(one) >= 2 for one in m.waiting),
    "the link is down, and results wait": lambda m: m.link.state == "down" and bool(m.waiting),
    "the link is a portal's, and results wait": lambda m: m.link.state == "not-our-master" and bool(m.waiting),
    "the master is down, and results wait": lambda m: m.link.state == "master-down" and bool(m.waiting),
    "the link is suspected while results are sent": lambda m: bool(m.link.suspect and m.sending),
    "the window is one, and more wait": lambda m: m.link.window == 1 and len(m.queued) > 1,
    "the window is wide": lambda m: bool(m.link.window >= CEILING),
    "the prober is dead": lambda m: m.link.prober is not None and m.link.prober not in m.alive,
    "the prober is frozen": lambda m: m.link.prober in m.alive and m.link.prober not in m.awake,
    "no worker lives, and results wait": lambda m: not m.alive and bool(m.waiting),
    "no worker is awake, and results are sent": lambda m: bool(m.alive) and not m.awake and bool(m.sending),
    "the web process is dead, and results wait": lambda m: not m.web_lives and bool(m.waiting),
    "one waits by itself after a failure": lambda m: any(one.wait_for == "backoff" for one in m.queued),
    "one waits for the link": lambda m: any(one.wait_for == "link" for one in m.queued),
    "one waits as long as the master said": lambda m: any(one.wait_for == "master" for one in m.queued),
    "one has failed three times": lambda m: any(one.failures >= 3 for one in m.waiting),
    "one was given up for silence": lambda m: any(one.silences for one in m.waiting),
    "all lanes wait": lambda m: len({one.chain_id for one in m.waiting}) >= 6,
}


class Observer:
    """Looks at the store every other second, and notes what it sees."""

    def __init__(self, workshop: Workshop, node: VirtualNode, web: WebProcess) -> None:
        self._workshop = workshop
        self._node = node
        self._web = web
        self._looks = 0

    def watch(self) -> None:
        scheduler = self._node.scheduler
        while True:
            scheduler.sleep(LOOK_S)
            if (moment := self._look()) is not None:
                for what, so in _LOOKS.items():
                    self._node.network.sometimes(what, so(moment))

    def _look(self) -> Moment | None:
        look = self._workshop.look  # nothing else runs meanwhile, so all is of one moment
        if not (links := look(_LINK)):
            return None
        waiting = [Waits(*row) for row in look(_WAITING)]
        held = frozenset(event for (event,) in look(_HOLDS)) if waiting else frozenset()
        self._looks += 1
        if self._looks % WHOLE_LOOK == 0:
            with self._workshop.plain.read() as conn:
                self._node.found += [Finding("store", "", one) for one in broken(conn, at_rest=False)]
        for (id_,) in look(_ENDED_IN_HAND) if waiting else []:
            self._node.found.append(Finding("store", id_, "it is being sent, and its attempt has ended"))
        now_s, workers = self._node.scheduler.now_s, self._node.workers
        alive = {one.name for one in workers if one.machine.alive}
        asleep = {one.name for one in workers if one.machine.frozen_until > now_s}
        under_way = {name for name, count in self._node.network.under_way.items() if count > 0}
        return Moment(
            str(self._workshop.clock.now().replace(tzinfo=None)),
            waiting,
            LinkNow(*links[0]),
            held,
            frozenset(alive),
            frozenset(alive - asleep),
            self._web.machine.alive,
            frozenset(under_way),
        )


# written by hand: what SQLAlchemy makes of them takes longer than SQLite, and a morning looks often
_ENDED_IN_HAND = """
    SELECT s.id FROM submissions s JOIN attempts a ON a.lease = s.lease
    WHERE s.state = 'sending' AND a.ended_at IS NOT NULL"""
_LINK = f"SELECT {', '.join(LinkNow._fields)} FROM links"
_HOLDS = "SELECT event_id FROM holds WHERE released_at IS NULL AND scope <> 'submission'"
IT_WAITS = f"state IN ({', '.join(repr(str(state)) for state in sorted(WAITING))})"
_WAITING = f"SELECT {', '.join(Waits._fields)} FROM submissions WHERE {IT_WAITS}"

_ENDS: dict[str, Callable[[Any], bool]] = {
    "it is superseded before it was ever sent": lambda row: row.state == "superseded" and row.attempts == 0,
    "it is superseded after it was sent": lambda row: row.state == "superseded" and row.attempts > 0,
    "it ends in conflict": lambda row: row.state == "conflict",
    "it is published at the fifth attempt or later": lambda row: row.revision is not None and row.attempts >= 5,
    "it is published under another's name": lambda row: row.published_as not in (None, row.id),
    "three revisions of one chain are published": lambda row: (row.revision or 0) >= 3,
}
_TRIES: dict[str, Callable[[Any], bool]] = {
    "an attempt ends with its worker": lambda one: one.cause == "worker-gone",
    "an attempt is given up for silence": lambda one: one.cause == "silent",
    "an attempt has no answer in time": lambda one: one.cause == "no-answer",
    "an attempt meets a portal": lambda one: one.cause == "not-our-master",
    "an attempt is refused at the door": lambda one: one.cause == "refused",
    "an attempt is cut": lambda one: one.cause == "reset",
    "the master is busy": lambda one: one.cause == "busy",
    "a conflict settles by itself": lambda one: one.outcome == "conflict",
}


def seen_at_the_end(rows: Sequence[Any], attempts: Sequence[Any]) -> Counter[str]:
    """What the store tells when all is over."""
    seen = Counter(what for what, so in _ENDS.items() for row in rows if so(row))
    return seen + Counter(what for what, so in _TRIES.items() for one in attempts if so(one))


def missing(seen: Counter[str]) -> Iterator[str]:
    """What was not reached."""
    return (what for what in STATES if not seen[what])


NOTED = (
    "a late request is committed",
    "a late request finds its sheet committed",
    "a late request finds another version",
    "a repeat finds its sheet committed",
    "the master has another version than was named",
    "a question about a doubt finds a receipt",
    "a question about a doubt finds none",
    "a team's repeat finds what it sent",
    "a team gives up without an answer",
    "the web process dies under a request",
    "a version is withdrawn",
    "a version is withdrawn, the link down",
    "a withdrawal is undone",
    "a withdrawal cannot be undone",
    "a person publishes over the master's version",
    "another node publishes the same as ours",
    "another node publishes other results",
    "the master comes back from a backup for a second time",
    "the clock goes back",
    "the clock leaps ahead",
    "the database is locked for a while",
    "the database is read-only for a while",
    "the database is full disk for a while",
    "the office does this to what waits: retry",
    "the office does this to what waits: hold",
    "the office does this to what waits: release",
    "the master comes back from a backup",
    "a worker starts while the database is away",
    "a worker goes on with an action",
    "a comparison with the master is made",
    "a comparison finds what was in doubt",
    "a comparison finds versions that the master lost",
    "a worker voids the leases of the one before it",
    "waits are ended because the clock was set back",
    "a probe's answer cannot be written down",
    "an answer comes when its lease is another's",
    "the link returns",
    "the link is lost",
)
"""What other modules note where it happens."""

STATES = (*_LOOKS, *_ENDS, *_TRIES, *NOTED)
