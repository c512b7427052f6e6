"""Fills in the digests of finishers that version 0.1 did not write, so that the same finishers are known for another
date or event whichever version accepted them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Integer, and_, bindparam, select, update

from resultsq.domain.sheet import ENOUGH_TO_COMPARE, finishers_digest
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Payload, Submission

AT_ONCE = 200
_BEYOND_ALL = 2**63 - 1


class DigestFiller:
    """Goes through the submissions once, from the newest down, `at_once` of them at each call of `fill_some`.

    Its place is kept in the process: a new one begins again, and writes nothing twice."""

    def __init__(self, database: Database, at_once: int = AT_ONCE) -> None:
        self._database = database
        self._at_once = at_once
        self._before: int | None = _BEYOND_ALL

    def has_work(self) -> bool:
        return self._before is not None

    def fill_some(self) -> None:
        if self._before is None:
            return
        with self._database.read() as conn:
            found = older(conn, self._before, self._at_once)
            digests = dict(_missing(conn, [row.seq for row in found if row.lacks]))
        if digests:
            self._database.write(partial(fill, digests=digests))
        self._before = found[-1].seq if len(found) == self._at_once else None


def older(conn: Connection, before: int, most: int) -> Sequence[Any]:
    """The submissions with a smaller `seq`, newest first, and whether each `lacks` a digest that it could have."""
    return conn.execute(_OLDER, {"before": before, "most": most}).all()


def fill(conn: Connection, digests: Mapping[int, str]) -> None:
    """Write the digests of these submissions (by `seq`), in the order of their keys; none that has one."""
    conn.execute(_FILL, [{"_seq": seq, "_digest": digest} for seq, digest in sorted(digests.items())])


def _missing(conn: Connection, seqs: list[int]) -> Iterator[tuple[int, str]]:
    for seq in seqs:  # one at a time: sheets may be large
        row = conn.execute(_SHEET, {"seq": seq}).first()
        digest = None if row is None else finishers_digest(row.body, row.finishers)
        if digest is not None:
            yield seq, digest


_LACKS = and_(Submission.finishers_digest.is_(None), Submission.finishers >= ENOUGH_TO_COMPARE)
_OLDER = (
    select(Submission.seq, _LACKS.label("lacks"))
    .where(Submission.seq < bindparam("before"))
    .order_by(Submission.seq.desc())
    .limit(bindparam("most", type_=Integer))
)
_SHEET = (
    select(Payload.body, Submission.finishers)
    .join(Submission, Submission.seq == Payload.seq)
    .where(Payload.seq == bindparam("seq"))
)
_FILL = (
    update(Submission)
    .where(Submission.seq == bindparam("_seq"), Submission.finishers_digest.is_(None))
    .values(finishers_digest=bindparam("_digest"))
)
