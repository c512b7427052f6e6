"""Personal submissions: their bodies are sealed, and deleted when the master has them. A slip stays: name, number."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from resultsq.domain.entry import Slip
from resultsq.sealed import KeyMissing
from resultsq.store.engine import personal
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import Attempt, Payload, SlipRow, Submission

_NEW_PAYLOAD = PreparedStatement(insert(Payload))
_NUMBER = update(SlipRow).where(SlipRow.seq == bindparam("_seq")).values(number=bindparam("_number"))
_OF_ID = (
    select(SlipRow.name, SlipRow.number)
    .join(Submission, Submission.seq == SlipRow.seq)
    .where(Submission.id == bindparam("id"))
)
_BODY = (
    select(Payload.body)
    .join(Submission, Submission.seq == Payload.seq)
    .where(Submission.id == bindparam("id"), Submission.personal.is_(True))
)


def keep_body(conn: Connection, seq: int, submission: str, body: bytes, slip: Slip | None) -> None:
    """Store a body; one that has a slip is personal."""
    if slip is None:
        _NEW_PAYLOAD.run(conn, {"seq": seq, "body": body})
        return
    _NEW_PAYLOAD.run(conn, {"seq": seq, "body": personal.seal(conn, body, submission)})
    conn.execute(insert(SlipRow), {"seq": seq, "name": slip.name[:255], "number": slip.number})


def delivered(conn: Connection, numbers: Iterable[tuple[int, str]]) -> None:
    """The master has these (by `seq`), under these numbers, empty: none is known. Their bodies go, and the master's
    words about them, which may quote a body."""
    numbers = list(numbers)
    seqs = [seq for seq, _ in numbers]
    conn.execute(delete(Payload).where(Payload.seq.in_(seqs)))
    conn.execute(update(Attempt).where(Attempt.seq.in_(seqs)).values(detail=None, answer_body=None))
    conn.execute(update(Submission).where(Submission.seq.in_(seqs)).values(reasons=None))
    if given := [{"_seq": seq, "_number": number} for seq, number in numbers if number]:
        conn.execute(_NUMBER, given)


def of(conn: Connection, submission: str) -> Slip | None:
    """The slip of a submission; None: it is not here, or not personal."""
    row: Any = conn.execute(_OF_ID, {"id": submission}).first()
    return None if row is None else Slip(row.name, row.number)


def body(conn: Connection, submission: str) -> bytes | None:
    """The body of a personal submission, opened; None: it is not here any more, or its key is not.

    :raises SealBroken: it was changed"""
    kept = conn.execute(_BODY, {"id": submission}).scalar()
    try:
        return None if kept is None else personal.opened(conn, kept, submission)
    except KeyMissing:
        return None
