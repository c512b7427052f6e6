"""MEASURED.md: the newest figures of each scenario, with the machine and the day that they belong to."""

import re
from datetime import date
from pathlib import Path

from tests.bench.report import Report, Result, said

PAGE = Path(__file__).with_name("MEASURED.md")
_BEGIN, _END = "<!-- measured -->\n", "<!-- end of measured -->\n"
_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)


def write(report: Report, day: date, page: Path = PAGE) -> None:
    """Put the report's scenarios into the page; the other sections stay."""
    before, _, rest = page.read_text().partition(_BEGIN)
    kept, _, after = rest.partition(_END)
    sections = _sections(kept)
    for scenario in dict.fromkeys(one.scenario for one in report.results):
        rows = [one for one in report.results if one.scenario == scenario]
        sections[scenario] = _section(rows, report, day)
    written = "".join(f"## {scenario}\n{text}" for scenario, text in sorted(sections.items()))
    page.write_text(f"{before}{_BEGIN}{written}{_END}{after}")


def _sections(text: str) -> dict[str, str]:
    """Scenario → what is below its heading."""
    _, *parts = _SECTION.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _section(rows: list[Result], report: Report, day: date) -> str:
    lines = ["| case | who | measured | target |", "|---|---|---|---|"]
    for one in rows:
        verdict = "" if one.met is None else ": held" if one.met else ": **missed**"
        lines.append(f"| {one.case} | {one.who} | {said(one)} | {one.target}{verdict} |")
    facts = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    return "\n" + "\n".join([*lines, "", f"Measured on {day}: {facts}."]) + "\n\n"
