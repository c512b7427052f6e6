"""A process that stands still and is not dead."""

import os
import signal
from pathlib import Path

from tests.support.waiting import wait_until


def freeze(pid: int) -> None:
    """SIGSTOP, until all its threads have stopped: the signal wakes one of them, and on a busy machine the others
    run on meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(map(_stopped, Path(f"/proc/{pid}/task").iterdir())), 20, f"process {pid} to stand still")


def _stopped(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] in "TtZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
