"""The benchmark's own words: what it prints, and when it says that something was harmed."""

import json
from pathlib import Path

from tests.bench.report import OURS, Report, Result, bars, said
from tests.bench.waiting import extra_s, ours


def result(who: str = OURS, **figures: float | None) -> Result:
    return Result("drain", "a case", who, figures)


def test_figures_are_told_with_their_units() -> None:
    told = said(result(last_s=1.5, p99_ms=120.0, cpu_percent=1.7, memory_mb=94.0, ratio=1.881, first_s=None))
    assert told == "last 1.5 s · p99 120 ms · cpu 1.7 % · memory 94 MB · ratio 1.88 · first never"


def test_only_what_is_ours_counts_as_harmed_when_something_was_lost_or_doubled() -> None:
    fine, lost, doubled = result(lost=0, doubled=0, undelivered=3), result(lost=1), result(doubled=1)
    report = Report({}, True, [fine, lost, doubled, result("a peer", lost=9, doubled=9)])
    assert report.harmed == [lost, doubled]


def test_a_missed_target_stands_in_the_table() -> None:
    missed = Result("drain", "a case", OURS, {"ratio": 3.0}, "≤ 2 ×", met=False)
    assert "| ≤ 2 × **missed** |" in Report({"machine": "m"}, True, [missed]).markdown()


def test_charts_stand_beside_the_json_when_the_run_was_whole(tmp_path: Path) -> None:
    results = [result(last_s=2.0), result("a <peer>", last_s=483.0)]
    Report({}, False, results).write(tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["results"][1]["figures"] == {"last_s": 483.0}
    drawn = (tmp_path / "out-drain.svg").read_text()
    assert "a &lt;peer&gt;" in drawn
    assert 'width="360.0"' in drawn
    assert bars("drain", results[:1]) == ""


def test_the_wait_is_the_time_from_the_return_to_the_next_attempt() -> None:
    assert extra_s(iter([10.0, 20.0, 40.0]), 0, 65.0) == 5.0
    assert extra_s(iter([10.0]), 0, 65.0) is None


def test_ours_begins_within_two_seconds_whatever_the_length_of_the_outage() -> None:
    waited = [seconds for seconds in ours(43_200.0) if seconds is not None]
    assert len(waited) == 500
    assert min(waited) <= 2.0
