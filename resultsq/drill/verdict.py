"""The verdict on an outage: from observations to figures. Pure, so that they can be trusted and tested."""

from collections.abc import Sequence
from dataclasses import dataclass

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext
from resultsq.drill.compare import Findings, RehearsalFacts, compare, quantile, waited
from resultsq.drill.other_kinds import KindFindings
from resultsq.drill.posts import RehearsalPhase, ReportRow

FIRST_WITHIN_S = 2.0
"""The promise: the first publication comes no later than this after the link's return."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures. Times are (p50, p95) or seconds after the link's return."""

    findings: Findings
    outage_s: float
    accepted_during: int
    offered_during: int
    at_rest_s: tuple[float, float] | None
    during_s: tuple[float, float] | None
    first_s: float | None
    last_s: float | None
    beside: Sequence[KindFindings] = ()

    @property
    def good(self) -> bool:
        """All was accepted, is published once and unchanged, and the node knows it; and some of it did wait for
        the link's return, for otherwise nothing was rehearsed."""
        return (
            self.first_s is not None
            and self.accepted_during > 0
            and self.findings.good
            and all(each.good for each in self.beside)
        )

    @property
    def sentence(self) -> str:
        """The verdict in a sentence."""
        if self.good:
            return gettext("Every sheet was accepted and is published exactly once: nothing lost, doubled or changed.")
        if self.accepted_during == 0 or self.first_s is None:
            return gettext("The rehearsal failed: nothing that came in during the outage was published after it.")
        return gettext("The rehearsal failed: see the lines marked above.")

    def rows(self) -> list[ReportRow]:
        """The closing table, top to bottom."""
        in_time = self.first_s is not None and self.first_s <= FIRST_WITHIN_S
        return [
            ReportRow(gettext("Outage"), f"{self.outage_s:.1f} s"),
            ReportRow(
                gettext("Accepted during the outage"),
                gettext(
                    "{number} of {total}",
                    number=cldr.number(self.accepted_during),
                    total=cldr.number(self.offered_during),
                ),
                0 < self.accepted_during == self.offered_during,
            ),
            ReportRow("  " + gettext("answered within (half of them, 95 %)"), _pair(self.during_s)),
            ReportRow("  " + gettext("the same before the outage"), _pair(self.at_rest_s)),
            ReportRow(gettext("First publication after the return"), after(self.first_s), in_time),
            ReportRow(
                gettext("Last publication after the return"),
                after(self.last_s),
                None if self.last_s is not None else False,
            ),
            *self.findings.rows(),
            *(each.row() for each in self.beside),
        ]

    def particulars(self) -> list[str]:
        """The faults found, a line for each sheet."""
        return [*self.findings.particulars(), *(line for each in self.beside for line in each.particulars())]

    def as_dict(self) -> dict[str, object]:
        """The same for a program; times in seconds."""
        during, at_rest = self.during_s or (None, None), self.at_rest_s or (None, None)
        return {
            "ok": self.good,
            "outage_s": round(self.outage_s, 3),
            "accepted_during_outage": self.accepted_during,
            "accept_p50_s": rounded(during[0]),
            "accept_p95_s": rounded(during[1]),
            "accept_before_p50_s": rounded(at_rest[0]),
            "accept_before_p95_s": rounded(at_rest[1]),
            "first_publication_s": rounded(self.first_s),
            "last_publication_s": rounded(self.last_s),
            **self.findings.as_dict(),
            "beside": {each.kind: each.as_dict() for each in self.beside},
        }


def judge(facts: RehearsalFacts) -> Verdict:
    """The verdict on the observations."""
    during = sum(sheet.phase is RehearsalPhase.DURING for sheet in facts.taken)
    refused_during = sum(refusal.phase is RehearsalPhase.DURING for refusal in facts.refused)
    late = waited(facts)
    return Verdict(
        findings=compare(facts),
        outage_s=facts.outage_s,
        accepted_during=during,
        offered_during=during + refused_during,
        at_rest_s=_half_and_most(facts, RehearsalPhase.BEFORE),
        during_s=_half_and_most(facts, RehearsalPhase.DURING),
        first_s=min(late, default=None),
        last_s=max(late, default=None),
        beside=facts.beside,
    )


def _half_and_most(facts: RehearsalFacts, phase: RehearsalPhase) -> tuple[float, float] | None:
    took = [sheet.took_s for sheet in facts.taken if sheet.phase is phase]
    half, most = quantile(took, 0.5), quantile(took, 0.95)
    return None if half is None or most is None else (half, most)


def _pair(pair: tuple[float, float] | None) -> str:
    return gettext("none") if pair is None else f"{pair[0] * 1000:.0f} ms, {pair[1] * 1000:.0f} ms"


def after(seconds: float | None) -> str:
    """A time after the link's return, for people."""
    return gettext("none came") if seconds is None else f"{seconds:.2f} s"


def rounded(seconds: float | None) -> float | None:
    """For a program."""
    return None if seconds is None else round(seconds, 4)
