"""From what was seen in a rehearsal to its verdict: pure, so that the figures can be trusted and tested.

Times are seconds on one monotonic clock. A sheet is lost if the node took it and the master has not got it, doubled if
the master has more than one for its event and date, changed if what is published is not, byte for byte, what the node
took, or not, row for row, what the team's files say.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from resultsq.domain.outcome import Receipt

FIRST_WITHIN_S = 2.0
"""The promise: the first publication comes no later than this after the link's return."""


class Phase(StrEnum):
    """When a team sent its files."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


Place = tuple[str, str]
"""Event and ISO date."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A sheet that the node took. `ids`: every id it answered with (one, however often the team sent it);
    `rows` is the digest of the rows that the team's files say."""

    place: Place
    phase: Phase
    ids: frozenset[str]
    digest: str
    rows: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A sheet that the node did not take, and its sentence."""

    place: Place
    phase: Phase
    why: str


@dataclass(frozen=True, slots=True)
class Published:
    """What the master publishes for a place: id, digest of the bytes, digest of the rows."""

    submission: str
    digest: str
    rows: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was seen. `receipts`: every one that the master has; `seen_s`: when each was first seen;
    `unsettled`: ids that the node itself does not call published; `returned_s`: when the link came back for good."""

    taken: Sequence[Taken]
    refused: Sequence[Refused]
    receipts: Sequence[Receipt]
    published: Mapping[Place, Published]
    unsettled: frozenset[str]
    seen_s: Mapping[str, float]
    outage_s: float
    returned_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the closing table. `good` None: a figure without a judgement."""

    what: str
    value: str
    good: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures. Times are (p50, p95) or seconds after the link's return; the tuples name what they count."""

    outage_s: float
    accepted: int
    accepted_during: int
    offered_during: int
    at_rest_s: tuple[float, float] | None
    during_s: tuple[float, float] | None
    first_s: float | None
    last_s: float | None
    published_once: int
    refused: tuple[Refused, ...]
    lost: tuple[Place, ...]
    doubled: tuple[Place, ...]
    changed: tuple[Place, ...]
    unsettled: tuple[Place, ...]

    @property
    def good(self) -> bool:
        """All was accepted, is published once and unchanged, and the node knows it; and some of it did wait for
        the link's return, for otherwise nothing was rehearsed."""
        wrong = self.refused or self.lost or self.doubled or self.changed or self.unsettled
        return self.first_s is not None and self.accepted_during > 0 and not wrong

    @property
    def sentence(self) -> str:
        """The verdict in a sentence."""
        if self.good:
            return "Every sheet was accepted and is published exactly once: nothing lost, doubled or changed."
        if self.accepted_during == 0 or self.first_s is None:
            return "The rehearsal failed: nothing that came in during the outage was published after it."
        return "The rehearsal failed: see the lines marked above."

    def rows(self) -> list[Row]:
        """The closing table, top to bottom."""
        in_time = self.first_s is not None and self.first_s <= FIRST_WITHIN_S
        return [
            Row("Outage", f"{self.outage_s:.1f} s"),
            Row(
                "Accepted during the outage",
                f"{self.accepted_during} of {self.offered_during}",
                0 < self.accepted_during == self.offered_during,
            ),
            Row("  answered within (half of them, 95 %)", _pair(self.during_s)),
            Row("  the same before the outage", _pair(self.at_rest_s)),
            Row("First publication after the return", _after(self.first_s), in_time),
            Row("Last publication after the return", _after(self.last_s), None if self.last_s is not None else False),
            Row(
                "Published exactly once, with the same digest",
                f"{self.published_once} of {self.accepted}",
                0 < self.published_once == self.accepted,
            ),
            Row("Refused", str(len(self.refused)), not self.refused),
            Row("Lost", str(len(self.lost)), not self.lost),
            Row("Published twice", str(len(self.doubled)), not self.doubled),
            Row("Changed on the way", str(len(self.changed)), not self.changed),
            Row("Published, but the node does not know it", str(len(self.unsettled)), not self.unsettled),
        ]

    def particulars(self) -> list[str]:
        """What is wrong with which sheet, a line each."""
        wrong = {
            "is not at the master": self.lost,
            "is at the master more than once": self.doubled,
            "is not published as the team sent it": self.changed,
            "is published, but the node does not know it": self.unsettled,
        }
        refused = [f"{_name(refusal.place)} was refused: {refusal.why}" for refusal in self.refused]
        return refused + [f"{_name(place)} {what}" for what, places in wrong.items() for place in places]

    def as_dict(self) -> dict[str, bool | int | float | None]:
        """The same for a program; times in seconds."""
        during, at_rest = self.during_s or (None, None), self.at_rest_s or (None, None)
        return {
            "ok": self.good,
            "outage_s": round(self.outage_s, 3),
            "accepted": self.accepted,
            "accepted_during_outage": self.accepted_during,
            "accept_p50_s": _rounded(during[0]),
            "accept_p95_s": _rounded(during[1]),
            "accept_before_p50_s": _rounded(at_rest[0]),
            "accept_before_p95_s": _rounded(at_rest[1]),
            "first_publication_s": _rounded(self.first_s),
            "last_publication_s": _rounded(self.last_s),
            "published_once": self.published_once,
            "refused": len(self.refused),
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "changed": len(self.changed),
            "unsettled": len(self.unsettled),
        }


