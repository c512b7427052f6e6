"""What an installation takes: `pip install` of the product into an empty environment, in seconds and on the disk, and
of the five libraries that it is built on alone. All that is fetched lies in pip's cache by then."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.report import OURS, Result

SCENARIO = "install"
FIVE = ("flask", "sqlalchemy", "celery[redis]", "redis", "requests")
MOST_MB, MOST_S = 150.0, 20.0
ROUNDS = 3
_TREE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class _Installed:
    took_s: float
    mb: float


def run(short: bool) -> Iterator[Result]:
    """Nothing in short: it fetches packages."""
    if short:
        return
    _installed([str(_TREE)])  # so that pip has all of it
    turns = [(_installed(FIVE), _installed([str(_TREE)])) for _ in range(ROUNDS)]
    for who, at in ((", ".join(FIVE), 0), (OURS, 1)):
        some = [turn[at] for turn in turns]
        took_s, size = median(one.took_s for one in some), some[0].mb
        figures: dict[str, float | None] = {"disk_mb": size, "took_s": took_s}
        if not at:
            yield Result(SCENARIO, "pip install, all in its cache", who, figures)
            continue
        figures["size_ratio"] = size / turns[0][0].mb
        figures["time_ratio"] = median(ours.took_s / five.took_s for five, ours in turns)
        target, met = f"≤ {MOST_MB:.0f} MB, ≤ {MOST_S:.0f} s", size <= MOST_MB and took_s <= MOST_S
        yield Result(SCENARIO, "pip install, all in its cache", who, figures, target, met)


def _installed(what: Sequence[str]) -> _Installed:
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, "-m", "venv", name], check=True)
        before = _size(Path(name))
        pins = ("-c", str(_TREE / "config" / "constraints.txt"))
        began = time.perf_counter()
        subprocess.run(
            [f"{name}/bin/pip", "install", "--quiet", "--disable-pip-version-check", *pins, *what], check=True
        )
        return _Installed(time.perf_counter() - began, (_size(Path(name)) - before) / 1e6)


def _size(folder: Path) -> int:
    """Bytes on the disk."""
    return sum(512 * found.lstat().st_blocks for found in folder.rglob("*"))
