"""This node as a relay: it stores what other nodes hand to it, and publishes it as its own.

What another node says of a sheet is not believed: its envelope is read from the sheet itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from resultsq.app import people
from resultsq.app.context import AppContext, Transaction
from resultsq.app.intake import demand_few_values
from resultsq.app.people import EventDetails
from resultsq.app.submissions import Quota, keep_to
from resultsq.domain import sheet
from resultsq.domain.destinations import MASTER
from resultsq.domain.entry import NO_EVENT
from resultsq.domain.errors import InputRefused, NotAllowed, QuotaReached
from resultsq.domain.i18n import gettext
from resultsq.domain.ports import Envelope
from resultsq.kinds.registry import KINDS
from resultsq.store.admin import events, quotas
from resultsq.store.admin.tokens import Bearer
from resultsq.store.engine import audit
from resultsq.store.outbox import BundledVersion, custody, no_event
from resultsq.store.outbox.custody import HeldHere, Holder

MOST_NODES = 8
"""A submission that came through more nodes is not taken: it goes round."""

_LONGEST_VIA = 1000
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class RoundInCircle(InputRefused):
    """The submission came through this very node already, or through too many."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A submission as another node sends it. `event` and `date` are those of the address, empty where it has none;
    `via` are the names of the nodes that it came through."""

    kind: str
    id: str
    event: str
    date: str
    base: str | None
    body: bytes
    via: Sequence[str]


def take(ctx: AppContext, who: Bearer, given: HandedOver) -> tuple[str, HeldHere]:
    """Store a submission that another node hands over, and commit; this node's name, and how it stands here.

    :raises InputRefused: it is not what it says
    :raises RoundInCircle: it was here before, on its way through other nodes
    :raises NotAllowed: the token is not good for its event
    :raises KnownOtherwise: another sheet is here under its id
    :raises QuotaReached, StoreUnavailable: nothing was stored"""
    found = _envelope(given)
    _demand_event(who, found.event)
    quota = Quota(ctx.settings.event_submissions_per_day, ctx.settings.event_bytes_per_day)
    try:
        name, held, new = ctx.transact(who.who, lambda tx: _take(tx, ctx, who, given, found, quota))
    except QuotaReached:
        ctx.transact(who.who, lambda tx: _note_refusal(tx, found.event))
        raise
    if new:
        ctx.bell.ring()
    return name, held


def look(ctx: AppContext, who: Bearer, submission: str) -> tuple[str, HeldHere] | None:
    """This node's name, and how a submission stands here; None: it is not known, or not the caller's to know."""
    with ctx.database.read() as conn:
        held, name = custody.held_here(conn, submission), custody.known_name(conn)
    if held is None or not covers(who, held.event):
        return None
    return name or ctx.database.write(custody.node_name), held


def covers(who: Bearer, event: str) -> bool:
    """Whether the token is good for this event. What belongs to none is for tokens that are good for all."""
    return who.events is None or event in who.events


def _demand_event(who: Bearer, event: str) -> None:
    if not covers(who, event):
        raise NotAllowed(gettext("This token is not good for {event}. Nothing was stored.", event=event or "no event"))


def _take(
    tx: Transaction, ctx: AppContext, who: Bearer, given: HandedOver, found: Envelope, quota: Quota
) -> tuple[str, HeldHere, bool]:
    name = custody.node_name(tx.conn)
    if name in given.via or len(given.via) > MOST_NODES:
        raise RoundInCircle(gettext("This came through this node before, or through too many. Nothing was stored."))
    event_id = _event_id(tx, found.event, ctx.settings.time_zone)
    via = ", ".join(given.via)[:_LONGEST_VIA]
    new = custody.take_custody(tx.conn, tx.now, _version(who, given, found, tx), event_id, Holder(who.id, via))
    if new:
        if event_id != NO_EVENT:
            keep_to(quota, tx.conn, tx.now, event_id, len(given.body))
        audit.note_submission(tx.conn, tx.now, tx.who, "take over", given.id)
    held = custody.held_here(tx.conn, given.id)
    if held is None:
        raise AssertionError("a submission that was stored is not there")
    return name, held, new


def _note_refusal(tx: Transaction, event: str) -> None:
    if (known := events.find(tx.conn, event)) is not None:
        quotas.note_refusal(tx.conn, tx.now, known.id)


def _event_id(tx: Transaction, slug: str, time_zone: str) -> int:
    """The event of that slug here, made where it is missing."""
    if not slug:
        return no_event.ensure_no_event(tx.conn, tx.now)
    if (known := events.find(tx.conn, slug)) is not None:
        return known.id
    return people.add_event(tx, EventDetails(slug, slug, time_zone))


def _version(who: Bearer, given: HandedOver, found: Envelope, tx: Transaction) -> BundledVersion:
    return BundledVersion(
        given.id,
        given.kind,
        found.event,
        found.date,
        given.base,
        sheet.digest(given.body),
        found.rows_digest,
        found.finishers,
        who.label,
        tx.now,
        given.body,
        KINDS[given.kind].subject(given.id, found.date),
        KINDS[given.kind].slip(given.body),
    )


def _envelope(given: HandedOver) -> Envelope:
    if given.kind not in KINDS or KINDS[given.kind].destination != MASTER:
        raise InputRefused(gettext("This node knows no such kind of submission. Nothing was stored."))
    if not _ID.fullmatch(given.id):
        raise InputRefused(gettext("The Idempotency-Key must be the submission's UUID. Nothing was stored."))
    demand_few_values(given.body, "")
    try:
        found = KINDS[given.kind].envelope(given.body)
    except ValueError:
        raise InputRefused(gettext("The body cannot be read as what it says it is. Nothing was stored.")) from None
    if given.event and (found.event, found.date) != (given.event, given.date):
        raise InputRefused(gettext("The sheet is of another event or date than its address. Nothing was stored."))
    return found
