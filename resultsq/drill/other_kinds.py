"""The fate of what is no result, from the node's answers and the master's list: pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.outcome import Receipt
from resultsq.drill.posts import RefusedPost, ReportRow, Taken
from resultsq.kinds import registry


@dataclass(frozen=True, slots=True)
class KindFindings:
    """What became of the submissions of one kind: how many the node took, and at the master once each with their own
    digest; the tuples are ids. `numbered`: how many got an athlete number in the node's answer."""

    kind: str
    accepted: int
    arrived_once: int
    refused: tuple[RefusedPost, ...]
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    changed: tuple[str, ...]
    numbered: int = 0

    @property
    def good(self) -> bool:
        return 0 < self.accepted == self.arrived_once and not (self.refused or self.doubled)

    def row(self) -> ReportRow:
        """The line of the closing table."""
        return ReportRow(
            gettext("Beside them, {kind} delivered exactly once", kind=registry.title(self.kind)),
            gettext("{number} of {total}", number=cldr.number(self.arrived_once), total=cldr.number(self.accepted)),
            self.good,
        )

    def particulars(self) -> list[str]:
        """The faults found, a line each."""
        kind = registry.title(self.kind)
        wrong = {
            gettext_noop("{kind}: {id} did not arrive"): self.lost,
            gettext_noop("{kind}: {id} arrived twice"): self.doubled,
            gettext_noop("{kind}: {id} was changed"): self.changed,
        }
        refused = [
            gettext("{kind}: those of {event} were refused: {reason}", kind=kind, event=one.place[0], reason=one.why)
            for one in self.refused
        ]
        return refused + [gettext(what, kind=kind, id=each) for what, ids in wrong.items() for each in ids]

    def as_dict(self) -> dict[str, int]:
        """The counts, for a program."""
        return {
            "accepted": self.accepted,
            "arrived_once": self.arrived_once,
            "refused": len(self.refused),
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "changed": len(self.changed),
            "numbered": self.numbered,
        }


def compare_kind(
    kind: str, taken: Sequence[Taken], refused: Sequence[RefusedPost], receipts: Iterable[Receipt]
) -> KindFindings:
    """What became of all that was taken of this kind. A receipt of the kind that nobody sent counts as doubled, and so
    does an athlete number that two have; one that is another at the master counts as changed."""
    there = [one for one in receipts if one.kind == kind]
    times = Counter(one.submission for one in there)
    digests = {one.submission: one.digest for one in there}
    sent = {each: one.digest for one in taken for each in one.ids}
    several = {each for one in taken if len(one.ids) > 1 for each in one.ids}
    changed = {each for each, digest in digests.items() if sent.get(each, digest) != digest}
    doubled = {each for each, count in times.items() if count > 1 or each not in sent} | several
    given = [(each, number) for one in taken for each in one.ids for number in one.numbers]
    final = {one.submission: one.athlete for one in there if one.athlete}
    owners: dict[str, set[str]] = {}
    for each, number in [*given, *final.items()]:
        owners.setdefault(number, set()).add(each)
    doubled |= {each for ids in owners.values() if len(ids) > 1 for each in ids}
    changed |= {each for each, number in given if final.get(each, number) != number}
    lost = sent.keys() - times.keys()
    return KindFindings(
        kind,
        accepted=len(sent),
        arrived_once=len(sent.keys() - lost - doubled - changed),
        refused=tuple(refused),
        lost=tuple(sorted(lost)),
        doubled=tuple(sorted(doubled)),
        changed=tuple(sorted(changed)),
        numbered=sum(bool(one.numbers) for one in taken),
    )


def compare_mails(kind: str, sent: Iterable[str], given_up: Collection[str], arrived: Iterable[str]) -> KindFindings:
    """The same for what has no receipts: which ids arrived at the mail server. `given_up`: the connection was lost
    after the mail was handed over, so it may have arrived, and is not sent again."""
    times, sent = Counter(arrived), set(sent)
    doubled = {each for each, count in times.items() if count > 1 or each not in sent}
    due = sent - set(given_up)
    lost = due - times.keys()
    return KindFindings(kind, len(due), len(due - lost - doubled), (), tuple(sorted(lost)), tuple(sorted(doubled)), ())
