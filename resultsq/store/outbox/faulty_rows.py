"""Finds the submissions on which a worker's cycle fails and puts them aside, so that it goes on with the others.

Each step of a cycle is tried on its rows, half and half again, in transactions that are undone. What fails alone is
put aside in a transaction of its own. Nothing of this is done while cycles succeed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.settlement import Settlement
from resultsq.sealed import KeyMissing
from resultsq.store import outbox
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MASTER
from resultsq.store.outbox.aside import NO_KEY

_AT_ONCE = 500

Trial = Callable[[Connection, Sequence[int]], object]


@dataclass(frozen=True, slots=True)
class Faulty:
    """A submission (its `seq`) on which something fails, and with what: the name of the exception."""

    seq: int
    error: str


class _Undone(Exception):
    """Ends a trial that went well."""


def put_aside_faulty(
    database: Database, now: datetime, worker: str, free_slots: int, destination: str = MASTER
) -> list[Faulty]:
    """Put aside what can be neither claimed, nor taken back from a worker, nor put off."""

    def claim(conn: Connection, seqs: Sequence[int]) -> None:
        outbox.claim_these(conn, now, worker, seqs, destination)

    def take_back(conn: Connection, seqs: Sequence[int]) -> None:
        outbox.take_back(conn, now, seqs)
        claim(conn, seqs)  # as the cycle does in the same transaction

    found: list[Faulty] = []
    steps: tuple[tuple[Callable[[Connection], Sequence[int]], Trial], ...] = (
        (lambda conn: outbox.leased(conn, destination), take_back),
        (lambda conn: outbox.claimable(conn, now, free_slots, destination), claim),
        (
            lambda conn: outbox.put_off(conn, now, destination),
            lambda conn, seqs: outbox.waits_too_long(conn, now, seqs),
        ),
    )
    for rows, trial in steps:
        with database.read() as conn:
            seqs = rows(conn)
        for start in range(0, len(seqs), _AT_ONCE):
            found += _faulty(database, trial, seqs[start : start + _AT_ONCE])
    put_aside(database, now, found)
    return found


def faulty_ends(database: Database, now: datetime, ends: Sequence[Settlement]) -> list[Faulty]:
    """Those whose end cannot be written down."""
    by_seq = {one.seq: one for one in ends}

    def trial(conn: Connection, seqs: Sequence[int]) -> object:
        return outbox.settle(conn, now, [by_seq[seq] for seq in seqs])

    return list(_faulty(database, trial, list(by_seq)))


def put_aside(database: Database, now: datetime, found: Sequence[Faulty]) -> None:
    """Put these aside, each in a transaction of its own."""
    for one in found:
        reason = (
            NO_KEY
            if one.error == KeyMissing.__name__
            else f"resultsq failed on it ({one.error}); its log says where. Tell its makers, then release it."
        )
        database.write(partial(outbox.put_aside, now=now, seqs=[one.seq], reason=reason))


def _faulty(database: Database, trial: Trial, seqs: Sequence[int]) -> Iterator[Faulty]:
    error = _try(database, trial, seqs) if seqs else None
    if error is None:
        return
    if len(seqs) == 1:
        yield Faulty(seqs[0], type(error).__name__)
        return
    middle = len(seqs) // 2
    yield from _faulty(database, trial, seqs[:middle])
    yield from _faulty(database, trial, seqs[middle:])


def _try(database: Database, trial: Trial, seqs: Sequence[int]) -> Exception | None:
    """What the trial failed with; None: it would have gone well."""

    def work(conn: Connection) -> None:
        trial(conn, seqs)
        raise _Undone

    try:
        database.write(work)
    except _Undone:
        return None
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its row is put aside for it
        return error
    raise AssertionError("unreachable: the trial always raises")
