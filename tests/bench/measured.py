"""MEASURED.md: the newest figures of each row, with the commit, the machine and the day that they belong to.

The page keeps its own figures: a run puts its rows in, and what it did not measure stays as it was. The charts beside
it are drawn from the rows of the page, so they hold what was measured in several runs.
"""

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tests.bench import charts
from tests.bench.report import Result, said

PAGE = Path(__file__).with_name("MEASURED.md")
_BEGIN, _END = "<!-- measured -->\n", "<!-- end of measured -->\n"
_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
_OLD_FACTS = re.compile(r"Measured on (\S+?): (.+)", re.DOTALL)
_FACTS = re.compile(r"^- (\S+(?: \w+\+?)?): (.+)$", re.MULTILINE)
_HEAD = ["| case | who | measured | target | of |", "|---|---|---|---|---|"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, as it stands there. `of`: the day and the commit."""

    case: str
    who: str
    measured: str
    target: str
    of: str


@dataclass
class Section:
    """The rows of one scenario, and what each `of` stands for."""

    rows: list[Row] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Section":
        found = cls(facts=dict(_FACTS.findall(text)))
        old = _OLD_FACTS.search(text)  # as it was written before rows had their commit
        if old is not None:
            found.facts[old[1]] = " ".join(old[2].split())
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split(" | ")]
            if line.startswith("| ") and len(cells) >= 4 and cells[0] != "case":
                of = cells[4] if len(cells) > 4 else old[1] if old is not None else ""
                found.rows.append(Row(cells[0], cells[1], cells[2], cells[3], of))
        return found

    def put(self, results: Sequence[Result], of: str, facts: str, whole: bool) -> None:
        """`whole`: the scenario came to its end, so what it no longer measures goes. A floor that is measured for
        several cases has as many rows: those of one name take each other's place as one."""
        new = [_row(one, of) for one in results]
        names = {(row.case, row.who) for row in new}
        kept = [] if whole else [row for row in self.rows if (row.case, row.who) not in names]
        self.rows = [*new, *kept]
        self.facts[of] = facts
        self.facts = {key: value for key, value in self.facts.items() if any(row.of == key for row in self.rows)}

    def text(self, drawn: Iterable[tuple[str, str]]) -> str:
        lines = [f"| {row.case} | {row.who} | {row.measured} | {row.target} | {row.of} |" for row in self.rows]
        pictures = [f"![{title}](charts/{name})" for name, title in drawn]
        facts = [f"- {of}: {value}" for of, value in sorted(self.facts.items(), reverse=True)]
        return "\n" + "".join(f"{line}\n\n" for line in pictures) + "\n".join([*_HEAD, *lines, "", *facts]) + "\n\n"


def write(
    scenario: str, results: Sequence[Result], machine: Mapping[str, str], of: str, *, whole: bool, page: Path = PAGE
) -> None:
    """Put these rows of a scenario into the page, and draw its charts; all else stays."""
    if not results:
        return
    text = page.read_text()
    before, after = text.partition(_BEGIN)[0], text.partition(_END)[2]
    found = sections(text)
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    found.setdefault(scenario, Section()).put(results, of, facts, whole)
    folder = page.with_name("charts")
    written = ""
    for name, section in sorted(found.items()):
        drawn = charts.of_scenario(name, [(row.case, row.who, row.measured) for row in section.rows])
        for chart in drawn:
            folder.mkdir(exist_ok=True)
            (folder / chart.file).write_text(chart.svg)
        written += f"## {name}\n{section.text((chart.file, chart.title) for chart in drawn)}"
    page.write_text(f"{before}{_BEGIN}{written}{_END}{after}")


def sections(text: str) -> dict[str, Section]:
    """Scenario → what the page holds of it."""
    _, *parts = _SECTION.split(text.partition(_BEGIN)[2].partition(_END)[0])
    return {name: Section.read(below) for name, below in zip(parts[::2], parts[1::2], strict=True)}


def stamp(day: date) -> str:
    """The day, and the commit that is measured; `+`: the tree has changes beside it."""
    here = PAGE.parent
    try:
        commit = _git(here, "rev-parse", "--short", "HEAD")
        changed = _git(here, "status", "--porcelain", "--", ":/", f":!{PAGE.name}", ":!charts")
    except (OSError, subprocess.CalledProcessError):
        return str(day)  # not from a repository
    return f"{day} {commit}{'+' if changed else ''}"


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _row(one: Result, of: str) -> Row:
    verdict = "" if one.met is None else ": held" if one.met else ": **missed**"
    cells = (one.case, one.who, said(one), f"{one.target}{verdict}")
    case, who, figures, target = (cell.replace("|", "/").replace("\n", " ") for cell in cells)
    return Row(case, who, figures, target, of)
