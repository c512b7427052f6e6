"""A web process that notes how long each of its look-ups of many athletes takes:
`python -m tests.support.timed_lookups FILE ARGUMENT…`, the arguments being those of `resultsq`. A line of seconds each.

What is timed is the call that a page makes, in the thread that serves the page: with its wait for the database and for
the other threads of the process."""

import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection

from resultsq.cli import main
from resultsq.store.athletes import lookup

MANY = 200
"""Fewer are asked for by small pages, which are not what is measured."""


def note_in(file: TextIO) -> None:
    """From now on."""
    by_number = lookup.by_number

    def timed(conn: Connection, numbers: Collection[str]) -> dict[str, Any]:
        began = time.perf_counter()
        found = by_number(conn, numbers)
        if len(numbers) >= MANY:
            print(time.perf_counter() - began, file=file, flush=True)
        return found

    lookup.by_number = timed


if __name__ == "__main__":
    with Path(sys.argv.pop(1)).open("a") as opened:
        note_in(opened)
        main()
