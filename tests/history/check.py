"""The judge of a history: what teams asked, what the node told them, and what the master committed.

A history is JSON, one event a line, in the order of time. It imports nothing of the product, so that a mistake cannot
be made the same way on both sides. It looks at each event once. The events:

    {"kind": "invoke", "op": 7, "what": "submit", "chain": "bushy 2013-12-07", "digest": "…"}
    {"kind": "invoke", "op": 8, "what": "withdraw" | "undo", "id": "…"}
    {"kind": "invoke", "op": 9, "what": "decide", "chain": "…", "id": "…"}
    {"kind": "ok",   "op": 7, "id": "…"}       it was acknowledged: a promise from here on. Only a submit has an id
    {"kind": "fail", "op": 7}                  it was refused: nothing may come of it
    {"kind": "info", "op": 7}                  its end is not known: it may have happened, or may yet
    {"kind": "commit", "id": "…", "chain": "…", "base": null, "revision": 1, "digest": "…"}     at the master;
                                               "other": true: another node's, which promised nothing here;
                                               "copy": true: a request that the network kept, and whose
                                               like the master has answered meanwhile
    {"kind": "restore", "commits": 12}         the master came back from a backup: it knows its first twelve commits
    {"kind": "receipt", "id": "…", "revision": 1, "digest": "…"}                                the node shows it
    {"kind": "state", "id": "…", "state": "published"}      how the node has it at the end, for each that it knows;
                                               "as": the id of the equal results of another node, which stand for it
    {"kind": "end", "settled": true}           the last one; settled: every fault is over and there was time enough

A decision is a person's word that an older version goes on top of a newer one, or over the master's. An operation
without an end is one whose end is not known.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Event = Mapping[str, Any]

WAITING = frozenset({"queued", "sending", "leased"})
PUBLISHED = frozenset({"published", "corrected"})
GIVEN_UP = frozenset({"withdrawn", "rejected", "conflict", "superseded"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken promise. `what` is one of the words of `verdict`."""

    what: str
    about: str
    detail: str


@dataclass(slots=True)
class Submission:
    """What the team was promised. `place`: the how-manieth acknowledgement it was."""

    chain: str
    digest: str
    place: int
    withdrawn: bool = False
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """What the master has."""

    id: str
    chain: str
    revision: int
    digest: str


@dataclass(slots=True)
class Chain:
    """What the master shows of an event and date: its head, and the `highest` place that it has. `newest`: the place of
    the newest version that was promised. `set_back`: a restore took some of it. `overruled`: how many commits of
    all chains there were when a person last decided about this one."""

    head: Commit | None = None
    newest: int = -1
    highest: int = -1
    highest_id: str = ""
    set_back: bool = False
    overruled: int = 0

    def show(self, id_: str, place: int) -> None:
        """The master shows a version of that place, on top or below."""
        if place > self.highest:
            self.highest, self.highest_id = place, id_


