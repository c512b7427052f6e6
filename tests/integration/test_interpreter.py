"""What web and worker ask of Python: collections that stop nobody for long, and threads that let others have a turn."""

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Process
from tests.support.relays import Relay
from tests.support.waiting import wait_until

TELLS = """
import gc, signal, sys
from resultsq.cli import main
def tell(*_):
    collects = "collects" if gc.isenabled() else "does not collect"
    print(f"{gc.get_freeze_count()} objects left out, {collects}, {sys.getswitchinterval() * 1e6:.0f} us", flush=True)
signal.signal(signal.SIGWINCH, tell)
main()
"""
"""The product's own command line, which also says so when it is asked by a signal."""


@pytest.mark.parametrize(("command", "ready"), [("web", "web.ready"), ("worker", "worker.starting")])
def test_nobody_is_kept_waiting_by_the_interpreter_when_a_process_is_up(
    command: str, ready: str, sqlite_relay: Relay, tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    where = ["--port", "0"] if command == "web" else []
    environment = sqlite_relay.environment(DATA_DIR=tmp_path)
    process = start_process(command, *where, env=environment, program=(sys.executable, "-c", TELLS))
    process.wait_for(ready, 60)
    if command == "worker":
        sqlite_relay.wait_for_link("up", 60)
    process.send(signal.SIGWINCH)
    wait_until(lambda: " us" in process.stdout)
    told = re.search(r"(\d+) objects left out, collects, (\d+) us", process.stdout)
    assert told
    assert int(told[1]) > 10_000
    assert int(told[2]) <= 1_000
