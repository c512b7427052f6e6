"""What the far side saw: the judge of every contest. Whoever sent, the master's journal and its record of PUTs tell."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench.work import Job
from tests.support.processes import OtherMaster
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Tally:
    """Times are on the monotonic clock, which all processes of a machine share. `repeated`: sheets that were sent
    again after the master had committed them; a master without idempotency keys would publish them twice."""

    first_s: float
    last_s: float
    missing: tuple[str, ...]
    doubled: int
    repeated: int
    ends: tuple[float, ...]


def tally(master: OtherMaster, made: Sequence[Job], since_s: float = 0.0) -> Tally:
    """`since_s`: `ends` are the deliveries from then on."""
    report = master.report()
    receipts = {one["submission"] for one in report["receipts"]}
    places = {(one["event"], one["date"]): 0 for one in report["receipts"]}
    for one in report["receipts"]:
        places[one["event"], one["date"]] += 1
    puts = [put for put in report["puts"] if put["began"] >= since_s]
    good = sorted(put["ended"] for put in puts if put["status"] in (200, 201))
    committed: set[str] = set()
    repeated = 0
    for put in sorted(report["puts"], key=lambda put: float(put["began"])):
        repeated += put["submission"] in committed
        if put["status"] in (200, 201) or (put["status"] is None and put["submission"] in receipts):
            committed.add(put["submission"])
    return Tally(
        min((put["began"] for put in puts), default=float("nan")),
        good[-1] if good else float("nan"),
        tuple(job.id for job in made if job.id not in receipts),
        sum(count - 1 for count in places.values()),
        repeated,
        tuple(good),
    )


@contextmanager
def faulty_link(master: OtherMaster) -> Iterator[Proxy]:
    """The link to a master, with a switch."""
    with Proxy(master.port) as link:
        try:
            yield link
        finally:
            link.restore()
            time.sleep(0.2)  # what waited in a hole comes out of it


def awaited(master: OtherMaster, count: int, limit_s: float) -> bool:
    """Until the master has committed so many; False: it did not come to it in time. Looks at the journal's length
    alone, which costs nobody anything."""
    journal, seen, read = master.folder / "journal.jsonl", 0, 0

    def there() -> bool:
        nonlocal seen, read
        with journal.open("rb") as file:
            file.seek(read)
            more = file.read()
        read += len(more)
        seen += more.count(b"\n")
        return seen >= count

    try:
        return wait_until(there, limit_s, f"{count} at the master", every_s=0.1)
    except AssertionError:
        return False