@dataclass
class Judge:
    """Takes the events one after the other; `findings` are the promises that were broken so far."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._open: dict[int, Event] = {}
        self._before: dict[int, tuple[bool, bool]] = {}  # what was so before a decision whose end is not known
        self._overruled_before: dict[int, int] = {}
        self._unknown: Counter[tuple[str, str]] = Counter()
        self._promised: dict[str, Submission] = {}
        # committed, and of an operation whose end is not known: after how many acknowledgements that was
        self._adopted: dict[str, int] = {}
        self._commits: list[Commit] = []
        self._live: dict[str, Commit] = {}
        self._ever: dict[str, Commit] = {}
        self._chains: dict[str, Chain] = {}
        self._others: dict[str, int] = {}  # another node's commits, and the number of each
        self._given: set[tuple[str, str]] = set()  # results that teams submitted here, acknowledged or not
        self._states: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._ended = False

    def take(self, event: Event) -> None:
        """:raises ValueError: it is no event of a history."""
        handler = _HANDLERS.get(event["kind"])
        if handler is None:
            raise ValueError(f"no event of a history: {event}")
        handler(self, event)

    def _find(self, what: str, about: str, detail: str) -> None:
        self.findings.append(Finding(what, about, detail))

    # teams

    def _invoke(self, event: Event) -> None:
        self._open[event["op"]] = event
        if event["what"] == "submit":  # until its end is known it may be committed
            self._unknown[event["chain"], event["digest"]] += 1
            self._given.add((event["chain"], event["digest"]))
            return
        if event["what"] == "decide":
            chain = self._chain(event["chain"])
            self._overruled_before[event["op"]] = chain.overruled
            chain.overruled = self.counts["committed"]
        if (found := self._promised.get(event["id"])) is not None and event["what"] != "withdraw":
            # what is decided may be done before its answer comes
            self._before[event["op"]] = (found.withdrawn, found.decided)
            found.withdrawn, found.decided = found.withdrawn and event["what"] != "undo", True

    def _ok(self, event: Event) -> None:
        asked = self._open.pop(event["op"])
        if asked["what"] != "submit":
            self._decide(asked)
            return
        if event["id"] not in self._adopted:  # else its commit has come before this answer, and has taken its place
            self._unknown[asked["chain"], asked["digest"]] -= 1
        known = self._promised.get(event["id"])
        if known is None:
            self._promise(event["id"], asked)
        elif (known.chain, known.digest) != (asked["chain"], asked["digest"]):
            self._find("altered", event["id"], "the same id was given for other results")

    def _promise(self, id_: str, asked: Event) -> None:
        self.counts["acknowledged"] += 1
        place = self.counts["acknowledged"]
        self._promised[id_] = Submission(asked["chain"], asked["digest"], place)
        chain = self._chain(asked["chain"])
        chain.newest = max(chain.newest, place)
        if id_ in self._live:
            chain.show(id_, place)
        if id_ in self._adopted:
            return
        if (found := self._ever.get(id_)) is not None and found.digest != asked["digest"]:
            self._find("altered", id_, "the master has other bytes than were acknowledged")

    def _decide(self, asked: Event) -> None:
        found = self._promised.get(asked["id"])
        if found is None:
            return
        found.withdrawn |= asked["what"] == "withdraw"

    def _fail(self, event: Event) -> None:
        asked = self._open.pop(event["op"])
        self.counts["refused"] += 1
        if (before := self._before.get(event["op"])) is not None:
            found = self._promised[asked["id"]]
            found.withdrawn, found.decided = before
        if asked["what"] == "decide":
            self._chain(asked["chain"]).overruled = self._overruled_before[event["op"]]
        if asked["what"] == "submit":
            self._unknown[asked["chain"], asked["digest"]] -= 1
            if self._unknown[asked["chain"], asked["digest"]] < 0:
                self._find("phantom", asked["chain"], "it was refused, and the master has it")

    def _info(self, event: Event) -> None:
        asked = self._open[event["op"]]
        self.counts["end not known"] += 1
        if asked["what"] != "submit" and (found := self._promised.get(asked["id"])) is not None:
            found.decided = True  # it may have happened: nothing about its order is held against the node

    # the master

    def _chain(self, name: str) -> Chain:
        return self._chains.setdefault(name, Chain())

    def _commit(self, event: Event) -> None:
        made = Commit(event["id"], event["chain"], event["revision"], event["digest"])
        self.counts["committed"] += 1
        if made.id in self._live:
            self._find("doubled", made.id, f"committed as revision {self._live[made.id].revision} and {made.revision}")
        if not event.get("other"):
            # the master refused it when it came first; a restore, and what was sent again, let it in
            self._is_somebodys(made, event.get("copy", False) and self._chain(made.chain).set_back)
            self._overwrites_nothing(made)
        self._is_in_order(made, event["base"])
        self._commits.append(made)
        self._live[made.id] = self._ever[made.id] = made
        self._chain(made.chain).head = made
        if event.get("other"):
            self._others[made.id] = self.counts["committed"]

    def _is_somebodys(self, made: Commit, let_in: bool) -> None:
        promised = self._promised.get(made.id)
        if promised is not None:
            if (promised.chain, promised.digest) != (made.chain, made.digest):
                self._find("altered", made.id, "the master has other bytes, or another day, than were acknowledged")
            if promised.withdrawn and not let_in:
                self._find("withdrawn", made.id, "it was published after its withdrawal was acknowledged")
        elif made.id not in self._adopted:
            if self._unknown[made.chain, made.digest] <= 0:
                self._find("phantom", made.id, "the master has what nobody submitted")
            self._unknown[made.chain, made.digest] -= 1
            self._adopted[made.id] = self.counts["acknowledged"]

    def _overwrites_nothing(self, made: Commit) -> None:
        """What another node published stays on top until a person decides, unless a team here submitted the same."""
        chain = self._chain(made.chain)
        head = chain.head
        if head is None or head.id not in self._others or self._others[head.id] <= chain.overruled:
            return
        if (head.chain, head.digest) not in self._given:
            self._find("overwritten", made.id, f"it went on top of {head.id}, which another node published")

    def _is_in_order(self, made: Commit, base: str | None) -> None:
        head = self._chain(made.chain).head
        if base != (head.id if head else None):
            self._find("disordered", made.id, f"it went on top of {head.id if head else None}, and named {base}")
        if made.revision != (head.revision + 1 if head else 1):
            self._find("disordered", made.id, f"revision {made.revision} on top of {head.revision if head else 0}")
        if (mine := self._promised.get(made.id)) is None:
            return
        chain = self._chain(made.chain)
        if mine.place < chain.highest and not mine.decided:
            self._find("disordered", made.id, f"an older version on top of the newer {chain.highest_id}")
        chain.show(made.id, mine.place)

    def _restore(self, event: Event) -> None:
        for taken in self._commits[event["commits"] :]:
            self._chain(taken.chain).set_back = True
        self._commits = self._commits[: event["commits"]]
        self._live = {one.id: one for one in self._commits}
        for chain in self._chains.values():
            chain.head, chain.highest = None, -1
        for one in self._commits:
            chain = self._chain(one.chain)
            chain.head = one
            if (promised := self._promised.get(one.id)) is not None:
                chain.show(one.id, promised.place)

    # the node

    def _receipt(self, event: Event) -> None:
        self.counts["receipts"] += 1
        found = self._ever.get(event["id"])
        if found is None:
            self._find("false receipt", event["id"], "the node shows a receipt, and the master committed nothing")
        elif (found.revision, found.digest) != (event["revision"], event["digest"]):
            self._find("false receipt", event["id"], f"the master committed revision {found.revision}")

    def _state(self, event: Event) -> None:
        self._states[event["id"]] = event["state"]
        self._names[event["id"]] = event.get("as", event["id"])

    def _end(self, event: Event) -> None:
        self._ended = True
        unsure = {asked["chain"] for asked in self._open.values() if asked["what"] == "submit"}
        self._show_what_others_stand_for()
        for id_, promised in self._promised.items():
            self._end_of(id_, promised, event["settled"], promised.chain in unsure)
        if event["settled"]:
            self._look_at_tops()

    def _show_what_others_stand_for(self) -> None:
        """Equal results of another node have the place of the version that they stand for."""
        for id_, promised in self._promised.items():
            there = self._live.get(self._names.get(id_, ""))
            published = self._states.get(id_) in PUBLISHED
            if published and there is not None and there.digest == promised.digest:
                self._chain(promised.chain).show(there.id, promised.place)

    def _look_at_tops(self) -> None:
        """Of its versions that the master shows, the node shows those below another one as corrected, and the one on
        top of everything as published."""
        states: dict[str, list[str]] = {}
        for id_, state in self._states.items():
            if state in PUBLISHED and self._names[id_] in self._live:
                states.setdefault(self._names[id_], []).append(state)
        top = {one.chain: one.id for one in self._commits if one.id in states}
        for name, shown in states.items():
            if top[self._live[name].chain] != name and "published" in shown:
                self._find("stale", name, "the node shows it as published, and a newer version of its own lies on top")
            head = self._chain(self._live[name].chain).head
            if head is not None and head.id == name and "published" not in shown:
                self._find("stale", name, "the master shows it, and the node shows it as corrected")

    def _end_of(self, id_: str, promised: Submission, settled: bool, unsure: bool) -> None:
        """`unsure`: a version of its chain may have been stored that was never acknowledged."""
        state = self._states.get(id_)
        if state is None:
            self._find("lost", id_, "it was acknowledged, and the node does not know it")
        elif state in PUBLISHED:
            there = self._live.get(self._names[id_])
            if there is None and not self._is_replaced(self._names[id_], promised):
                self._find("lost", id_, f"the node has it as {state}, and the master does not have it")
            elif there is not None and there.digest != promised.digest:
                self._find("altered", id_, f"it is {state} as {there.id}, and the master has other results there")
        elif state in WAITING:
            if settled:
                self._find("stuck", id_, f"it is {state}, and nothing more is to come")
        elif state not in GIVEN_UP:
            self._find("lost", id_, f"its state is no state: {state}")
        elif state == "superseded" and self._chain(promised.chain).newest == promised.place and not unsure:
            self._find("lost", id_, "it was superseded, and no newer version was acknowledged")
        elif state in ("superseded", "withdrawn") and settled and id_ in self._live:
            self._find("stale", id_, f"the master shows it, and the node has it as {state}")

    def _is_replaced(self, name: str, promised: Submission) -> bool:
        """Whether a restored master lost it, and has a newer version, below which it cannot come."""
        if name not in self._ever:
            return False
        chain = self._chain(promised.chain)
        head = chain.head.id if chain.head else ""
        # what was never acknowledged has no place: the time of its commit tells
        unknown = head not in self._promised and self._adopted.get(head, -1) >= promised.place
        return chain.highest > promised.place or unknown

    def close(self) -> list[Finding]:
        """All findings; a history that is cut off is one."""
        if not self._ended:
            self._find("cut off", "", "the history has no end")
        return self.findings


_HANDLERS = {
    "invoke": Judge._invoke,
    "ok": Judge._ok,
    "fail": Judge._fail,
    "info": Judge._info,
    "commit": Judge._commit,
    "restore": Judge._restore,
    "receipt": Judge._receipt,
    "state": Judge._state,
    "end": Judge._end,
}


def judge(history: Iterable[Event]) -> list[Finding]:
    """The broken promises of a history.

    :raises ValueError: an event is none."""
    court = Judge()
    for event in history:
        court.take(event)
    return court.close()