def judge(facts: Facts) -> Verdict:
    """The verdict on what was seen."""
    at_master: dict[Place, list[Receipt]] = {}
    for receipt in facts.receipts:
        at_master.setdefault((receipt.event, receipt.date), []).append(receipt)
    committed = {receipt.submission for receipt in facts.receipts}
    during = [sheet for sheet in facts.taken if sheet.phase is Phase.DURING]
    refused_during = [refusal for refusal in facts.refused if refusal.phase is Phase.DURING]
    waited = [facts.seen_s[each] for sheet in during for each in sheet.ids if each in facts.seen_s]
    after = [seen - facts.returned_s for seen in waited if seen > facts.returned_s]
    lost = _places(sheet for sheet in facts.taken if not sheet.ids <= committed)
    doubled = tuple(sorted(place for place, receipts in at_master.items() if len(receipts) > 1))
    changed = _places(
        sheet for sheet in facts.taken if sheet.ids & committed and _is_changed(sheet, at_master, facts.published)
    )
    bad = {*lost, *doubled, *changed}
    return Verdict(
        outage_s=facts.outage_s,
        accepted=len(facts.taken),
        accepted_during=len(during),
        offered_during=len(during) + len(refused_during),
        at_rest_s=_quantiles(sheet.took_s for sheet in facts.taken if sheet.phase is Phase.BEFORE),
        during_s=_quantiles(sheet.took_s for sheet in during),
        first_s=min(after, default=None),
        last_s=max(after, default=None),
        published_once=sum(sheet.place not in bad for sheet in facts.taken),
        refused=tuple(facts.refused),
        lost=lost,
        doubled=doubled,
        changed=changed,
        unsettled=_places(sheet for sheet in facts.taken if sheet.ids & committed & facts.unsettled),
    )


def _is_changed(
    sheet: Taken, at_master: Mapping[Place, Sequence[Receipt]], published: Mapping[Place, Published]
) -> bool:
    """Whether the master's receipts or what it publishes differ from what was taken, or from the files."""
    there = published.get(sheet.place)
    receipts = [receipt.digest for receipt in at_master.get(sheet.place, ()) if receipt.submission in sheet.ids]
    return (
        there is None
        or there.submission not in sheet.ids
        or {*receipts, there.digest} != {sheet.digest}
        or there.rows != sheet.rows
    )


def _places(sheets: Iterable[Taken]) -> tuple[Place, ...]:
    return tuple(sorted(sheet.place for sheet in sheets))


def _quantiles(seconds: Iterable[float]) -> tuple[float, float] | None:
    """p50 and p95 by nearest rank: each is a time that did occur."""
    ranked = sorted(seconds)
    if not ranked:
        return None
    return ranked[math.ceil(0.5 * len(ranked)) - 1], ranked[math.ceil(0.95 * len(ranked)) - 1]


def _name(place: Place) -> str:
    return " of ".join(place)


def _pair(pair: tuple[float, float] | None) -> str:
    return "none" if pair is None else f"{pair[0] * 1000:.0f} ms, {pair[1] * 1000:.0f} ms"


def _after(seconds: float | None) -> str:
    return "none came" if seconds is None else f"{seconds:.2f} s"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
