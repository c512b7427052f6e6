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
_OWED = (
    select(SlipRow.seq, SlipRow.language, Payload.body)
    .join(Submission, Submission.seq == SlipRow.seq)
    .join(Payload, Payload.seq == SlipRow.seq)
    .where(Submission.id == bindparam("id"), SlipRow.mail_owed, SlipRow.number.is_not(None))
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
    words about them, which may quote a body. A body whose number is to be mailed from here stays until that is done."""
    numbers = list(numbers)
    seqs = [seq for seq, _ in numbers]
    owed = select(SlipRow.seq).where(SlipRow.seq.in_([seq for seq, number in numbers if number]), SlipRow.mail_owed)
    conn.execute(delete(Payload).where(Payload.seq.in_(seqs), Payload.seq.not_in(owed)))
    conn.execute(update(Attempt).where(Attempt.seq.in_(seqs)).values(detail=None, answer_body=None))
    conn.execute(update(Submission).where(Submission.seq.in_(seqs)).values(reasons=None))
    if given := [{"_seq": seq, "_number": number} for seq, number in numbers if number]:
        conn.execute(_NUMBER, given)


def owe_mail(conn: Connection, submission: str, language: str | None) -> None:
    """The number that the receipt brings is to be mailed from here. `language`: the code of its reader's; None: it is
    not known."""
    seq = select(Submission.seq).where(Submission.id == submission).scalar_subquery()
    conn.execute(update(SlipRow).where(SlipRow.seq == seq).values(mail_owed=True, language=language))


def owed_mails(conn: Connection, most: int) -> list[str]:
    """Submissions whose number is here and was not mailed, the oldest first."""
    query = select(Submission.id).join(SlipRow, SlipRow.seq == Submission.seq)
    owed = query.where(SlipRow.mail_owed, SlipRow.number.is_not(None))
    return list(conn.execute(owed.order_by(SlipRow.seq).limit(most)).scalars())


def owes_any(conn: Connection) -> bool:
    """Whether there is one of these."""
    return conn.execute(_OWES).first() is not None


_OWES = select(SlipRow.seq).where(SlipRow.mail_owed, SlipRow.number.is_not(None)).limit(1)


def take_owed(conn: Connection, submission: str) -> tuple[bytes, str | None] | None:
    """The body of one of these, opened, for the mail, and its reader's language; it is deleted. None: another process
    took it, or there is none.

    :raises KeyMissing, SealBroken: it cannot be opened"""
    row: Any = conn.execute(_OWED, {"id": submission}).first()
    if row is None or not _settle_mail(conn, row.seq):
        return None
    return personal.opened(conn, row.body, submission), row.language


def drop_owed(conn: Connection, submission: str) -> None:
    """Mail nothing, and delete the body."""
    row: Any = conn.execute(_OWED, {"id": submission}).first()
    if row is not None:
        _settle_mail(conn, row.seq)


def _settle_mail(conn: Connection, seq: int) -> bool:
    """False: it was done before."""
    settled = conn.execute(update(SlipRow).where(SlipRow.seq == seq, SlipRow.mail_owed).values(mail_owed=False))
    conn.execute(delete(Payload).where(Payload.seq == seq))
    return bool(settled.rowcount)


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
