"""How long it takes to read, join and check a whole event: `python -m tests.bench.readers`."""

import random
import time
from collections.abc import Callable
from functools import partial

from resultsq.kinds.results.check import report

_SIZES = (140, 1_000, 2_500, 5_000, 10_000, 20_000)
_LARGEST_EVENT = 6_204


def event_files(finishers: int, stopwatches: int = 2, scanners: int = 8, seed: int = 7) -> list[tuple[str, bytes]]:
    """Real-format files of one event: watches that differ by a second here and there and each miss a
    finisher in a hundred, and scans shared out among the scanners, one in twenty never scanned."""
    rng = random.Random(seed)
    times = sorted(rng.randint(15 * 60, 75 * 60) for _ in range(finishers))
    files = []
    for watch in range(stopwatches):
        lines = ["STARTOFEVENT,01/01/2001 00:00:00,junsd_stopwatch", "0,01/01/2001 00:00:00"]
        for seconds in times:
            if watch and rng.random() < 0.01:
                continue
            seconds += watch and rng.random() < 0.2
            clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            lines.append(f"{len(lines) - 1},01/01/2001 {clock},{clock}")
        lines.append("ENDOFEVENT,01/01/2001 01:59:59")
        files.append((f"watch{watch + 1}.csv", "\r\n".join(lines).encode()))
    scans: list[list[str]] = [[] for _ in range(scanners)]
    for token in range(1, finishers + 1):
        if token == finishers or rng.random() > 0.05:
            clock = f"14/03/2026 09:{20 + token % 40}:00"
            scans[rng.randrange(scanners)].append(f"A{1_000_000 + 37 * token},P{token:04},{clock}")
    files += [(f"scanner{at + 1}.csv", "\n".join(lines).encode()) for at, lines in enumerate(scans) if lines]
    return files


def milliseconds(what: Callable[[], object], repeats: int) -> float:
    """The best of so many runs: what else the machine does is not measured."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        what()
        spent.append(time.process_time() - start)
    return min(spent) * 1000


def main() -> None:
    print("finishers   files      ms   µs a finisher")
    for size in sorted((*_SIZES, _LARGEST_EVENT)):
        files = event_files(size)
        spent = milliseconds(partial(report, files), 21 if size < 1_000 else 7)
        print(f"{size:9} {len(files):7} {spent:7.1f} {spent * 1000 / size:15.1f}")


if __name__ == "__main__":
    main()
