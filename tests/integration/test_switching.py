"""A worker's threads give the interpreter away soon: a turn asks for it a dozen times beside eight couriers."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.processes import Process
from tests.support.relays import Relay
from tests.support.waiting import wait_until

TELLS = """
import signal, sys
from resultsq.cli import main
signal.signal(signal.SIGWINCH, lambda *_: print(f"{sys.getswitchinterval() * 1000:.2f} ms", flush=True))
main()
"""
"""The product's own command line, which also says how long that is when it is asked by a signal."""


def test_a_worker_does_not_let_a_thread_keep_the_interpreter_for_long(
    sqlite_relay: Relay, tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    environment = sqlite_relay.environment(DATA_DIR=tmp_path)
    process = start_process("worker", env=environment, program=(sys.executable, "-c", TELLS))
    process.wait_for("worker.starting", 60)
    sqlite_relay.wait_for_link("up", 60)
    process.send(signal.SIGWINCH)
    wait_until(lambda: " ms" in process.stdout, 15)
    assert float(process.stdout.split()[0]) <= 1
