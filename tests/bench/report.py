"""What was measured, as values; one Markdown table, one JSON file and bars as SVG from them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from statistics import median

OURS = "resultsq"


@dataclass(frozen=True, slots=True)
class Result:
    """One row: what `who` did in a `case` of a `scenario`. `figures` are named with their units (`last_s`, `p99_ms`);
    None: it did not happen. `met`: whether `target`, in words, was met; None: there is none."""

    scenario: str
    case: str
    who: str
    figures: Mapping[str, float | None]
    target: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def harmed(self) -> bool:
        """Something of ours was lost, doubled or published in the wrong order."""
        return self.who == OURS and any(self.figures.get(name) for name in ("lost", "doubled", "disordered"))


@dataclass
class Report:
    """All results of a run."""

    machine: Mapping[str, str]
    short: bool
    results: list[Result] = field(default_factory=list)

    @property
    def harmed(self) -> list[Result]:
        return [one for one in self.results if one.harmed]

    def markdown(self) -> str:
        """The table, and what it belongs to."""
        lines = ["| scenario | case | who | measured | target |", "|---|---|---|---|---|"]
        for one in self.results:
            verdict = "" if one.met is None else " ✓" if one.met else " **missed**"
            lines.append(f"| {one.scenario} | {one.case} | {one.who} | {said(one)} | {one.target}{verdict} |")
        facts = " · ".join(f"{name} {value}" for name, value in self.machine.items())
        return "\n".join([*lines, "", facts])

    def write(self, path: Path) -> None:
        """The JSON file, and beside it a chart of each scenario."""
        whole = {"machine": self.machine, "short": self.short, "results": [asdict(one) for one in self.results]}
        path.write_text(json.dumps(whole, indent=1) + "\n")
        if self.short:
            return
        for scenario in dict.fromkeys(one.scenario for one in self.results):
            some = [one for one in self.results if one.scenario == scenario]
            if drawn := bars(scenario, some):
                path.with_name(f"{path.stem}-{scenario}.svg").write_text(drawn)


def said(result: Result) -> str:
    """The figures in one line."""
    words = [f"{name_and_unit(name, value)}" for name, value in result.figures.items()]
    return " · ".join([*words, *([result.note] if result.note else [])])


def name_and_unit(name: str, value: float | None) -> str:
    plain, _, unit = name.rpartition("_")
    if unit not in {"s", "ms", "mb", "percent"}:
        plain, unit = name, ""
    shown = "never" if value is None else f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    sign = {"percent": " %", "mb": " MB", "": ""}.get(unit, f" {unit}")
    return f"{plain.replace('_', ' ')} {shown}{'' if value is None else sign}"


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return median(values), min(values), max(values)


def bars(scenario: str, results: Iterable[Result]) -> str:
    """A bar for the first figure of each row, on a scale of their own; empty where there is nothing to draw."""
    rows = [(one, name, value) for one in results for name, value in list(one.figures.items())[:1] if value is not None]
    if len(rows) < 2:
        return ""
    most = max(value for _, _, value in rows) or 1.0
    height = 24 * len(rows) + 40
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="12">',
        f'<title>{escape(scenario)}</title><text x="8" y="18" font-weight="bold">{escape(scenario)}</text>',
    ]
    for number, (one, name, value) in enumerate(rows):
        y, colour = 32 + 24 * number, "#0d6efd" if one.who == OURS else "#adb5bd"
        width = max(1.0, 360 * value / most)
        drawn.append(
            f'<text x="8" y="{y + 13}">{escape(f"{one.who}: {one.case}")[:44]}</text>'
            f'<rect x="280" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>'
            f'<text x="{286 + width:.1f}" y="{y + 13}">{escape(name_and_unit(name, value))}</text>'
        )
    return "".join([*drawn, "</svg>\n"])
