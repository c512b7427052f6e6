"""Walk the races of writers: `python -m tests.races`. The exit status is 1 if a promise was broken, or if a planted
race was not found."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from resultsq.store.engine.session import Database
from tests.races.explorer import Explorer, Walked
from tests.races.pairs import NO_RACE_ON_SQLITE, PAIRS, Pair, find_planted, walk, without_transaction
from tests.races.race import FOUND
from tests.races.report import PAGE, Line, Whole, page
from tests.races.stage import stage
from tests.support.nodes import migrated
from tests.support.services import PostgreSQL

MEMORY = Path("/dev/shm")


@contextmanager
def on_sqlite() -> Iterator[Explorer]:
    """Two processes at one file."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None))
        databases = migrated(f"sqlite:///{folder}/store.db"), Database(f"sqlite:///{folder}/store.db")
        for one in databases:
            stack.callback(one.close)
        yield stack.enter_context(Explorer(stack.enter_context(stage(*databases))).listening())


@contextmanager
def on_postgresql() -> Iterator[Explorer]:
    with ExitStack() as stack:
        server = stack.enter_context(PostgreSQL())
        database = migrated(stack.enter_context(server.database()))
        stack.callback(database.close)
        yield stack.enter_context(Explorer(stack.enter_context(stage(database))).listening())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every pair of all writers in every state, too")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    asked = parser.parse_args()
    began = time.monotonic()
    broken: list[str] = []
    wholes: list[Whole] = []
    with on_postgresql() as postgresql, on_sqlite() as sqlite:
        lines = [_line(pair, postgresql, sqlite, broken) for pair in PAIRS]
        for found in FOUND if asked.all else ():
            postgresql.enter(found)
            wholes.append(_whole(postgresql, found.__name__, broken))
    schedules = sum(one.schedules for one in lines) + sum(one.schedules for one in wholes)
    print(f"{schedules} schedules on PostgreSQL in {time.monotonic() - began:.0f} s, {len(broken)} broken")
    print(*broken, sep="\n", end="\n" * bool(broken))
    if asked.write and not broken:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(lines, wholes, "python -m tests.races" + " --all" * asked.all + " --write"))
    return 1 if broken else 0


def _line(pair: Pair, postgresql: Explorer, sqlite: Explorer, broken: list[str]) -> Line:
    walked, there = walk(postgresql, pair), walk(sqlite, pair)
    broken += walked.broken + there.broken
    found = find_planted(postgresql, pair, pair.planted)
    here = Walked() if (pair.first, pair.second) in NO_RACE_ON_SQLITE else find_planted(
        sqlite, pair, without_transaction(pair.planted)
    )  # fmt: skip
    for one in (found, here):
        if one.schedules and not one.broken:
            broken.append(f"{pair.name}: the planted race was not found: {pair.planted.words}")
    line = Line(
        pair.name, len(pair.found), walked.orders, walked.schedules, found.schedules or None, there.schedules,
        here.schedules or None, pair.planted.words,
    )  # fmt: skip
    print(line, flush=True)
    return line


def _whole(explorer: Explorer, state: str, broken: list[str]) -> Whole:
    whole, pairs = Walked(), explorer.pairs()
    for first, second in pairs:
        whole.add(explorer.walk(first, second))
    broken += whole.broken
    line = Whole(state, len(pairs), whole.orders, whole.schedules, len(whole.ends))
    print(line, flush=True)
    return line


if __name__ == "__main__":
    sys.exit(main())
