"""kill -9 of the process that loads the list of athletes, at many points: there is never half a list."""

import json
import subprocess
import sys
from pathlib import Path

from resultsq.store.engine.session import Database

KILLS = 25
"""On each database, at other points than on the other: fifty."""


def test_there_is_never_half_a_list_when_what_loads_it_is_killed(store: Database, tmp_path: Path) -> None:
    url, first = store.url.render_as_string(hide_password=False), str(0 if store.is_sqlite else 2 * KILLS)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_loads", url, str(tmp_path), str(KILLS), first],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    came = json.loads(ran.stdout)
    assert len(set(came["died"])) == KILLS
    assert came["finished"] >= 2
    assert [one for one in came["seen"] if one] == [["First"], ["Second"]]
