"""Puts a submission aside that no worker can go on with: a hold of its own keeps it, and says why.

People see the hold and its reason; releasing it tries the submission again. Nothing is lost, and nothing is sent."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, insert, select, update

from resultsq.domain.i18n import gettext_noop
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import WAITING, State
from resultsq.store.engine.tables import Attempt, Hold, Submission
from resultsq.store.outbox.states import MAY_HAVE_LEFT

BY_ITSELF = "resultsq"
"""The name in the audit where resultsq itself holds and releases."""

NO_SHEET = gettext_noop(
    "Its sheet is no longer on this node, so it cannot be sent. Withdraw it, and send the results again."
)
DAMAGED = gettext_noop(
    "Its sheet was damaged on this node's disk, so it was not sent. Restore a backup, or withdraw it and send the "
    "results again; and have the disk looked at."
)
NO_KIND = gettext_noop(
    "It is of a kind that this version of resultsq does not know, so it was not sent. Update, then release it."
)

NO_KEY = gettext_noop(
    "It is sealed with a key that is not on this node, so it was not sent. Put the key back, then release it."
)


def cannot_go(row: Row[Any], kinds: Collection[str] | None) -> str | None:
    """The reason not to send this row (its `kind`, and whether its `sheet` is here); None: it may be sent."""
    return NO_SHEET if row.sheet is None else None if kinds is None or row.kind in kinds else NO_KIND


def put_aside(conn: Connection, now: datetime, seqs: Sequence[int], reason: str) -> None:
    """Hold each of these for that reason. Their rows are written, and of them only the lease is read:
    one that cannot be read is why."""
    for seq in seqs:
        placed = {"scope": "submission", "reason": reason, "placed_by": BY_ITSELF, "placed_at": now}
        hold = conn.execute(insert(Hold).values(placed).returning(Hold.id)).scalar_one()
        lease = conn.execute(_LOCK_LEASE, {"seq": seq}).scalars().all()
        end = {"ended_at": now, "outcome": "unknown", "cause": Cause.SURPRISE, "fingerprint": Cause.SURPRISE}
        conn.execute(update(Attempt).where(Attempt.lease.in_(lease), Attempt.ended_at.is_(None)).values(end))
        known = and_(Submission.state == State.QUEUED, Submission.in_doubt.is_(False))
        conn.execute(
            update(Submission)
            .where(Submission.seq == seq, Submission.state.in_(WAITING))
            .values(
                state=State.QUEUED,
                state_at=now,
                hold_id=hold,
                in_doubt=case((known, False), else_=MAY_HAVE_LEFT),
                lease=None,
                lease_owner=None,
                lease_until=None,
                lease_s=0.0,
                next_attempt_at=None,
                wait_s=0.0,
                wait_for=None,
                failures=0,
                silences=0,
                cause=Cause.SURPRISE,
                fingerprint=Cause.SURPRISE,
                status=None,
                detail=reason,
            )
        )


# its row is locked before its attempt ends: one that a claim begins meanwhile would be shown as under way for ever
_LOCK_LEASE = select(Submission.lease).where(Submission.seq == bindparam("seq")).with_for_update()


def count_aside(conn: Connection) -> int:
    """How many are aside."""
    ours = and_(Hold.released_at.is_(None), Hold.scope == "submission", Hold.placed_by == BY_ITSELF)
    query = select(func.count(Submission.seq)).join(Hold, Hold.id == Submission.hold_id).where(ours)
    return conn.execute(query).scalar_one()
