"""Writes into a node's database twenty times a second, as accepting does, until its input ends:
`python -m tests.support.writes_beside DATABASE-URL`. Prints how long each write waited, in seconds, as JSON."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from resultsq.domain.errors import StoreUnavailable
from resultsq.store.engine.session import Database
from resultsq.store.engine.write_check import check_writable

EVERY_S = 0.05


@contextmanager
def writing(url: str) -> Iterator[list[float]]:
    """Such a process for the length of a block; afterwards the list has the waits."""
    waits: list[float] = []
    command = [sys.executable, "-m", "tests.support.writes_beside", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            assert process.stdout.readline() == "writing\n"
            yield waits
            process.stdin.close()
            waits += json.loads(process.stdout.read())
        finally:
            process.kill()


def main(url: str) -> None:
    database, waits, ended = Database(url), list[float](), threading.Event()

    def read() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    print("writing", flush=True)
    while not ended.wait(EVERY_S):
        began = time.monotonic()
        with suppress(StoreUnavailable):  # it waited for all the time that a writer waits, which counts
            database.write(check_writable)
        waits.append(time.monotonic() - began)
    print(json.dumps(waits), flush=True)
    database.close()


if __name__ == "__main__":
    main(sys.argv[1])
