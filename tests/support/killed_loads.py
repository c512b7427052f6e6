"""Loads the list of athletes in processes that are killed (SIGKILL), each at another statement or commit, and looks
after each death: `python -m tests.support.killed_loads DATABASE-URL FOLDER KILLS [FIRST]`. FIRST: how many points were
played elsewhere. Prints how many died and at which points, how many lists were finished, and what was ever seen in the
list in use."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import event

from resultsq.delivery.athletes_list import ListKeeper
from resultsq.settings import Settings
from resultsq.store.athletes import lookup, rows
from resultsq.store.engine.session import Database
from tests.support.athletes import athletes, master_list, put
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode

COUNT = 1300
"""Two pages of the list, each written apart in several transactions."""
NAMES = ("First", "Second")
MOST = 89
"""Points: fewer than a load has, and a prime."""

rows.AT_ONCE, rows.AT_MOST, rows.WIDER = 300, 2500, 1


def _die_at(database: Database, point: int) -> None:
    left = [point]

    def pass_by(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database.engine, "before_cursor_execute", pass_by)
    event.listen(database.engine, "commit", pass_by)


def _load(url: str, settings: Settings, at: int, point: int) -> bool:
    """Whether the process that loads was killed."""
    child = os.fork()
    if child == 0:
        database = Database(url)
        _die_at(database, point)
        ListKeeper(settings, database, ManualClock(NOW + timedelta(seconds=100 * at))).work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, status
    return os.WIFSIGNALED(status)


def _seen(url: str) -> list[str]:
    """How the names in use begin, with a number where some of them are missing."""
    database = Database(url)
    with database.read() as conn:
        found = lookup.by_number(conn, [one.number for one in athletes(COUNT)])
    database.close()
    names = {(one.name or "").partition("-")[0] for one in found.values()}
    return sorted(names) if len(found) in (0, COUNT) else [f"{len(found)} of {sorted(names)}"]


def _prepare(url: str) -> None:
    database = Database(url)
    StoreNode(database).probe()
    database.close()


def _points(first: int) -> Iterator[int]:
    """Statements and commits of a load, each once, early and late ones in turn."""
    return (1 + at * 7 % MOST for at in count(first))


def main(url: str, folder: Path, kills: int, first: int = 0) -> None:
    _prepare(url)
    master = SecretStr(f"sqlite:///{folder / 'ledger.db'}")
    settings = Settings(data_dir=folder, master_url=master, athletes="all")
    finished = runs = at = 0
    died, seen, points = list[int](), [], _points(first)
    while len(died) < kills:
        wanted = NAMES[finished % 2]
        if _seen(url) in ([], [NAMES[(finished + 1) % 2]]) and runs == 0:
            with master_list(folder) as ledger:
                put(ledger, athletes(COUNT, wanted))
                ledger.athletes.renew()
        point, at = next(points), at + 1
        if _load(url, settings, at, point):
            died.append(point)
        runs += 1
        seen.append(_seen(url))
        if seen[-1] == [wanted]:
            finished, runs = finished + 1, 0
    print(json.dumps({"died": died, "finished": finished, "seen": sorted(map(list, set(map(tuple, seen))))}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
