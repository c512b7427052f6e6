"""The sample files: one event as every device would have written it."""

from pathlib import Path

import pytest

from resultsq.kinds.results.check import Report, report
from resultsq.kinds.results.volunteers import read_volunteers

SAMPLES = Path(__file__).parent.parent / "samples"
SCANNERS = ("opticon_opn2001.txt", "virtual_volunteer_scanner.csv")
STOPWATCHES = ("junsd_lone_cr.csv", "virtual_volunteer_android.csv", "virtual_volunteer_ios.csv", "webfms.txt")


def checked(*names: str) -> Report:
    return report([(name, (SAMPLES / name).read_bytes()) for name in names])


@pytest.mark.parametrize("stopwatch", STOPWATCHES)
def test_the_sheet_is_the_finished_table_when_any_stopwatch_and_the_scanners_are_joined(stopwatch: str) -> None:
    found = checked(stopwatch, *SCANNERS)

    assert found.finishers == checked("finished_table.csv").finishers
    assert found.finishers[0].athlete == "A1234567"
    assert len(found.finishers) == 12
    assert not found.blocked


@pytest.mark.parametrize(
    ("stopwatch", "codes"),
    [
        ("junsd_lone_cr.csv", []),
        ("virtual_volunteer_android.csv", []),
        ("virtual_volunteer_ios.csv", ["double-tap-dropped"]),
        ("webfms.txt", []),
    ],
)
def test_only_what_is_odd_is_told_when_the_samples_are_joined(stopwatch: str, codes: list[str]) -> None:
    found = checked(stopwatch, *SCANNERS)

    assert [problem.code for problem in found.problems] == [
        *codes,
        "line-set-aside",
        "token-without-athlete",
        "overlong-athlete",
    ]


def test_the_volunteers_are_read_when_their_list_is_a_sample() -> None:
    content = (SAMPLES / "volunteers.csv").read_bytes()

    assert [each.role for each in read_volunteers("volunteers.csv", content).volunteers] == [
        "Timekeeper",
        "Barcode scanning",
        "Marshal",
    ]
