"""The charts of MEASURED.md, as SVG: what each row says, drawn. They follow the reader's light or dark setting, and
carry a ground of their own, so that they are readable wherever the page is shown. Each figure stands beside its mark.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from tests.bench.report import OURS

Told = tuple[str, str, str]
"""A row of the table: its case, who, and the figures in words."""

WIDTH, LEFT, RIGHT, TOP, STEP, FOOT = 760, 200, 96, 64, 30, 44
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.ground { fill: #ffffff } .title { font-weight: 600; font-size: 15px } .small { font-size: 12px; fill: #59636e }
.grid { stroke: #d1d9e0 } .first { fill: #0b6bcb; stroke: #0b6bcb } .second { fill: #ffffff; stroke: #b35900 }
.span { stroke: #818b98 } .ours { font-weight: 600 } .never { fill: #b42318 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .ground { fill: #0d1117 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
.first { fill: #58a6ff; stroke: #58a6ff } .second { fill: #0d1117; stroke: #f0a35e } .span { stroke: #656c76 }
.never { fill: #ff9b8f }
}
"""


@dataclass(frozen=True, slots=True)
class Chart:
    file: str
    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Mark:
    """`value` None: it never came to it."""

    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One system or case with its marks: as many as the chart has sorts."""

    name: str
    marks: Sequence[Mark | None]


def of_scenario(scenario: str, rows: Sequence[Told]) -> list[Chart]:
    """The charts for which these rows have the figures."""
    return [chart for chart in _CHARTS.get(scenario, lambda _: [])(rows) if chart.svg]


def _after_outage(rows: Sequence[Told]) -> list[Chart]:
    refused, silent = "500 waiting, reset for 60 s", "500 waiting, silent for 60 s"
    return [
        drawn(
            "last-delivery",
            "Last delivery after the link's return",
            "500 waited for 60 s. Seconds, each step ten times as long.",
            ("every connection refused", "taken and silent"),
            _lines(rows, (refused, silent), "last", "s"),
            log=True,
        ),
        drawn(
            "connections",
            "Connections tried in the outage",
            "500 waited for 60 s. What each tried at a link that was away.",
            ("every connection refused", "taken and silent"),
            _lines(rows, (refused, silent), "connections", ""),
            log=False,
        ),
    ]


def _accept(rows: Sequence[Told]) -> list[Chart]:
    cases = (
        ("bare Flask route", "250 finishers, 8 clients", "a bare route, same bytes"),
        (OURS, "250 finishers, 8 clients", OURS),
        (OURS, "8 clients, during a drain", f"{OURS}, in a drain"),
        (OURS, "8 clients, broker down", f"{OURS}, broker down"),
        (OURS, "8 clients, broker frozen", f"{OURS}, broker frozen"),
    )
    told = {(who, case): text for case, who, text in rows}
    lines = [
        Line(name, [_mark(told[who, case], figure, "ms") for figure in ("p50", "p99")])
        for who, case, name in cases
        if (who, case) in told
    ]
    return [
        drawn(
            "accept-latency",
            "How long an accept takes, alone and in a drain",
            "250 finishers, 8 clients at once. Milliseconds.",
            ("half of them", "99 of 100"),
            lines,
            log=False,
            spans=True,
        )
    ]


_CHARTS = {"after-outage": _after_outage, "accept": _accept}


def _lines(rows: Sequence[Told], cases: Sequence[str], figure: str, unit: str) -> list[Line]:
    """A line for each system, ours first and the others by their first mark."""
    told = {(who, case): text for case, who, text in rows}
    names = list(dict.fromkeys(who for case, who, _ in rows if case in cases))
    lines = [
        Line(who, [_mark(told[who, case], figure, unit) if (who, case) in told else None for case in cases])
        for who in names
    ]
    lines = [line for line in lines if any(line.marks)]
    return sorted(lines, key=lambda line: (line.name != OURS, _height(line)))


def _height(line: Line) -> float:
    first = next(mark for mark in line.marks if mark is not None)
    return math.inf if first.value is None else first.value


def _mark(text: str, figure: str, unit: str) -> Mark | None:
    """The figure of that name among `last 3.02 s · p99 …`; None: it is not among them."""
    found = re.search(rf"(?:^|· ){re.escape(figure)} (never|[\d.]+)", text)
    if found is None:
        return None
    if found[1] == "never":
        return Mark(None, "never")
    value = float(found[1])
    return Mark(value, f"{value:,.0f} {unit}".strip() if value >= 100 or not unit else f"{value:.3g} {unit}")


def drawn(
    name: str, title: str, subtitle: str, sorts: Sequence[str], lines: Sequence[Line], *, log: bool, spans: bool = False
) -> Chart:
    """Marks on a common scale, one line below the other. `spans`: the marks of a line are the ends of one range."""
    values = [mark.value for line in lines for mark in line.marks if mark is not None and mark.value is not None]
    file = f"{name}.svg"
    if not values:
        return Chart(file, title, "")
    scale = _Scale.of(values, log)
    bottom = TOP + STEP * len(lines)
    height = bottom + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(title)}</title><desc id="d">{escape(_in_words(sorts, lines))}</desc>',
        f'<style>{_STYLE}</style><rect class="ground" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
        f'<text class="small" x="12" y="44">{escape(subtitle)}</text>',
    ]
    for tick in scale.ticks:
        x = scale.x(tick)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{bottom}"/>')
        parts.append(f'<text class="small" x="{x}" y="{bottom + 14}" text-anchor="middle">{tick:,.4g}</text>')
    for number, line in enumerate(lines):
        parts += _drawn_line(line, TOP + STEP * number + STEP // 2 - 4, scale, spans)
    x = float(LEFT)
    for number, sort in enumerate(sorts):
        parts.append(_sign(number, x, height - 14))
        parts.append(f'<text class="small" x="{x + 12}" y="{height - 10}">{escape(sort)}</text>')
        x += 40 + 7 * len(sort)
    return Chart(file, title, "\n".join([*parts, "</svg>\n"]))


def _drawn_line(line: Line, y: float, scale: "_Scale", spans: bool) -> Iterable[str]:
    ours = ' class="ours"' if line.name.startswith(OURS) else ""
    yield f'<text{ours} x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(line.name)}</text>'
    places = [scale.x(mark.value) for mark in line.marks if mark is not None and mark.value is not None]
    if spans and len(places) > 1:
        yield f'<line class="span" x1="{min(places)}" x2="{max(places)}" y1="{y}" y2="{y}" stroke-width="3"/>'
    furthest = max(places, default=float(LEFT))
    for number, mark in reversed(list(enumerate(line.marks))):
        if mark is not None and mark.value is not None:
            yield _sign(number, scale.x(mark.value), y)
    words = " / ".join(mark.text for mark in line.marks if mark is not None)
    never = ' class="never"' if any(mark is not None and mark.value is None for mark in line.marks) else ""
    if furthest + 14 + 7 * len(words) <= WIDTH:
        yield f'<text{never} x="{furthest + 12}" y="{y + 4}">{escape(words)}</text>'
    else:
        yield f'<text{never} x="{min(places) - 12}" y="{y + 4}" text-anchor="end">{escape(words)}</text>'


def _sign(number: int, x: float, y: float) -> str:
    if number == 0:
        return f'<circle class="first" cx="{x}" cy="{y}" r="5"/>'
    return f'<rect class="second" x="{x - 4.5}" y="{y - 4.5}" width="9" height="9" stroke-width="2"/>'


def _in_words(sorts: Sequence[str], lines: Sequence[Line]) -> str:
    said = (
        f"{line.name}: "
        + ", ".join(f"{sort} {mark.text}" for sort, mark in zip(sorts, line.marks, strict=True) if mark is not None)
        for line in lines
    )
    return "; ".join(said)


@dataclass(frozen=True, slots=True)
class _Scale:
    least: float
    most: float
    ticks: Sequence[float]
    log: bool

    @classmethod
    def of(cls, values: Sequence[float], log: bool) -> "_Scale":
        if log:
            low = math.floor(math.log10(max(min(values), 0.01)))
            high = max(math.ceil(math.log10(max(values))), low + 1)
            return cls(10.0**low, 10.0**high, [10.0**power for power in range(low, high + 1)], log)
        step = _round_step(max(values) / 5)
        count = math.ceil(max(values) / step)
        return cls(0.0, step * count, [step * number for number in range(count + 1)], log)

    def x(self, value: float) -> float:
        if self.log:
            part = math.log10(max(value, self.least) / self.least) / math.log10(self.most / self.least)
        else:
            part = value / self.most
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, …"""
    size = 10.0 ** math.floor(math.log10(least))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= least)
