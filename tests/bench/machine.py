"""What processes cost, from /proc, and what machine and which versions a figure belongs to."""

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from resultsq.store.session import Database

_TICKS = os.sysconf("SC_CLK_TCK")
_NAMED = ("resultsq", "flask", "sqlalchemy", "celery", "requests", "dramatiq", "huey", "rq", "procrastinate", "redis")


def tree(pid: int) -> list[int]:
    """A process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            children.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
    found, line = [pid], [pid]
    while line:
        more = children.get(line.pop(), [])
        found += more
        line += more
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Processor seconds of these processes, their descendants, and whatever of theirs has ended and was waited for."""
    spent = 0
    for pid in {one for root in pids for one in tree(root)}:
        with suppress(OSError):
            spent += sum(int(field) for field in _stat(pid)[11:15])
    return spent / _TICKS


def memory_mb(pids: Iterable[int]) -> float:
    """Memory of these processes and their descendants; what several share is counted once."""
    kilobytes = 0
    for pid in {one for root in pids for one in tree(root)}:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1024


def _stat(pid: int) -> list[str]:
    """The fields behind the name, which may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


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
