"""The fault matrix as a table: its rows come with the reports of tests, from whichever process ran them.

It is written to .artefacts/fault-matrix.md, and to tests/faults/MATRIX.md where WRITE_FAULT_MATRIX is set.
"""

import os
from typing import Any

import pytest

from tests.support.processes import ROOT

ROW = "fault matrix"
"""The property of a test that has a row: its place in the table, and the row."""

_PAGE = ROOT / "tests" / "faults" / "MATRIX.md"
_BEGIN, _END = "<!-- fault matrix -->", "<!-- end of the fault matrix -->"
_HEAD = (
    "| fault | accepted | published once | lost | doubled | repeated PUTs | first after mending | all after |",
    "|---|---|---|---|---|---|---|---|",
)


def written() -> str:
    """The table as it is committed."""
    return _PAGE.read_text().partition(_BEGIN)[2].partition(_END)[0].strip()


class FaultMatrix:
    """A plugin of the process that hears of all tests."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            told: list[Any] = [value for name, value in report.user_properties if name == ROW]
            self._rows += [(place, line) for place, line in told]

    def pytest_sessionfinish(self) -> None:
        if not self._rows:
            return
        table = "\n".join([*_HEAD, *(line for _, line in sorted(self._rows))]) + "\n"
        folder = ROOT / ".artefacts"
        folder.mkdir(exist_ok=True)
        (folder / "fault-matrix.md").write_text(table)
        if "WRITE_FAULT_MATRIX" in os.environ:
            before, _, rest = _PAGE.read_text().partition(_BEGIN)
            _PAGE.write_text(f"{before}{_BEGIN}\n{table}{_END}{rest.partition(_END)[2]}")
