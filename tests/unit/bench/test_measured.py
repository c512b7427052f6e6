"""MEASURED.md is written by the benchmark: each row with its own day, commit and machine; the others stay."""

from pathlib import Path

from tests.bench import measured
from tests.bench.measured import Section
from tests.bench.report import OURS, Result

FIRST, LATER = "2026-03-14 aaaaaaa", "2026-04-01 bbbbbbb+"
OLD = "# Measured\n\n<!-- measured -->\n<!-- end of measured -->\n\n## As of 0.1.0\n\nold figures\n"


def _row(case: str, ratio: float) -> Result:
    return Result("drain", case, OURS, {"ratio": ratio}, "≤ 2 ×", met=True)


def _page(folder: Path) -> Path:
    page = folder / "MEASURED.md"
    page.write_text(OLD)
    return page


def test_a_scenario_replaces_its_own_figures_only_when_it_is_measured_anew(tmp_path: Path) -> None:
    page = _page(tmp_path)
    measured.write("drain", [_row("a case", 3.0)], {"machine": "old"}, FIRST, whole=True, page=page)
    measured.write("accept", [_row("a case", 0.5)], {"machine": "old"}, FIRST, whole=True, page=page)
    measured.write("drain", [_row("a case", 1.5)], {"machine": "new"}, LATER, whole=True, page=page)
    text = page.read_text()
    assert text.index("## accept") < text.index("## drain") < text.index("## As of 0.1.0")
    assert f"| a case | resultsq | ratio 1.5 | ≤ 2 ×: held | {LATER} |" in text
    assert f"ratio 0.5 | ≤ 2 ×: held | {FIRST} |" in text
    assert "ratio 3" not in text
    assert f"- {FIRST}: machine old" in text
    assert f"- {LATER}: machine new" in text
    assert text.startswith(OLD.partition("<!--")[0])
    assert text.endswith(OLD.partition("<!-- end of measured -->")[2])


def test_what_a_scenario_did_not_come_to_keeps_its_figures_and_its_commit(tmp_path: Path) -> None:
    page = _page(tmp_path)
    both = [_row("first", 3.0), _row("second", 4.0)]
    measured.write("drain", both, {"machine": "old"}, FIRST, whole=True, page=page)
    measured.write("drain", both[:1], {"machine": "new"}, LATER, whole=False, page=page)
    text = page.read_text()
    assert f"| first | resultsq | ratio 3 | ≤ 2 ×: held | {LATER} |" in text
    assert f"| second | resultsq | ratio 4 | ≤ 2 ×: held | {FIRST} |" in text
    assert f"- {LATER}: machine new\n- {FIRST}: machine old\n" in text
    measured.write("drain", both[:1], {"machine": "new"}, LATER, whole=True, page=page)
    assert FIRST not in page.read_text()
    measured.write("drain", [], {"machine": "newer"}, LATER, whole=False, page=page)
    assert "newer" not in page.read_text()


def test_a_page_from_before_rows_had_their_commit_is_read_as_of_its_day() -> None:
    old = (
        "\n| case | who | measured | target |\n|---|---|---|---|\n"
        "| one | bare loop | per second 7 |  |\n| two | resultsq | ratio 2 | ≤ 3: held |\n\n"
        "Measured on 2026-03-14: machine m, python 3.\nOther work kept it busy.\n\n"
    )
    found = Section.read(old)
    assert [(row.case, row.target, row.of) for row in found.rows] == [
        ("one", "", "2026-03-14"),
        ("two", "≤ 3: held", "2026-03-14"),
    ]
    assert found.facts == {"2026-03-14": "machine m, python 3. Other work kept it busy."}
    assert Section.read(found.text([])) == found


def test_the_committed_page_loses_no_row_when_it_is_written(tmp_path: Path) -> None:
    page = tmp_path / "MEASURED.md"
    page.write_text(measured.PAGE.read_text())
    before = measured.sections(page.read_text())
    measured.write("test", [_row("a case", 1.5)], {"machine": "m"}, FIRST, whole=True, page=page)
    after = measured.sections(page.read_text())
    assert after.pop("test").rows
    assert {name: one.rows for name, one in after.items()} == {name: one.rows for name, one in before.items()}
    assert sum(len(one.rows) for one in before.values()) > 30
    old = "## As of 0.1.0"
    assert page.read_text().partition(old)[2] == measured.PAGE.read_text().partition(old)[2]


def test_charts_are_drawn_beside_the_page_from_all_its_rows(tmp_path: Path) -> None:
    page = _page(tmp_path)

    def result(who: str, last_s: float | None) -> Result:
        return Result("after-outage", "500 waiting, reset for 60 s", who, {"last_s": last_s, "connections": 61})

    measured.write("after-outage", [result(OURS, 3.0)], {}, FIRST, whole=True, page=page)
    measured.write("after-outage", [result("a <peer>", None)], {}, LATER, whole=False, page=page)
    assert "![Last delivery after the link's return](charts/last-delivery.svg)" in page.read_text()
    drawn = (tmp_path / "charts" / "last-delivery.svg").read_text()
    assert ">3 s<" in drawn
    assert "a &lt;peer&gt;" in drawn
    assert ">never<" in drawn
    assert (tmp_path / "charts" / "connections.svg").exists()
    assert not (tmp_path / "charts" / "accept-latency.svg").exists()
