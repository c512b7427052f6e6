"""How a test's own processes come to know the toy kind."""

import sys
from pathlib import Path

from tests.support.processes import ROOT

PATHS = f"{Path(__file__).parent / 'plugged'}:{ROOT}"
ENVIRONMENT = {"PYTHONPATH": PATHS}
RESULTSQ = ("env", f"PYTHONPATH={PATHS}", sys.executable, "-m", "resultsq")
"""The command line of a resultsq that knows it, before its arguments."""
