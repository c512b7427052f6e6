"""Send one sheet: a lease in, a settlement out. No database session is open during the call.

The attempt's row was committed with the lease, before the call; the next dispatch cycle writes the settlement. A sender
that dies in between leaves a lease that runs out and an attempt with an unknown end.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain import backoff
from resultsq.domain.outcome import (
    LINK_CAUSES,
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Outcome,
    Redirected,
    Rejected,
    Unauthorised,
    summary,
)
from resultsq.domain.ports import Destination, Parcel
from resultsq.domain.settlement import Settlement
from resultsq.kinds.registry import KINDS
from resultsq.store.outbox import Lease

STALL_TIMEOUT_S = 2.0
"""How long a call may be silent before the prober is asked."""

EXPIRED = "expired"
_MOST_STALLS = 4
_log = logs.get("sender")


def stall_timeout_s(silences: int) -> float:
    """Twice as long after each attempt that was given up for silence: the master may just be slow, and a
    sheet that is always given up would never get through."""
    return STALL_TIMEOUT_S * 2.0 ** min(silences, _MOST_STALLS)


def deliver(master: Destination, lease: Lease, clock: Clock, jitter: float) -> Settlement:
    """Send one leased submission and say how it ended. Raises nothing: a fault of ours is an ending too."""
    began = clock.monotonic()
    parcel = Parcel(
        lease.kind,
        lease.submission,
        lease.event,
        lease.date,
        lease.body,
        lease.digest,
        lease.base,
        in_doubt=lease.in_doubt,
        lease=lease.lease,
    )
    try:
        outcome = _expired(parcel, clock.now()) or master.send(parcel, stall_timeout_s(lease.silences))
        return settlement(lease, outcome, clock.monotonic() - began, jitter)
    except Exception as surprise:  # noqa: BLE001 - logged, and an ending like any other
        _log.exception("sender.surprised", submission=lease.submission, attempt=lease.attempt)
        return settlement(lease, at_fault(surprise), clock.monotonic() - began, jitter)


def _expired(parcel: Parcel, now: datetime) -> Rejected | None:
    """The end of what is of no use any more. One in doubt is sent all the same: the master may have it, and says so."""
    until = None if parcel.in_doubt else KINDS[parcel.kind].expires_at(parcel.body)
    return Rejected(EXPIRED, "Expired, not sent.") if until is not None and now >= until else None


def at_fault(surprise: Exception) -> Deferred:
    """The end of an attempt is unknown, for a reason that is not the network's."""
    return Deferred(Cause.SURPRISE, f"A fault of resultsq itself: {type(surprise).__name__}.", in_doubt=True)


def settlement(lease: Lease, outcome: Outcome, duration_s: float, jitter: float) -> Settlement:
    """The end of this lease's attempt, and how long the submission waits. `jitter` is a draw from [0, 1)."""
    end = Settlement(lease.lease, lease.seq, duration_s, outcome)
    match outcome:
        case Deferred():
            obeys = outcome.retry_after_s is not None
            of_link = outcome.cause in LINK_CAUSES
            wait_s = backoff.after_answer_s(outcome.retry_after_s, lease.failures + 1, jitter)
            return replace(
                end,
                # given up because a newer connection works: there is nothing to wait for
                wait_s=None if outcome.cause is Cause.SILENT else wait_s,
                wait_for="master" if obeys else "link" if of_link else "backoff",
            )
        case Conflict():
            return replace(end, rows_digest=_rows_digest(lease.kind, outcome.head_sheet))
        case Accepted() | Rejected() | Unauthorised() | Redirected():
            return end
        case _ as never:
            assert_never(never)


def _rows_digest(kind: str, body: bytes | None) -> str | None:
    if body is None:
        return None
    try:
        return KINDS[kind].rows_digest(body)
    except ValueError:  # another node may publish what this version cannot read: then the rows are not equal
        return None


def log_line(lease: Lease, end: Settlement, state: str | None) -> None:
    """The one line an attempt."""
    words = summary(end.outcome)
    _log.info(
        f"attempt.{words.outcome}",
        submission=lease.submission,
        slug=lease.event,
        attempt=lease.attempt,
        status=end.outcome.exchange.status,
        cause=words.cause,
        duration_s=round(end.duration_s, 3),
        state=state,
        request_id=lease.request_id or None,
    )
