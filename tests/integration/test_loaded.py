"""What a command loads: a library that it does not need is time at every start, and memory in every process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import environment

BROKER = {"celery", "kombu", "redis"}
PAGES = {"flask", "werkzeug", "jinja2", "wtforms", "waitress", "flask_babel"}
CALLS = {"requests", "urllib3"}
SELDOM = {"alembic", "mako", "rich", "pygments", "psycopg", "click_man", "dkim", "dns"}

NOT_NEEDED = {
    "web": BROKER | CALLS | SELDOM,
    "worker": PAGES | SELDOM,
    "master": BROKER | SELDOM | {"wtforms", "flask_babel"},
    "event": BROKER | CALLS | PAGES | SELDOM | {"msgspec", "segno"},
    "submit": BROKER | CALLS | PAGES | SELDOM | {"segno"},
}

TELLS = """
import sys
from resultsq.cli import commands
commands.main([sys.argv[1], "--help"], standalone_mode=False)
print("", *sys.modules, sep="\\n")
"""


@pytest.mark.parametrize("command", NOT_NEEDED)
def test_a_command_loads_no_library_that_it_does_not_need(command: str, tmp_path: Path) -> None:
    asked = [sys.executable, "-c", TELLS, command]
    told = subprocess.run(asked, env=environment(), cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True)
    loaded = {line for line in told.stdout.splitlines() if "." not in line}
    assert "sqlalchemy" in loaded  # so the list is what it is taken for
    assert loaded & NOT_NEEDED[command] == set()
