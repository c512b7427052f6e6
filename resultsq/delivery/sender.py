"""Send one sheet: a lease in, a settlement out. No database session is open during the call.

The attempt's row was committed with the lease, before the call; the next dispatch cycle writes the settlement. A sender
that dies in between leaves a lease that runs out and an attempt with an unknown end.
"""

from dataclasses import asdict

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain import backoff
from resultsq.domain.outcome import (
    LINK_CAUSES,
    Accepted,
    Cause,
    Conflict,
    Deferred,
    Exchange,
    Outcome,
    Rejected,
    Scope,
    Unauthorised,
)
from resultsq.domain.ports import Master, Parcel
from resultsq.kinds.registry import KINDS
from resultsq.store.outbox import Clash, Lease, Published, PutBack, Refused, Settlement

STALL_TIMEOUT_S = 2.0
"""How long a call may be silent before the prober is asked."""

_MOST_STALLS = 4
_log = logs.get("sender")


def stall_timeout_s(silences: int) -> float:
    """Twice as long after each attempt that was given up for silence: the master may just be slow, and a
    sheet that is always given up would never get through."""
    return STALL_TIMEOUT_S * 2.0 ** min(silences, _MOST_STALLS)


def deliver(master: Master, lease: Lease, clock: Clock, jitter: float) -> Settlement:
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
    )
    try:
        outcome = master.send(parcel, stall_timeout_s(lease.silences))
        return settlement(lease, outcome, clock.monotonic() - began, jitter)
    except Exception as surprise:  # noqa: BLE001 - logged, and an ending like any other
        _log.exception("sender.surprised", submission=lease.submission, attempt=lease.attempt)
        return settlement(lease, at_fault(surprise), clock.monotonic() - began, jitter)


def at_fault(surprise: Exception) -> Deferred:
    """Nobody can say what came of an attempt, for a reason that is not the network's."""
    return Deferred(Cause.SURPRISE, f"A fault of resultsq itself: {type(surprise).__name__}.", in_doubt=True)


def settlement(lease: Lease, outcome: Outcome, duration_s: float, jitter: float) -> Settlement:
    """What an outcome means for the submission. `jitter` is a draw from [0, 1)."""
    name, seq, exchange = lease.lease, lease.seq, outcome.exchange
    match outcome:
        case Accepted():
            return Published(name, seq, duration_s, exchange, outcome.receipt)
        case Deferred():
            obeys = outcome.retry_after_s is not None
            of_link = outcome.cause in LINK_CAUSES
            wait_s = backoff.after_answer_s(outcome.retry_after_s, lease.failures + 1, jitter)
            return PutBack(
                name,
                seq,
                duration_s,
                exchange,
                outcome="deferred",
                cause=outcome.cause,
                detail=outcome.detail,
                in_doubt=outcome.in_doubt,
                # given up because a newer connection works: there is nothing to wait for
                wait_s=None if outcome.cause is Cause.SILENT else wait_s,
                wait_for="master" if obeys else "link" if of_link else "backoff",
                charged=True,
            )
        case Unauthorised():
            return PutBack(
                name,
                seq,
                duration_s,
                exchange,
                outcome="unauthorised",
                cause="unauthorised" if outcome.scope is Scope.DESTINATION else "forbidden",
                detail=outcome.detail,
                in_doubt=False,
                wait_s=None,
                wait_for=None,
                charged=False,
                refused_event=outcome.scope is Scope.EVENT,
            )
        case Rejected():
            reasons = tuple(asdict(reason) for reason in outcome.reasons)
            return Refused(name, seq, duration_s, exchange, outcome.code, outcome.detail, reasons)
        case Conflict():
            return Clash(
                name,
                seq,
                duration_s,
                exchange,
                outcome.head,
                outcome.revision,
                outcome.head_sheet,
                _rows_digest(lease.kind, outcome.head_sheet),
                outcome.head_receipt,
            )


def _rows_digest(kind: str, body: bytes | None) -> str | None:
    if body is None:
        return None
    try:
        return KINDS[kind].rows_digest(body)
    except ValueError:  # another node may publish what this version cannot read: then the rows are not equal
        return None


def log_line(lease: Lease, ending: Settlement, state: str | None) -> None:
    """The one line an attempt."""
    exchange: Exchange = ending.exchange
    _log.info(
        f"attempt.{type(ending).__name__.lower()}",
        submission=lease.submission,
        slug=lease.event,
        attempt=lease.attempt,
        status=exchange.status,
        cause=getattr(ending, "cause", None),
        duration_s=round(ending.duration_s, 3),
        state=state,
        request_id=lease.request_id or None,
    )
