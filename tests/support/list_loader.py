"""Loads a list of athletes as a worker does, in a process of its own, so that nothing else is in its memory:
`python -m tests.support.list_loader DATABASE-URL MASTER-URL FOLDER`. Prints as JSON what it cost."""

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr

from resultsq.clock import SystemClock
from resultsq.delivery import periodic
from resultsq.delivery.athletes_list import ListKeeper
from resultsq.settings import Settings
from resultsq.store.athletes import copies
from resultsq.store.engine.session import Database


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the load, and of its processor; how much more memory it had at the most than at rest."""

    load_s: float
    cpu_s: float
    more_memory_mb: float


def load(url: str, master: str, folder: Path) -> Cost:
    """In such a process."""
    command = [sys.executable, "-m", "tests.support.list_loader", url, master, str(folder)]
    return Cost(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout))


def keeper_of(database: Database, master: str, folder: Path) -> ListKeeper:
    settings = Settings(data_dir=folder, master_url=SecretStr(master), master_token=SecretStr("t"), athletes="all")
    return ListKeeper(settings, database, SystemClock())


def pull(keeper: ListKeeper, database: Database) -> None:
    """As a worker's timer does it, until another list than now is in use."""
    with database.read() as conn:
        before = copies.state(conn).current
    while True:
        keeper.work()
        with database.read() as conn:
            found = copies.state(conn)
        if found.current is not None and (before is None or found.current.generation != before.generation):
            return
        if found.error is not None:
            raise RuntimeError(found.error)
        time.sleep(periodic.LOOK_S)


def main(url: str, master: str, folder: Path) -> None:
    database = Database(url)
    keeper = keeper_of(database, master, folder)
    keeper.due()
    before, began, worked = _resident_mb(), time.monotonic(), time.process_time()
    pull(keeper, database)
    cost = Cost(time.monotonic() - began, time.process_time() - worked, _resident_mb() - before)
    database.close()
    print(json.dumps(asdict(cost)))


def _resident_mb() -> float:
    """The most that this process ever had in memory."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
