"""MEASURED.md is written by the benchmark: each scenario with its own day and machine, the others stay."""

from datetime import date
from pathlib import Path

from tests.bench import measured
from tests.bench.report import OURS, Report, Result

FIRST, LATER = date(2026, 3, 14), date(2026, 4, 1)
OLD = "# Measured\n\n<!-- measured -->\n<!-- end of measured -->\n\n## As of 0.1.0\n\nold figures\n"


def _report(scenario: str, machine: str, **figures: float) -> Report:
    return Report({"machine": machine}, False, [Result(scenario, "a case", OURS, figures, "≤ 2 ×", met=True)])


def test_a_scenario_replaces_its_own_figures_only_when_it_is_measured_anew(tmp_path: Path) -> None:
    page = tmp_path / "MEASURED.md"
    page.write_text(OLD)
    measured.write(_report("drain", "old", ratio=3.0), FIRST, page)
    measured.write(_report("accept", "old", ratio=0.5), FIRST, page)
    measured.write(_report("drain", "new", ratio=1.5), LATER, page)
    text = page.read_text()
    assert text.index("## accept") < text.index("## drain") < text.index("## As of 0.1.0")
    assert "| a case | resultsq | ratio 1.5 | ≤ 2 ×: held |" in text
    assert "ratio 0.5" in text
    assert "ratio 3" not in text
    assert "Measured on 2026-03-14: machine old." in text
    assert "Measured on 2026-04-01: machine new." in text
    assert text.startswith(OLD.partition("<!--")[0])
    assert text.endswith(OLD.partition("<!-- end of measured -->")[2])


def test_the_committed_page_can_be_written_and_marks_what_is_old(tmp_path: Path) -> None:
    page = tmp_path / "MEASURED.md"
    page.write_text(measured.PAGE.read_text())
    measured.write(_report("drain", "m", ratio=1.5), FIRST, page)
    before, _, old = page.read_text().partition("## As of 0.1.0")
    assert "Measured on 2026-03-14: machine m." in before
    assert old == measured.PAGE.read_text().partition("## As of 0.1.0")[2]
    assert "resultsq" in old
