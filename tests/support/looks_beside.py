"""Looks 250 athletes of a list up a hundred times a second, as pages do, until its input ends:
`python -m tests.support.looks_beside DATABASE-URL COUNT`. The athletes are among the first COUNT of a
`feed_of_athletes`. Prints as JSON what it saw."""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from resultsq.store.athletes import lookup
from resultsq.store.engine.session import Database
from tests.support import feed_of_athletes

A_SECOND, ASKED = 100, 250


@dataclass
class Looks:
    """How long each look-up took, in seconds; how many failed, or lacked one, or saw two lists; the lists seen; how
    long all of it went on."""

    took: list[float] = field(default_factory=list)
    failed: int = 0
    halves: int = 0
    lists: list[str] = field(default_factory=list)
    lasted_s: float = 0.0


@contextmanager
def looking(url: str, count: int) -> Iterator[Looks]:
    """Such a process for the length of a block; afterwards there is what it saw."""
    looks = Looks()
    command = [sys.executable, "-m", "tests.support.looks_beside", url, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            assert process.stdout.readline() == "looking\n"
            yield looks
            process.stdin.close()
            for name, value in json.loads(process.stdout.read()).items():
                setattr(looks, name, value)
        finally:
            process.kill()


def _look(database: Database, asked: list[str], looks: Looks) -> None:
    began = time.perf_counter()
    try:
        with database.read() as conn:
            found = lookup.by_number(conn, asked)
    except Exception:
        looks.failed += 1
        return
    looks.took.append(time.perf_counter() - began)
    lists = {one.club.partition(" ")[0] for one in found.values() if one.club}
    looks.halves += len(found) < len(asked) or len(lists) != 1
    looks.lists = sorted(lists.union(looks.lists))


def main(url: str, count: int) -> None:
    database, looks, ended, rng = Database(url), Looks(), threading.Event(), random.Random(4)
    numbers = [f"A{number}" for number in feed_of_athletes.numbers(count)]

    def read() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    print("looking", flush=True)
    began = due = time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        _look(database, rng.sample(numbers, ASKED), looks)
        due += 1 / A_SECOND
    looks.lasted_s = time.monotonic() - began
    print(json.dumps(asdict(looks)), flush=True)
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
