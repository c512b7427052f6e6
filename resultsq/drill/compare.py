"""The fate of each sheet, from the teams' answers, the node's state and the master's list: pure.

An event and its date are a place; the sheets accepted for it, in order, are its versions. A version is

- lost: neither at the master, nor put aside by the node for a newer one;
- doubled: the master has it more than once;
- out of order: the master's revisions, or its published sheets, are not in the order of acceptance;
- changed: the master's sheet has other bytes than the node took, or other rows than the team's files.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.outcome import Receipt
from resultsq.domain.submission import State
from resultsq.drill.other_kinds import KindFindings
from resultsq.drill.posts import Place, RefusedPost, RehearsalPhase, ReportRow, Taken


@dataclass(frozen=True, slots=True)
class SeenSheet:
    """What the master publishes for a place: id, digest of the bytes, digest of the rows."""

    submission: str
    digest: str
    rows: str


@dataclass(frozen=True, slots=True)
class RehearsalFacts:
    """All that was seen; times are seconds on one monotonic clock. `receipts`: every one that the master has;
    `states`: what the node itself says of each id; `seen_s`: when each receipt was first seen; `returned_s`: when
    the link came back for good; `beside`: what became of other kinds."""

    taken: Sequence[Taken]
    refused: Sequence[RefusedPost]
    receipts: Sequence[Receipt]
    published: Mapping[Place, SeenSheet]
    states: Mapping[str, State]
    seen_s: Mapping[str, float]
    outage_s: float
    returned_s: float
    beside: Sequence[KindFindings] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """The fate of `accepted` versions; the tuples name the places. `superseded` were put aside for a newer one
    before they were sent, as they should be."""

    accepted: int
    superseded: int
    published_once: int
    refused: tuple[RefusedPost, ...]
    lost: tuple[Place, ...]
    doubled: tuple[Place, ...]
    disordered: tuple[Place, ...]
    changed: tuple[Place, ...]
    unsettled: tuple[Place, ...]

    @property
    def good(self) -> bool:
        """All was accepted, is published once, in order and unchanged, and the node knows it."""
        wrong = self.refused or self.lost or self.doubled or self.disordered or self.changed or self.unsettled
        return self.accepted > 0 and not wrong

    def rows(self) -> list[ReportRow]:
        """Lines of the closing table."""
        due = self.accepted - self.superseded
        return [
            ReportRow(
                gettext("Published exactly once, with the same digest"),
                gettext("{number} of {total}", number=cldr.number(self.published_once), total=cldr.number(due)),
                0 < self.published_once == due,
            ),
            ReportRow(gettext("Refused"), str(len(self.refused)), not self.refused),
            ReportRow(gettext("Lost"), str(len(self.lost)), not self.lost),
            ReportRow(gettext("Published twice"), str(len(self.doubled)), not self.doubled),
            ReportRow(gettext("Out of order"), str(len(self.disordered)), not self.disordered),
            ReportRow(gettext("Changed on the way"), str(len(self.changed)), not self.changed),
            ReportRow(
                gettext("Published, but the node does not know it"), str(len(self.unsettled)), not self.unsettled
            ),
        ]

    def particulars(self) -> list[str]:
        """The faults found, a line for each sheet."""
        wrong = {
            gettext_noop("{sheet} is not at the master"): self.lost,
            gettext_noop("{sheet} is at the master more than once"): self.doubled,
            gettext_noop("{sheet} is not at the master in the order of its versions"): self.disordered,
            gettext_noop("{sheet} is not published as the team sent it"): self.changed,
            gettext_noop("{sheet} is published, but the node does not know it"): self.unsettled,
        }
        refused = [
            gettext("{sheet} was refused: {reason}", sheet=_name(refusal.place), reason=refusal.why)
            for refusal in self.refused
        ]
        return refused + [gettext(what, sheet=_name(place)) for what, places in wrong.items() for place in places]

    def as_dict(self) -> dict[str, int]:
        """The counts, for a program."""
        return {
            "accepted": self.accepted,
            "superseded": self.superseded,
            "published_once": self.published_once,
            "refused": len(self.refused),
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "disordered": len(self.disordered),
            "changed": len(self.changed),
            "unsettled": len(self.unsettled),
        }


def compare(facts: RehearsalFacts) -> Findings:
    """What became of all that was taken."""
    chains: dict[Place, list[Taken]] = {}
    for sheet in sorted(facts.taken, key=lambda sheet: sheet.version):
        chains.setdefault(sheet.place, []).append(sheet)
    ledger: dict[Place, list[Receipt]] = {}
    for receipt in sorted(facts.receipts, key=lambda receipt: receipt.revision):
        ledger.setdefault((receipt.event, receipt.date), []).append(receipt)
    seen = [
        _Chain(place, chains.get(place, []), ledger.get(place, []), facts.published.get(place), facts.states)
        for place in sorted({*chains, *ledger})
    ]

    def places(wrong: Callable[["_Chain"], bool]) -> tuple[Place, ...]:
        return tuple(chain.place for chain in seen if wrong(chain))

    lost, doubled = places(_Chain.has_lost), places(_Chain.is_doubled)
    disordered, changed = places(_Chain.is_disordered), places(_Chain.is_changed)
    bad = {*lost, *doubled, *disordered, *changed}
    superseded = sum(chain.is_superseded(sheet) for chain in seen for sheet in chain.versions)
    return Findings(
        accepted=len(facts.taken),
        superseded=superseded,
        published_once=sum(
            not chain.is_superseded(sheet) for chain in seen if chain.place not in bad for sheet in chain.versions
        ),
        refused=tuple(facts.refused),
        lost=lost,
        doubled=doubled,
        disordered=disordered,
        changed=changed,
        unsettled=places(_Chain.is_unsettled),
    )


@dataclass(frozen=True, slots=True)
class _Chain:
    """One place: the versions in the order of acceptance, the master's receipts in the order of revision."""

    place: Place
    versions: Sequence[Taken]
    receipts: Sequence[Receipt]
    there: SeenSheet | None
    states: Mapping[str, State]

    def _committed(self, sheet: Taken) -> list[Receipt]:
        return [receipt for receipt in self.receipts if receipt.submission in sheet.ids]

    def _states(self, sheet: Taken) -> set[State | None]:
        return {self.states.get(each) for each in sheet.ids}

    def is_superseded(self, sheet: Taken) -> bool:
        newest = self.versions[-1]
        return sheet is not newest and not self._committed(sheet) and self._states(sheet) == {State.SUPERSEDED}

    def has_lost(self) -> bool:
        return any(
            not self.is_superseded(sheet) and not sheet.ids <= {receipt.submission for receipt in self.receipts}
            for sheet in self.versions
        )

    def is_doubled(self) -> bool:
        """More receipts than sheets, or one for what no team has sent."""
        ours = sum(bool(self._committed(sheet)) for sheet in self.versions)
        return len(self.receipts) > ours

    def is_disordered(self) -> bool:
        order = [
            version
            for receipt in self.receipts
            for version, sheet in enumerate(self.versions)
            if receipt.submission in sheet.ids
        ]
        return order != sorted(order)

    def is_changed(self) -> bool:
        """A receipt's digest is another than the node's answer, or an older version is published."""
        if any(receipt.digest != sheet.digest for sheet in self.versions for receipt in self._committed(sheet)):
            return True
        if not self.versions or not self._committed(self.versions[-1]):
            return False
        newest = self.versions[-1]
        return (
            self.there is None
            or self.there.submission not in newest.ids
            or self.there.digest != newest.digest
            or self.there.rows != newest.rows
        )

    def is_unsettled(self) -> bool:
        """The node calls something else than the master what became of a version that the master has."""
        return any(
            bool(self._committed(sheet))
            and self._states(sheet) != {State.PUBLISHED if sheet is self.versions[-1] else State.CORRECTED}
            for sheet in self.versions
        )


def waited(facts: RehearsalFacts) -> list[float]:
    """How long after the link's return the sheets taken during the outage were published, in seconds; those that got
    through before is left out."""
    during = (each for sheet in facts.taken if sheet.phase is RehearsalPhase.DURING for each in sheet.ids)
    seen = (facts.seen_s[each] - facts.returned_s for each in during if each in facts.seen_s)
    return [after for after in seen if after > 0]


def quantile(seconds: Iterable[float], share: float) -> float | None:
    """By nearest rank: a time that did occur. None where there is none."""
    ranked = sorted(seconds)
    return ranked[math.ceil(share * len(ranked)) - 1] if ranked else None


def _name(place: Place) -> str:
    event, date_or_kind = place
    return gettext("{event} of {date}", event=event, date=date_or_kind)
