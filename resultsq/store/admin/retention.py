"""Removes personal data of submissions settled long ago; receipts, digests and counts stay."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, select, update

from resultsq.domain.submission import GONE, State
from resultsq.store import outbox
from resultsq.store.admin import device_entries
from resultsq.store.engine.tables import Attempt, DraftRow, Original, Payload, Submission

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many submissions lost their sheet and how many drafts were removed."""

    submissions: int
    drafts: int


NOTHING = Pruned(0, 0)


def prune_some(conn: Connection, before: datetime) -> Pruned:
    """Prune submissions settled, and drafts last changed, before that time: a few hundred at once, so that no writer
    waits long. Call it until it finds nothing.

    Sheets, original files, drafts and the master's answers kept with attempts go. The rows that say what was
    published when, with which receipt and digest, stay, so that everything is still there once at the master."""
    seqs = _old(conn, before)
    outbox.lock_all(conn, Submission.seq.in_(seqs))
    # as they are now that none can return to the queue
    seqs = _old(conn, before, Submission.seq.in_(seqs))
    conn.execute(delete(Original).where(Original.seq.in_(seqs)))
    conn.execute(delete(Payload).where(Payload.seq.in_(seqs)))
    conn.execute(update(Submission).where(Submission.seq.in_(seqs)).values(reasons=None))
    heard = {"detail": None, "request_head": None, "answer_head": None, "answer_body": None}
    conn.execute(update(Attempt).where(Attempt.seq.in_(seqs)).values(heard))
    drafts = conn.execute(delete(DraftRow).where(DraftRow.updated_at < before)).rowcount
    device_entries.prune(conn, before)
    return Pruned(len(seqs), drafts)


def _old(conn: Connection, before: datetime, *where: ColumnElement[bool]) -> list[int]:
    """The first submissions that were settled before, and still have their sheets."""
    settled = Submission.state.in_([State.PUBLISHED, State.CORRECTED, *GONE])
    found = (
        select(Submission.seq)
        .join(Payload, Payload.seq == Submission.seq)
        .where(settled, Submission.state_at < before, *where)
        .order_by(Submission.seq)
        .limit(_AT_ONCE)
    )
    return list(conn.execute(found).scalars())
