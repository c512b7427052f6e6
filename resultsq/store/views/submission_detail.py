"""Everything that is known about one submission, for the operators' page. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from resultsq.domain.entry import Slip
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.link import LinkState
from resultsq.domain.submission import WAITING, State
from resultsq.domain.why import HoldFact, SubmissionFacts
from resultsq.store.engine.tables import Attempt, Audit, AuditSubmission, Hold, Link, Submission
from resultsq.store.engine.whole import CAUSE
from resultsq.store.outbox import refusals, slips, workers
from resultsq.store.views import queries, versions
from resultsq.store.views.queries import SubmissionView
from resultsq.store.views.versions import ConflictView, FileName, Version

ATTEMPTS_SHOWN = 200
"""The latest; a submission that waits out an outage has a handful, one that is put off for weeks has more."""

AUDIT_SHOWN = 100


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One try. `outcome` None: under way. Heads are redacted and the body is cut where they are stored."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    outcome: str | None
    cause: str | None
    status: int | None
    detail: str | None
    request_head: str | None
    answer_head: str | None
    answer_body: str | None


@dataclass(frozen=True, slots=True)
class AuditView:
    """Who did what, when, on what, how many, why."""

    id: int
    at: datetime
    who: str
    action: str
    target: dict[str, Any]
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A hold that concerns the submission; its `id` is what a release names."""

    id: int
    fact: HoldFact


@dataclass(frozen=True, slots=True)
class SubmissionDetail:
    """`standing` is what `domain.why` decides by; `body` None: the sheet is kept no more, or is
    personal, and then there is a `slip`; or the disk has `damaged` it."""

    view: SubmissionView
    in_doubt: bool
    base: str | None
    standing: SubmissionFacts
    holds: Sequence[HeldBy]
    attempts: Sequence[AttemptView]
    versions: Sequence[Version]
    files: Sequence[FileName]
    body: bytes | None
    damaged: bool
    slip: Slip | None
    clash: ConflictView | None
    audit: Sequence[AuditView]


def load_detail(conn: Connection, now: datetime, submission: str) -> SubmissionDetail | None:
    """The details of the submission of that id."""
    view = queries.submission(conn, submission)
    if view is None:
        return None
    more: Any = conn.execute(
        select(
            Submission.in_doubt,
            Submission.base,
            Submission.blocked,
            Submission.wait_for,
            Submission.failures,
            Submission.chain_id,
        ).where(Submission.seq == view.seq)
    ).one()
    held = _holds(conn, now, view)
    clash = versions.conflict(conn, view.seq) if view.state is State.CONFLICT else None
    body, damaged = _body(conn, view.seq)
    return SubmissionDetail(
        view=view,
        in_doubt=more.in_doubt,
        base=more.base,
        standing=_standing(conn, now, view, more, held, clash),
        holds=held,
        attempts=_attempts(conn, view.seq),
        versions=versions.of_chain(conn, more.chain_id),
        files=versions.file_names(conn, [view.seq]).get(view.seq, []),
        body=body,
        damaged=damaged,
        slip=slips.of(conn, view.id),
        clash=clash,
        audit=audit_of(conn, view),
    )


def _body(conn: Connection, seq: int) -> tuple[bytes | None, bool]:
    """The bytes, and whether the disk has damaged them. The page has to be there all the same: here one can act."""
    try:
        return queries.body(conn, seq), False
    except StoreUnavailable as error:
        if error.cause != CAUSE:
            raise
        return None, True


def audit(
    conn: Connection, size: int, before: int | None = None, who: str = "", action: str = ""
) -> list[AuditView]:  # fmt: skip
    """The audit, latest first; `before` is an id to go on from."""
    query = select(Audit).order_by(Audit.id.desc()).limit(size)
    if before is not None:
        query = query.where(Audit.id < before)
    if who:
        query = query.where(Audit.who == who)
    if action:
        query = query.where(Audit.action == action)
    return [_audit(row) for row in conn.execute(query)]


def audit_of(conn: Connection, view: SubmissionView) -> list[AuditView]:
    """Actions on this submission, by name or by a filter, the latest first."""
    query = (
        select(Audit)
        .join(AuditSubmission, AuditSubmission.audit_id == Audit.id)
        .where(AuditSubmission.seq == view.seq)
        .order_by(AuditSubmission.audit_id.desc())
        .limit(AUDIT_SHOWN)
    )
    return [_audit(row) for row in conn.execute(query)]


def _audit(row: Any) -> AuditView:
    return AuditView(row.id, row.at, row.who, row.action, row.target, row.count, row.reason)


def _attempts(conn: Connection, seq: int) -> list[AttemptView]:
    columns = [getattr(Attempt, name) for name in AttemptView.__slots__]
    query = select(*columns).where(Attempt.seq == seq).order_by(Attempt.number.desc()).limit(ATTEMPTS_SHOWN)
    return [AttemptView(*row) for row in conn.execute(query)]


def _holds(conn: Connection, now: datetime, view: SubmissionView) -> list[HeldBy]:
    query = (
        select(Hold.id, Hold.scope, Hold.reason, Hold.placed_by, Hold.release_at)
        .where(
            Hold.released_at.is_(None),
            or_(Hold.release_at.is_(None), Hold.release_at > now),
            or_(
                Hold.scope == "destination",
                and_(Hold.scope == "event", Hold.event_id == view.event_id),
                Hold.id == select(Submission.hold_id).where(Submission.seq == view.seq).scalar_subquery(),
            ),
        )
        .order_by(Hold.id)
    )
    return [HeldBy(row[0], HoldFact(*row[1:])) for row in conn.execute(query)]


def _standing(
    conn: Connection, now: datetime, view: SubmissionView, more: Any, held: Sequence[HeldBy], clash: ConflictView | None
) -> SubmissionFacts:
    link = conn.execute(
        select(Link.state, Link.next_probe_at, Link.refused_at)
        .join(Submission, Submission.destination == Link.name)
        .where(Submission.seq == view.seq)
    ).first()  # fmt: skip
    alive = any((now - seen_at).total_seconds() < workers.ALIVE_S for _, _, seen_at in workers.every(conn))
    lost = clash is not None and clash.head is None
    predecessor = clash.lost if clash is not None else None
    if more.blocked:
        goes_first = and_(Submission.state.in_(WAITING), Submission.blocked.is_(False))
        predecessor = conn.execute(
            select(func.max(Submission.version)).where(goes_first, Submission.chain_id == more.chain_id)
        ).scalar_one()  # fmt: skip
    return SubmissionFacts(
        state=view.state,
        link=None if link is None else LinkState(link.state),
        worker_alive=alive,
        cause=view.cause,
        blocked=more.blocked,
        predecessor=predecessor,
        lost=lost,
        hold=held[0].fact if held else None,
        credentials_refused=link is not None and link.refused_at is not None,
        event_refused=refusals.is_refused(conn, view.kind, view.event_id),
        next_probe_at=None if link is None else link.next_probe_at,
        next_attempt_at=view.next_attempt_at,
        wait_for=more.wait_for,
        failures=more.failures,
        ahead=versions.place(conn, now, view.seq).ahead if view.state is State.QUEUED else None,
        destination=view.destination,
    )
