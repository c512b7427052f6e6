"""What the rehearsal's processes hold in memory, looked at again and again (Linux: from /proc)."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

OWN = "Pss_Anon"
"""What a process filled itself: the part that leaks would make grow."""

_FEW = 3


@dataclass(frozen=True, slots=True)
class Footprint:
    """The memory of the processes of one name, in MB: when the outage began, at the end, and the most that was seen,
    its descendants included; `growth_mb` is the one's of its processes that grew most, beyond all that a process of
    the same program held when the outage began: a worker that had sent no mail by then loads what others had."""

    name: str
    processes: int
    first_mb: float
    last_mb: float
    most_mb: float
    growth_mb: float


class Sampler:
    """Looks at the processes of these pids and their descendants every `every_s`; a context manager. Growth is
    counted from `begin`: by then each process has done everything once."""

    def __init__(self, pids: Mapping[str, int], every_s: float) -> None:
        self._pids = dict(pids)
        self._every_s = every_s
        self._looks: dict[str, list[dict[int, float]]] = {name: [] for name in pids}
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Look from now on."""
        self._look()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def footprints(self) -> list[Footprint]:
        """The figures so far; `begin` was called."""
        self._look()
        usual: dict[str, float] = {}
        for name, looks in self._looks.items():
            if len(looks[-1]) == 1:
                program = _program(name)
                usual[program] = max(usual.get(program, 0.0), median(sum(look.values()) for look in looks[:_FEW]))
        return [_footprint(name, looks, usual.get(_program(name), 0.0)) for name, looks in self._looks.items()]

    def _run(self) -> None:
        while not self._leaving.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        children = _children()
        for name, pid in self._pids.items():
            self._looks[name].append({one: memory_mb([one], OWN) for one in _tree(pid, children)})


def _program(name: str) -> str:
    """Of the process `worker-2` it is `worker`."""
    return name.rstrip("0123456789").rstrip("-")


def _footprint(name: str, looks: Sequence[Mapping[int, float]], usual_mb: float) -> Footprint:
    """Medians of the first and of the last few looks, since one may fall into a request."""
    sums = [sum(look.values()) for look in looks]
    alone_mb = usual_mb if len(looks[-1]) == 1 else 0.0
    there_still = [[look[pid] for look in looks if pid in look] for pid in looks[-1]]
    return Footprint(
        name=name,
        processes=len(looks[-1]),
        first_mb=median(sums[:_FEW]),
        last_mb=median(sums[-_FEW:]),
        most_mb=max(sums),
        growth_mb=max((median(seen[-_FEW:]) - max(median(seen[:_FEW]), alone_mb) for seen in there_still), default=0.0),
    )


def memory_mb(pids: Iterable[int], part: str = "Pss") -> float:
    """Memory of these processes; what several share is counted once. `part`: a line of smaps_rollup (proc(5))."""
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):  # it ended meanwhile
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(f"{part}:"):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1024


def tree(pid: int) -> list[int]:
    """A process and all its living descendants."""
    return _tree(pid, _children())


def _tree(pid: int, children: Mapping[int, Sequence[int]]) -> list[int]:
    found, line = [pid], [pid]
    while line:
        more = children.get(line.pop(), ())
        found += more
        line += more
    return found


def _children() -> dict[int, list[int]]:
    """Everybody's, by pid."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            children.setdefault(int(stat(int(folder.name))[1]), []).append(int(folder.name))
    return children


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
