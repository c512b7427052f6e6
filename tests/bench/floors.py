"""The floors: the least that can be done, and nothing else. `python -m tests.bench.floors NAME ARGUMENT…`.

    requests URL FILE    PUT each sheet of the file, from 8 threads with a session each, packed beforehand
    inserts URL FILE     insert and commit each with SQLAlchemy, one after the other
    fdatasync FOLDER FILE   append each to a file and flush it to the disk

Prints the seconds that it took and the processor seconds."""

import gzip
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

import requests
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert

from resultsq.store.engine.session import Database
from tests.bench import work

THREADS = 8


def bare_requests(url: str, file: str) -> Callable[[], None]:
    waiting: SimpleQueue[tuple[str, str, str, bytes]] = SimpleQueue()
    for submission, event, day, body in work.read(Path(file)):
        waiting.put((submission, event, day, gzip.compress(body.encode(), 6, mtime=0)))

    def put_all() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(
                {
                    "Content-Type": "application/json",
                    "Content-Encoding": "gzip",
                    "Authorization": "Bearer bench",
                    "If-None-Match": "*",
                }
            )
            while True:
                try:
                    submission, event, day, packed = waiting.get_nowait()
                except Empty:
                    return
                answer = session.put(
                    f"{url}/v1/events/{event}/results/{day}",
                    packed,
                    headers={"Idempotency-Key": f'"{submission}"'},
                    timeout=(3, 20),
                )
                answer.raise_for_status()

    def run() -> None:
        threads = [threading.Thread(target=put_all) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def bare_inserts(url: str, file: str) -> Callable[[], None]:
    database = Database(url)  # the node's engine, so that a commit is as durable
    table = Table("bodies", MetaData(), Column("id", Integer, primary_key=True), Column("body", LargeBinary))
    table.metadata.create_all(database.engine)
    bodies = [body.encode() for *_, body in work.read(Path(file))]

    def run() -> None:
        for body in bodies:
            with database.engine.begin() as conn:
                conn.execute(insert(table), {"body": body})

    return run


def bare_fdatasync(folder: str, file: str) -> Callable[[], None]:
    bodies = [body.encode() for *_, body in work.read(Path(file))]

    def run() -> None:
        handle = os.open(Path(folder) / "bodies", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for body in bodies:
            os.write(handle, body)
            os.fdatasync(handle)
        os.close(handle)

    return run


FLOORS = {"requests": bare_requests, "inserts": bare_inserts, "fdatasync": bare_fdatasync}


def main() -> None:
    name, *arguments = sys.argv[1:]
    run = FLOORS[name](*arguments)
    burnt, began = time.process_time(), time.perf_counter()
    run()
    print(time.perf_counter() - began, time.process_time() - burnt)


if __name__ == "__main__":
    main()
