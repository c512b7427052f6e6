"""What processes cost, from /proc, and what machine and which versions a figure belongs to."""

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from resultsq.drill.memory import memory_mb as memory_mb
from resultsq.drill.memory import stat
from resultsq.drill.memory import tree as tree
from resultsq.store.engine.session import Database

_TICKS = os.sysconf("SC_CLK_TCK")
_NAMED = (
    *("resultsq", "flask", "sqlalchemy", "celery", "requests", "redis"),
    *("dramatiq", "huey", "rq", "procrastinate", "pgqueuer"),
)


def trees(pids: Iterable[int]) -> set[int]:
    """These processes and all their living descendants."""
    return {one for root in pids for one in tree(root)}


def cpu_s(pids: Iterable[int]) -> float:
    """Processor seconds of these processes, their descendants, and whatever of theirs has ended and was waited for."""
    spent = 0
    for pid in trees(pids):
        with suppress(OSError):
            spent += sum(int(field) for field in stat(pid)[11:15])
    return spent / _TICKS


def _sqlite_version() -> str:
    """Of the library that the node uses."""
    database = Database("sqlite://")
    with database.read() as conn:
        found = str(conn.exec_driver_sql("SELECT sqlite_version()").scalar_one())
    database.close()
    return found


def described() -> dict[str, str]:
    """The machine and the versions."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    found = {
        "machine": f"{os.cpu_count()} × {cpu}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": _sqlite_version(),
    }
    for name in _NAMED:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
