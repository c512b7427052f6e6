"""A clock for processes that can be set while they run: libfaketime between them and the machine's own."""

import os
from datetime import timedelta
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.services import Missing

LIBRARIES = Path("/usr/lib")

SLEEP = """import select, time
time.sleep = lambda seconds: (select.select([], [], [], seconds), None)[1]
"""
"""libfaketime 0.9.10 refuses Python's own: it takes a moment on the clock for durations for one on the other."""


class OwnClock:
    """`environment`: what a process is started with that goes by this clock. What durations are measured with is
    the machine's."""

    def __init__(self, folder: Path) -> None:
        found = sorted(LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            raise Missing("No clock that can be set: install Debian's faketime.")
        own = folder / "own-clock"
        own.mkdir()
        (own / "sitecustomize.py").write_text(SLEEP)  # each Python that starts reads it first
        self._file = own / "offset"
        self.set(timedelta())
        self.environment = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": f"{own}{os.pathsep}{ROOT}",
        }

    def set(self, offset: timedelta) -> None:
        """Against the machine's clock. Running processes see it within a second."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{offset.total_seconds():+.0f}\n")
        written.replace(self._file)
