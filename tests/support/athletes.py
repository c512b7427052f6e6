"""A list of athletes for tests: in a copy of a node, and at a master."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from resultsq.domain.athletes import Athlete
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from resultsq.readers.athletes_list import ListedAthlete
from resultsq.store.athletes import copies, rows
from resultsq.store.athletes.copies import Place
from resultsq.store.engine.session import Database

FIRST = 1_000_001


def athletes(count: int, name: str = "Jane SMITH", home: str = "bushy", first: int = FIRST) -> list[Athlete]:
    """So many, with numbers one after the other, and each with the number in the name."""
    return [Athlete(f"A{n}", f"{name}-{n}", "Harriers", home, 7) for n in range(first, first + count)]


def load(database: Database, listed: Iterable[Athlete], as_of: datetime) -> None:
    """Put these in use as the node's list."""
    copy = database.write(lambda conn: _begin(conn, as_of))
    for piece in rows.pieces(copy.generation, listed):
        database.write(piece)
    database.write(lambda conn: copies.advance(conn, copy, Place("h", "1"), as_of))


def _begin(conn: Connection, now: datetime) -> copies.Copy:
    copies.take_lease(conn, now, "test")
    return copies.begin(conn, now, copies.FEED)


@contextmanager
def master_list(folder: Path) -> Iterator[Ledger]:
    """A ledger of a master in a file `ledger.db` of the folder, without a list so far."""
    engine = open_engine(f"sqlite:///{folder / 'ledger.db'}")
    ledger = Ledger(engine)
    ledger.create_tables()
    yield ledger
    engine.dispose()


def put(ledger: Ledger, listed: Iterable[Athlete]) -> None:
    """Add or replace these at the master."""
    ledger.athletes.load(ListedAthlete(one) for one in listed)
