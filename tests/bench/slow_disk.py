"""Accept on a disk that takes 5 ms for each sync, as honest ones do: what it is worth that writers share a commit.

The disk is the machine's own; a library that is loaded first makes each sync last 5 ms from its begin to its end. It is
compiled here, so without a compiler there are no such figures. Over HTTP the web process's own work is the bound, so
the store is measured alone, too: `python -m tests.bench.slow_disk FOLDER BATCH COUNT` accepts so many sheets from
threads, of which BATCH share a commit, and prints the seconds.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from resultsq import interpreter
from resultsq.clock import SystemClock
from resultsq.store import outbox
from resultsq.store.engine import shared_commits
from tests.bench import accept, work
from tests.bench.ours import Ours
from tests.bench.report import OURS, Result
from tests.support.processes import Process

SCENARIO = "slow-disk"
SYNC_MS = 5
LEAST = 5.0
CLIENTS = (8, 32)
WRITERS = 32

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int late(const char *name, int file)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += SYNC_MS * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec += 1;
        end.tv_nsec -= 1000000000L;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int done = real(file);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, 0)) {
    }
    return done;
}

int fsync(int file) { return late("fsync", file); }
int fdatasync(int file) { return late("fdatasync", file); }
"""


def compiled(folder: Path) -> Path | None:
    """The library; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "late.so"
    command = [compiler, "-shared", "-fPIC", f"-DSYNC_MS={SYNC_MS}", "-x", "c", "-", "-o", str(library), "-ldl"]
    return library if subprocess.run(command, input=_SOURCE.encode(), check=False).returncode == 0 else None


@contextmanager
def loaded_first(library: Path) -> Iterator[None]:
    """Programs that are started within have it."""
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"]


def product(folder: Path) -> Any:
    return accept.product(folder)


def product_alone(folder: Path) -> Any:
    """The same; each writer commits alone."""
    shared_commits.BATCH = 1
    return accept.product(folder)


def rate(make: Any, library: Path, posts: int, clients: int) -> accept.Rate:
    """Accepts a second, with a thread for each client."""
    with tempfile.TemporaryDirectory() as name, loaded_first(library):
        folder = Path(name)
        if make is not accept.bare:
            accept.equip(folder)
        with accept.served(make, (folder,), threads=clients) as one:
            return accept.load(folder, [one], posts, clients)


def accepted(folder: Path, batch: int, count: int) -> float:
    """Seconds in which the store accepts so many sheets of 250 finishers from `WRITERS` threads, without any HTTP."""
    shared_commits.BATCH = batch
    now = SystemClock().now()
    with Ours(folder, "http://127.0.0.1:9") as ours:
        entries = [ours.entry(job) for job in work.jobs(count, finishers=accept.FINISHERS)]
        write = ours.database.write
        interpreter.ready()
        with ThreadPoolExecutor(WRITERS) as pool:
            began = time.perf_counter()
            for done in [pool.submit(write, lambda conn, one=one: outbox.accept(conn, now, one)) for one in entries]:
                done.result()
            return time.perf_counter() - began


def store_rate(library: Path, batch: int, count: int) -> float:
    """The same a second, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        program, env = (sys.executable, "-m", "tests.bench.slow_disk"), {"LD_PRELOAD": str(library)}
        with Process(folder, str(batch), str(count), program=program, env=env) as process:
            assert process.wait(240) == 0, str(process)
            return count / float(process.stdout)


def run(short: bool) -> Iterator[Result]:
    rounds, posts = (1, 200) if short else (3, 1_000)
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        if library is None:
            yield Result(
                SCENARIO, f"a sync takes {SYNC_MS} ms", OURS, {"ratio": None}, note="there is no compiler here"
            )
            return
        for clients in () if short else CLIENTS:
            turns = [
                [rate(make, library, posts, clients) for make in (accept.bare, product_alone, product)]
                for _ in range(rounds)
            ]
            case = f"{clients} clients, a sync takes {SYNC_MS} ms"
            yield accept.told(case, "bare Flask route", [least for least, *_ in turns], scenario=SCENARIO)
            yield accept.told(case, f"{OURS}, a commit each", [alone for _, alone, _ in turns], scenario=SCENARIO)
            ratios = [ours.per_second / least.per_second for least, _, ours in turns]
            yield accept.told(case, OURS, [ours for *_, ours in turns], ratios, scenario=SCENARIO)
        yield from _of_the_store(library, rounds, posts)


def _of_the_store(library: Path, rounds: int, posts: int) -> Iterator[Result]:
    pairs = [[store_rate(library, batch, posts) for batch in (1, shared_commits.BATCH)] for _ in range(rounds)]
    ratios = [shared / alone for alone, shared in pairs]
    case = f"the store alone, {WRITERS} threads, a sync takes {SYNC_MS} ms"
    yield Result(SCENARIO, case, f"{OURS}, a commit each", {"per_second": median(alone for alone, _ in pairs)})
    figures: dict[str, float | None] = {"ratio": median(ratios), "least": min(ratios), "most": max(ratios)}
    figures["per_second"] = median(shared for _, shared in pairs)
    yield Result(SCENARIO, case, OURS, figures, f"≥ {LEAST:g} × a commit each", median(ratios) >= LEAST)


if __name__ == "__main__":
    print(accepted(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
