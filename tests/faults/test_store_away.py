"""A database that is there and takes no writes: what callers, operators and the log are told, and that it heals."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from resultsq import doctor
from resultsq.clock import SystemClock
from resultsq.doctor import CheckTarget, Level
from resultsq.domain.errors import StoreUnavailable
from resultsq.settings import Settings
from resultsq.store.engine import write_check
from resultsq.store.engine.session import Database
from resultsq.store.views import queries
from resultsq.wakeup import Bell
from resultsq.web.factory import create_app
from tests.conftest import remount
from tests.support.failover import Failover
from tests.support.machines import Machine
from tests.support.processes import OtherMaster, Process
from tests.support.relays import DAYS, Relay
from tests.support.services import HOST, free_port

HEALS_S = 20.0
"""It takes about a second; who has to start a process anew waits for ever."""
WATCHED_S = 4.0
READ_ONLY = "The database is read-only"


@pytest.fixture
def place(failover: Failover, tmp_path: Path) -> Iterator[tuple[Machine, int]]:
    """A node on the database behind the address, and its web's port."""
    port = free_port()
    with OtherMaster() as master, Relay(failover.url, master) as relay, Machine(relay, tmp_path, port) as machine:
        machine.accept(1)
        yield machine, port


def _look(database: Database) -> None:
    with database.read() as conn:
        queries.link(conn)


def _lines(process: Process) -> list[str]:
    return [line for line in process.stderr.splitlines() if line.strip()]


def test_a_database_that_fails_over_is_named_while_it_is_read_only_and_used_when_it_is_back(
    failover: Failover, place: tuple[Machine, int], start_process: Callable[..., Process]
) -> None:
    machine, port = place
    failover.fence()
    before = {process: len(_lines(process)) for process in (machine.web, machine.workers[0])}
    began = time.monotonic()
    while time.monotonic() - began < WATCHED_S:
        ready = requests.get(f"http://{HOST}:{port}/readyz", timeout=10)
        assert ready.status_code == 503
        assert ready.json()["checks"]["store"].startswith(READ_ONLY)
    refused = machine.post_once(DAYS[-1])
    assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
    lasted = time.monotonic() - began
    for process, count in before.items():
        lines = [line for line in _lines(process)[count:] if "web.request" not in line]
        told = [line for line in lines if "store.unavailable" in line]
        assert told, "the log names the trouble"
        assert all(READ_ONLY in line for line in told)
        assert len(lines) <= lasted + 3, "one line a second at most"
        assert not [line for line in lines if re.search(r"Traceback|^\s+File ", line)]
    said = start_process("doctor", "--part", "store", env=machine.environment)
    assert said.wait() == 1
    assert READ_ONLY in said.stdout
    failover.promote()
    promoted = time.monotonic()
    machine.accept(1, HEALS_S)
    assert time.monotonic() - promoted < HEALS_S
    assert requests.get(f"http://{HOST}:{port}/readyz", timeout=10).status_code == 200


# a disk on which nothing can be written

NO_ROOM = {
    "no inodes": ("nr_inodes=1", "its disk has no inodes left"),
    "a read-only file system": ("ro", "its file system is read-only"),
}


@pytest.mark.parametrize("trouble", NO_ROOM)
@pytest.mark.parametrize("command", ["up", "web", "worker"])
def test_the_folder_and_the_cause_are_named_in_one_sentence_when_a_node_starts_on_such_a_disk(
    trouble: str, command: str, disk: Callable[[str], Path], start_process: Callable[..., Process]
) -> None:
    options, cause = NO_ROOM[trouble]
    folder = disk("4m")
    remount(folder, options)
    process = start_process(command, "--data-dir", folder)
    assert process.wait(30) == 2
    assert process.stderr.startswith(f"resultsq: Nothing can be written in the data folder {folder}: {cause}")
    assert len(_lines(process)) == 1


@pytest.mark.parametrize("trouble", NO_ROOM)
def test_the_drivers_error_is_kept_and_its_cause_named_when_a_store_cannot_be_opened(
    trouble: str, disk: Callable[[str], Path]
) -> None:
    options, cause = NO_ROOM[trouble]
    folder = disk("4m")
    remount(folder, options)
    database = Database(f"sqlite:///{folder / 'new.db'}")
    uses: list[Callable[[], None]] = [lambda: database.write(write_check.check_writable), lambda: _look(database)]
    for use in uses:
        with pytest.raises(StoreUnavailable) as caught:
            use()
        assert isinstance(caught.value.__cause__, OperationalError)
        assert cause in caught.value.cause
        assert str(folder) in caught.value.cause
    database.close()


@pytest.mark.parametrize("trouble", NO_ROOM)
def test_doctor_and_readiness_name_the_disk_when_nothing_can_be_written_on_it(
    trouble: str, disk: Callable[[str], Path]
) -> None:
    options, cause = NO_ROOM[trouble]
    folder = disk("4m")
    remount(folder, options)
    settings = Settings(data_dir=folder, secret_key=SecretStr("k"))
    database = Database(settings.store_url)
    (finding,) = doctor.examine(CheckTarget(settings, database, SystemClock()), parts=["disk"])
    assert finding.level is Level.BAD
    assert f"{folder}: {cause}" in finding.text
    app = create_app(settings, database, clock=SystemClock(), bell=Bell(""))
    told = app.test_client().get("/readyz").get_json()["checks"]
    assert told["disk"] in ("The disk has no inodes left.", "The disk is read-only.")
    assert cause in told["store"]
    database.close()
