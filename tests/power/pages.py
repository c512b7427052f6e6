"""Pages of the database that went bad on the disk: flipped, torn, old, empty. Whoever asks is told so in words, or gets
what was accepted; nothing else is shown, and nothing else is sent."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from resultsq.domain.errors import ResultsqError
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.outbox import File, Lease, faulty_rows
from resultsq.store.views import submission_detail, versions
from tests.power.cuts import SECTOR, lay
from tests.power.judge import digest_of, without_sync
from tests.power.morning import Ready
from tests.support.nodes import CEILING, NOW, StoreNode, accepted, migrated

PAGE = 4096
SHEETS = 8
FILE = b"STARTOFEVENT,1,07/12/2013 09:00:00\n" * 40
"""Each sheet came as this."""
FILED = File(name="watch.csv", kind="stopwatch", digest=hashlib.sha256(FILE).hexdigest(), content=FILE)


@dataclass
class Seen:
    """How often a damage ended how. `found`: what was served, or said without words."""

    damages: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def add(self, other: "Seen") -> None:
        self.damages += other.damages
        self.ends += other.ends
        self.found += other.found


@dataclass(frozen=True)
class Kept:
    """A node's file, an older one of the same node, and the sheets that were acknowledged: digest, event and date by
    id."""

    now: bytes
    old: bytes
    sheets: Mapping[str, tuple[str, str, str]]


def keep(seed: int) -> Kept:
    """A node with sheets of all sizes; half of them are published."""
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="resultsq-power-") as name:
        file = Path(name) / "store.db"
        database = migrated(f"sqlite:///{file}")
        node = StoreNode(database)
        node.probe()
        sheets = {}
        old = b""
        for number in range(SHEETS):
            slug = list(node.events)[number % len(node.events)]
            made = node.entry(slug, random.choice((3, 40, 300)), date=f"2013-11-{number + 1:02}", files=(FILED,))
            told = database.write(partial(outbox.accept, now=node.now, entry=made))
            sheets[told.id] = (made.digest, slug, made.date)
            if number == SHEETS // 2:
                for _ in range(number):
                    node.publish_one()
                    node.pass_time(1)
                old = _whole(database, file)
        now = _whole(database, file)
        database.close()
    return Kept(now, old, sheets)


def _whole(database: Database, file: Path) -> bytes:
    """Everything is in one file."""
    with database.engine.connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.read_bytes()


def flipped(page: bytes, _old: bytes, random: Random) -> bytes:
    """One bit."""
    at = random.randrange(PAGE)
    return page[:at] + bytes([page[at] ^ 1 << random.randrange(8)]) + page[at + 1 :]


def torn(page: bytes, old: bytes, random: Random) -> bytes:
    """Its first sectors were written, the others were not."""
    at = random.randrange(1, PAGE // SECTOR) * SECTOR
    return page[:at] + old[at:]


def stale(_page: bytes, old: bytes, _random: Random) -> bytes:
    """It was never written, though the drive said so."""
    return old


def empty(_page: bytes, _old: bytes, _random: Random) -> bytes:
    return bytes(PAGE)


def garbled(page: bytes, _old: bytes, random: Random) -> bytes:
    """A sector of it is another file's."""
    at = random.randrange(PAGE // SECTOR) * SECTOR
    return page[:at] + random.randbytes(SECTOR) + page[at + SECTOR :]


DAMAGES: Mapping[str, Callable[[bytes, bytes, Random], bytes]] = {
    one.__name__: one for one in (flipped, torn, stale, empty, garbled)
}


def damaged(kept: Kept, random: Random, how: str) -> bytes:
    """The file with one page that went bad, in a place that is used."""
    while True:
        at = random.randrange(len(kept.now) // PAGE) * PAGE
        page, old = kept.now[at : at + PAGE], kept.old[at : at + PAGE].ljust(PAGE, b"\0")
        bad = DAMAGES[how](page, old, random)
        if bad != page:
            return kept.now[:at] + bad + kept.now[at + PAGE :]


def look(kept: Kept, seed: int, count: int, only: Sequence[str] = tuple(DAMAGES)) -> Seen:
    """So many damages of each sort, each on a file of its own."""
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="resultsq-power-") as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'store.db'}")
        event.listen(database.engine, "connect", without_sync)
        for how in only:
            for number in range(count):
                random = Random(f"{seed} {how} {number}")
                lay({"store.db": damaged(kept, random, how)}, folder)
                seen.damages += 1
                for end in _tour(kept, database):
                    seen.ends[end.partition(":")[0]] += 1
                    if end.startswith(BAD):
                        seen.found.append(f"{how} {number}: {end}")
                database.close()
    return seen


BAD = ("altered", "driver's error")
"""What must never come of it. A surprise is logged, and the web answers it with a sentence of its own."""


def _tour(kept: Kept, database: Database) -> Iterator[str]:
    """A person looks at each sheet, a team hands one in, a worker sends what waits."""
    for id_, (digest, _, _) in kept.sheets.items():
        yield _tried(partial(_show, database, id_, digest))
    yield _tried(partial(_hand_in, database))
    try:
        yield from _send(kept, database)
    except Exception as error:
        yield _refused(error)


def _tried(act: Callable[[], str]) -> str:
    try:
        return act()
    except Exception as error:
        return _refused(error)


def _refused(error: Exception) -> str:
    if isinstance(error, ResultsqError):
        return "refused in words" if str(error) else "driver's error: an empty sentence"
    # a row that cannot be read is put aside by itself, and is no damage of the whole file
    if isinstance(error, DBAPIError) and "could not decode" not in str(error.orig).lower():
        return f"driver's error: {type(error).__name__}: {error.orig}"
    return f"surprise: {type(error).__name__}"


def _show(database: Database, id_: str, digest: str) -> str:
    with database.read() as conn:
        found = submission_detail.load_detail(conn, NOW, id_)
        if found is None:
            return "not there"
        files = [versions.file(conn, found.view.seq, one.id) for one in found.files]
    if found.body is not None and digest_of(found.body) != digest:
        return f"altered: {id_} is shown with other bytes"
    if any(one is not None and one[1] != FILE for one in files):
        return f"altered: a file of {id_} is shown with other bytes"
    return "whole"


def _hand_in(database: Database) -> str:
    told = Ready(database).accept("bushy", 7, date="2013-10-05")
    return "accepted" if told.created else "altered: it was taken for another"


def _send(kept: Kept, database: Database) -> Iterator[str]:
    node = Ready(database)
    node.probe()
    for _ in range(SHEETS):
        leases = _claimed(node)
        for lease in leases:
            known = kept.sheets.get(lease.submission)
            if known is not None and known != (digest_of(lease.body), lease.event, lease.date):
                yield f"altered: {lease.submission} is sent with other bytes, or elsewhere"
            else:
                yield "sent"
            node.settle(lease, accepted(lease))
        if not leases:
            return


def _claimed(node: StoreNode) -> Sequence[Lease]:
    """As the dispatcher claims: what fails is sifted."""
    try:
        return node.claim()
    except ResultsqError:
        raise
    except Exception:
        faulty_rows.put_aside_faulty(node.database, node.now, "w1", 2 * CEILING)
        return node.claim()
