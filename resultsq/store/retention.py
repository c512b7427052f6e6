"""Removes personal data of what was settled long ago; receipts, digests and counts stay."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from resultsq.domain.submission import GONE, State
from resultsq.store.tables import Attempt, Draft, Original, Payload, Submission

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many submissions lost their sheet and how many drafts were removed."""

    submissions: int
    drafts: int


NOTHING = Pruned(0, 0)


def prune_some(conn: Connection, before: datetime) -> Pruned:
    """Prune what was settled, or last worked on, before that time: a few hundred at once, so that no writer
    waits long. To be called until it finds nothing.

    Sheets, original files, drafts and what attempts kept of the master's answers go. The rows that say what was
    published when, with which receipt and digest, stay, so that everything is still there once at the master."""
    settled = Submission.state.in_([State.PUBLISHED, State.CORRECTED, *GONE])
    seqs = list(
        conn.execute(
            select(Submission.seq)
            .join(Payload, Payload.seq == Submission.seq)
            .where(settled, Submission.state_at < before)
            .order_by(Submission.seq)
            .limit(_AT_ONCE)
        ).scalars()
    )
    conn.execute(delete(Original).where(Original.seq.in_(seqs)))
    conn.execute(delete(Payload).where(Payload.seq.in_(seqs)))
    conn.execute(update(Submission).where(Submission.seq.in_(seqs)).values(reasons=None))
    heard = {"detail": None, "request_head": None, "answer_head": None, "answer_body": None}
    conn.execute(update(Attempt).where(Attempt.seq.in_(seqs)).values(heard))
    drafts = conn.execute(delete(Draft).where(Draft.updated_at < before)).rowcount
    return Pruned(len(seqs), drafts)
