"""What became of the submissions that an action skipped. Read only."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from resultsq.domain.submission import State
from resultsq.store.admin.actions import Progress
from resultsq.store.engine.tables import Action, AuditSubmission, Submission


def states(conn: Connection, action: Progress) -> Mapping[State, int]:
    """How many of the skipped ones are in which state now. An action by filter cannot name those that no longer match:
    of these, only those published while it went on are counted."""
    row: Any = conn.execute(
        select(Action.target, Action.audit_id, Action.started_at, Action.until_seq).where(Action.id == action.id)
    ).one()
    if "ids" in row.target:
        done = select(AuditSubmission.seq).where(AuditSubmission.audit_id == row.audit_id)
        left = (Submission.id.in_(row.target["ids"]), Submission.seq.not_in(done))
        query = select(Submission.state, func.count()).where(*left).group_by(Submission.state)
        return {State(state): count for state, count in conn.execute(query)}
    ended = action.ended_at or row.started_at
    meanwhile = Submission.published_at.between(row.started_at, ended)
    counted = select(func.count()).where(meanwhile, Submission.seq <= row.until_seq)
    published = min(action.skipped, conn.execute(counted).scalar_one())
    return {State.PUBLISHED: published} if published else {}
