"""What becomes of one submission by a person's decision, each change with its line of the audit.

`decide` makes the transaction and rings; the other functions work inside the caller's. `who` is the person or program
that asks, as the audit names it.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from resultsq.app.context import AppContext
from resultsq.domain import cldr
from resultsq.domain.entry import NO_EVENT
from resultsq.domain.errors import InputRefused, QuotaReached
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.ports import Kind
from resultsq.store import outbox
from resultsq.store.admin import quotas
from resultsq.store.engine import audit
from resultsq.store.outbox import Acknowledgement, Entry, at_once
from resultsq.store.views import queries

Decision = Callable[[Connection, datetime, str, str, str], Acknowledgement]
"""Takes connection, now, who, the submission's id and the reason."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that one event may hand in on a day; 0: no limit."""

    submissions: int
    bytes: int


def keep(ctx: AppContext, now: datetime, entry: Entry) -> Acknowledgement:
    """Commit it, and then ring the bell, for which nothing waits.

    :raises KeyReused, HeadMoved: as `outbox.accept`.
    :raises QuotaReached: the event has handed in as much today as it may; nothing was stored.
    :raises StoreUnavailable: nothing was stored."""
    quota = Quota(ctx.settings.event_submissions_per_day, ctx.settings.event_bytes_per_day)
    try:
        first = at_once.accept_first(ctx.database, now, entry, quota.submissions, quota.bytes)
        accepted = first or ctx.database.write(lambda conn: accept(conn, now, entry, quota), "accept")
    except QuotaReached:
        ctx.database.write(lambda conn: quotas.note_refusal(conn, now, entry.event_id))  # for an alert
        raise
    if accepted.created:
        ctx.bell.ring()
    return accepted


def submit(
    ctx: AppContext,
    kind: Kind,
    value: object,
    event_of: Callable[[str], int],
    *,
    submitted_by: str,
    submission: str | None = None,
    client_key: str | None = None,
    request_id: str = "",
) -> tuple[Acknowledgement, Entry]:
    """Accept a JSON value of any kind. `event_of` says the id of the event that it names: empty where it names none;
    `submission` is the id that its maker gave it.

    :raises SheetRefused: with a JSON pointer for each value that cannot be taken; nothing was stored.
    :raises InputRefused: it is personal: what it needs beside its value is given by a use case of its own
    :raises KeyReused, HeadMoved, QuotaReached, StoreUnavailable: as `keep`."""
    now, id_ = ctx.clock.now(), submission or str(uuid.uuid4())
    entry = kind.prepare(value, submission=id_, submitted_by=submitted_by, submitted_at=now.replace(microsecond=0))
    if entry.slip is not None:
        raise InputRefused(gettext("Personal data is taken by a call of its own. Nothing was stored."))
    whole = replace(entry, event_id=event_of(entry.event), client_key=client_key, request_id=request_id)
    return keep(ctx, now, whole), whole


def accept(conn: Connection, now: datetime, entry: Entry, quota: Quota) -> Acknowledgement:
    """Store one version; see `outbox.accept` for what else it raises. A correction is a change, and noted as one.

    :raises QuotaReached: the event has handed in as much today. A repeat is found all the same."""
    accepted = outbox.accept(conn, now, entry)
    if accepted.created and entry.event_id != NO_EVENT:
        keep_to(quota, conn, now, entry.event_id, len(entry.body) + sum(len(file.content) for file in entry.files))
    if accepted.created and entry.if_match is not None:
        audit.note_submission(conn, now, entry.submitted_by, "correct", accepted.id)
    return accepted


def keep_to(quota: Quota, conn: Connection, now: datetime, event_id: int, size: int) -> None:
    """Count one more submission of so many bytes.

    :raises QuotaReached: it is more than the event may hand in today"""
    used = quotas.use(conn, now, event_id, size)
    if 0 < quota.submissions < used.submissions:
        many = ngettext("{number} submission", "{number} submissions", quota.submissions)
    elif 0 < quota.bytes < used.bytes:
        many = gettext("sheets and files of {size} MB", size=cldr.number(max(1, quota.bytes // 1_000_000)))
    else:
        return
    raise QuotaReached(
        gettext(
            "This event has reached its limit of {many} a day, so this was not stored. What was accepted before "
            "is safe. Send it again tomorrow, or ask this node's operators to allow more.",
            many=many,
        ),
        quotas.left_s(now),
    )


def decide(ctx: AppContext, decision: Decision, who: str, submission: str, reason: str = "") -> Acknowledgement:
    """Carry out the decision, commit it, and ring: another version may be next now."""
    now = ctx.clock.now()
    done = ctx.database.write(lambda conn: decision(conn, now, who, submission, reason))
    ctx.bell.ring()
    return done


def withdraw(conn: Connection, now: datetime, who: str, submission: str, reason: str = "") -> Acknowledgement:
    """Withdraw a submission that the master cannot have; raises as `outbox.withdraw`."""
    return _noted(conn, now, who, "withdraw", submission, reason, outbox.withdraw)


def undo_withdrawal(conn: Connection, now: datetime, who: str, submission: str, reason: str = "") -> Acknowledgement:
    """Put a withdrawn version back in the queue; raises as `outbox.undo_withdrawal`."""
    return _noted(conn, now, who, "undo", submission, reason, outbox.undo_withdrawal)


def publish_over(conn: Connection, now: datetime, who: str, submission: str, reason: str = "") -> Acknowledgement:
    """Publish on top of the master's version; raises as `outbox.publish_over`."""
    return _noted(conn, now, who, "publish over", submission, reason, outbox.publish_over)


def send_lost_again(conn: Connection, now: datetime, who: str, submission: str, reason: str = "") -> Acknowledgement:
    """Send again what the master lost, and then this one; raises as `outbox.send_lost_again`."""
    return _noted(conn, now, who, "resend", submission, reason, outbox.send_lost_again)


def _noted(
    conn: Connection,
    now: datetime,
    who: str,
    action: str,
    submission: str,
    reason: str,
    do: Callable[[Connection, datetime, str], Acknowledgement],
) -> Acknowledgement:
    before = queries.submission(conn, submission)
    done = do(conn, now, submission)
    if before is not None and done.state != before.state:  # a repeat changes nothing
        audit.note_submission(conn, now, who, action, submission, reason)
    return done
