"""A process whose log was not set up, as most commands, tells nothing of people."""

import subprocess
import sys

from tests.support.processes import environment

FAILS = """
import sys
from resultsq import logs
{begin}
def fail(name):
    raise ValueError("at row 41")
log = logs.get("command")
try:
    fail(sys.argv[1])
except ValueError:
    log.exception("command.failed", athlete=sys.argv[1])
log.info("command.went_on")
"""


def _run(begin: str = "") -> subprocess.CompletedProcess[str]:
    code = FAILS.format(begin=begin)
    return subprocess.run(
        [sys.executable, "-c", code, "Jane Finisher"], capture_output=True, text=True, env=environment(), check=True
    )


def test_a_log_that_was_not_set_up_shows_no_variables_and_leaves_the_standard_output_alone() -> None:
    done = _run()
    assert done.stdout == "", "it is the command's answer"
    assert "command.failed" in done.stderr
    assert "ValueError: at row 41" in done.stderr
    assert "Jane" not in done.stdout + done.stderr
    assert "went_on" not in done.stderr, "a command tells of trouble alone"


def test_a_log_that_was_set_up_shows_no_variables_either() -> None:
    for log_format in ("console", "json"):
        done = _run(f"logs.configure({log_format!r}, 'info')")
        assert done.stdout == ""
        assert "went_on" in done.stderr
        assert "ValueError: at row 41" in done.stderr
        assert "Jane" not in done.stderr
