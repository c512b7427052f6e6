"""The verdict on a whole Saturday: what became of the sheets, and the promised speeds and memory. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.drill.compare import Findings, RehearsalFacts, compare, quantile, waited
from resultsq.drill.memory import Footprint
from resultsq.drill.other_kinds import KindFindings
from resultsq.drill.posts import RehearsalPhase, ReportRow
from resultsq.drill.verdict import after, rounded

ACCEPT_P99_S = 0.25
"""The promise: 99 of 100 posts are answered within this, while the master is away and while the backlog goes out."""

DRAINED_WITHIN_S = 120.0
"""The promise: so soon after the link's return everything is published."""

GROWTH_MB = 16.0
"""The promise: no process is larger by more than this at the end than when the outage began. What allocators keep of
the busiest minutes is less; a web process that kept its requests would grow by as much on top of that."""

_PHASES = {
    RehearsalPhase.BEFORE: gettext_noop("all at once before it"),
    RehearsalPhase.DURING: gettext_noop("while the master was away"),
    RehearsalPhase.AFTER: gettext_noop("while the backlog went out"),
}


@dataclass(frozen=True, slots=True)
class Times:
    """How long the node took to answer posts, in seconds."""

    phase: RehearsalPhase
    posts: int
    p50_s: float
    p99_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Scale:
    """The figures. `offered`: how many sheets were to be sent. Times after the return are seconds; `late_s`: how long
    after their time 99 of 100 posts left their client, once the outage began. Where that is long the load was not what
    it says, and nothing was shown."""

    findings: Findings
    offered: int
    corrections: int
    outage_s: float
    waiting: int
    answers: tuple[Times, ...]
    late_s: float | None
    first_s: float | None
    drained_s: float | None
    footprints: tuple[Footprint, ...]
    beside: Sequence[KindFindings] = ()

    @property
    def good(self) -> bool:
        """Every line of the table that is judged is good."""
        return self.findings.good and all(row.good is not False for row in self.rows())

    @property
    def sentence(self) -> str:
        """The verdict in a sentence."""
        if self.good:
            return gettext(
                "The whole Saturday is published: nothing lost, doubled or out of order, and all of it in time."
            )
        if self.findings.good:
            return gettext(
                "Every sheet is published exactly once and in order, but not all that is promised held: see above."
            )
        return gettext("The rehearsal failed: see the lines marked above.")

    def rows(self) -> list[ReportRow]:
        """The closing table, top to bottom."""
        drained, said = self.drained_s, {phase: gettext(words) for phase, words in _PHASES.items()}
        return [
            ReportRow(gettext("Outage"), f"{self.outage_s:.1f} s"),
            ReportRow(
                gettext("Accepted"),
                gettext(
                    "{number} of {total}", number=cldr.number(self.findings.accepted), total=cldr.number(self.offered)
                ),
                0 < self.findings.accepted == self.offered,
            ),
            ReportRow("  " + gettext("of which corrections"), cldr.number(self.corrections), self.corrections > 0),
            ReportRow("  " + gettext("replaced by one before they could go"), cldr.number(self.findings.superseded)),
            ReportRow("  " + gettext("waiting when the link came back"), cldr.number(self.waiting), self.waiting > 0),
            ReportRow(gettext("Answered (50 %, 99 % ≤ {number} ms, all)", number=f"{ACCEPT_P99_S * 1000:.0f}"), ""),
            *[
                ReportRow(
                    f"  {said[times.phase]} ({cldr.number(times.posts)})",
                    f"{_ms(times.p50_s)}, {_ms(times.p99_s)}, {_ms(times.most_s)}",
                    None if times.phase is RehearsalPhase.BEFORE else times.p99_s <= ACCEPT_P99_S,
                )
                for times in self.answers
            ],
            ReportRow(
                "  "
                + gettext("posts left their client late by (99 % ≤ {number} ms)", number=f"{ACCEPT_P99_S * 1000:.0f}"),
                gettext("none") if self.late_s is None else _ms(self.late_s),
                self.late_s is not None and self.late_s <= ACCEPT_P99_S,
            ),
            ReportRow(gettext("First publication after the return"), after(self.first_s)),
            ReportRow(
                gettext("All published after the return (≤ {number} s)", number=f"{DRAINED_WITHIN_S:.0f}"),
                after(drained),
                drained is not None and drained <= DRAINED_WITHIN_S,
            ),
            *self.findings.rows(),
            *(each.row() for each in self.beside),
            ReportRow(gettext("Memory (cut, end, most, growth of one ≤ {number})", number=f"{GROWTH_MB:.0f}"), ""),
            *[
                ReportRow(
                    f"  {one.name}{f' ({one.processes})' if one.processes > 1 else ''}",
                    f"{one.first_mb:.0f}, {one.last_mb:.0f}, {one.most_mb:.0f}, {one.growth_mb:+.1f} MB",
                    one.growth_mb <= GROWTH_MB,
                )
                for one in self.footprints
            ],
        ]

    def particulars(self) -> list[str]:
        """The faults found, a line for each sheet."""
        return [*self.findings.particulars(), *(line for each in self.beside for line in each.particulars())]

    def as_dict(self) -> dict[str, object]:
        """The same for a program; times in seconds. `missed`: the lines of the table that do not hold."""
        return {
            "ok": self.good,
            "missed": [row.what.strip() for row in self.rows() if row.good is False],
            "outage_s": round(self.outage_s, 3),
            "offered": self.offered,
            "corrections": self.corrections,
            "waiting_at_return": self.waiting,
            **{f"accept_{times.phase}_p50_s": rounded(times.p50_s) for times in self.answers},
            **{f"accept_{times.phase}_p99_s": rounded(times.p99_s) for times in self.answers},
            **{f"accept_{times.phase}_most_s": rounded(times.most_s) for times in self.answers},
            "late_p99_s": rounded(self.late_s),
            "first_publication_s": rounded(self.first_s),
            "drained_s": rounded(self.drained_s),
            "memory_mb": {
                one.name: [round(mb, 1) for mb in (one.first_mb, one.last_mb, one.most_mb, one.growth_mb)]
                for one in self.footprints
            },
            **self.findings.as_dict(),
            "beside": {each.kind: each.as_dict() for each in self.beside},
        }


def judge(facts: RehearsalFacts, footprints: Sequence[Footprint], offered: int) -> Scale:
    """The verdict on the figures. `offered`: how many sheets the teams were to send, corrections included."""
    late = waited(facts)
    ours = {each for sheet in facts.taken for each in sheet.ids}
    seen_after = [facts.seen_s[each] - facts.returned_s for each in ours & facts.seen_s.keys()]
    return Scale(
        findings=compare(facts),
        offered=offered,
        corrections=sum(sheet.version > 1 for sheet in facts.taken),
        outage_s=facts.outage_s,
        waiting=len(late),
        answers=tuple(times for phase in RehearsalPhase if (times := _times(facts, phase)) is not None),
        late_s=quantile((sheet.late_s for sheet in facts.taken if sheet.phase is not RehearsalPhase.BEFORE), 0.99),
        first_s=min(late, default=None),
        drained_s=max((after_s for after_s in seen_after if after_s > 0), default=None),
        footprints=tuple(footprints),
        beside=facts.beside,
    )


def _times(facts: RehearsalFacts, phase: RehearsalPhase) -> Times | None:
    took = [sheet.took_s for sheet in facts.taken if sheet.phase is phase]
    half, most = quantile(took, 0.5), quantile(took, 0.99)
    return None if half is None or most is None else Times(phase, len(took), half, most, max(took))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
