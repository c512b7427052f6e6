"""What a process has loaded at its start is left out of garbage collections: a full one answers nobody meanwhile."""

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
import gc, signal
from resultsq.cli import main
signal.signal(signal.SIGWINCH, lambda *_: print(f"{gc.get_freeze_count()} objects left out", flush=True))
main()
"""
"""The product's own command line, which also says how much that is when it is asked by a signal."""


@pytest.mark.parametrize(("command", "ready"), [("web", "web.ready"), ("worker", "worker.starting")])
def test_what_was_there_at_the_start_is_left_out_of_collections(
    command: str, ready: str, sqlite_relay: Relay, tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    where = ["--port", "0"] if command == "web" else []
    environment = sqlite_relay.environment(DATA_DIR=tmp_path)
    process = start_process(command, *where, env=environment, program=(sys.executable, "-c", TELLS))
    process.wait_for(ready, 60)
    if command == "worker":
        sqlite_relay.wait_for_link("up", 60)
    process.send(signal.SIGWINCH)
    wait_until(lambda: "objects left out" in process.stdout, 15)
    told = re.search(r"(\d+) objects left out", process.stdout)
    assert told
    assert int(told[1]) > 10_000
