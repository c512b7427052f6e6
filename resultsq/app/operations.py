"""What an operator does to submissions, holds and conflicts, with the same checks by page, API and command.

`who` is the person or program that asks, as the audit names it. The store writes each line of the audit in the
transaction that does what it says.
"""

import threading
from datetime import datetime, tzinfo

from sqlalchemy import Connection

from resultsq import logs
from resultsq.app import submissions
from resultsq.app.context import AppContext
from resultsq.domain.errors import InputRefused, NotAllowed, NotThere, StoreUnavailable
from resultsq.domain.i18n import gettext
from resultsq.store.admin import action_runner, actions, events, holding
from resultsq.store.admin.actions import Progress, Target, Verb
from resultsq.store.outbox import Acknowledgement
from resultsq.store.views import queries
from resultsq.store.views.queries import HoldView

REASON_MAX = 500

AT_ONCE_S = 0.5
"""How long the caller of `carry_out` works on an action before a thread goes on: most are over by then."""

_log = logs.get("actions")


# checks


def demand_writable(ctx: AppContext) -> None:
    """:raises NotAllowed: pages and API of this node change nothing (setting read_only)."""
    if ctx.settings.read_only:
        raise NotAllowed(gettext("This node shows everything and changes nothing here (setting read_only)."))


def read_release_at(text: str, zone: tzinfo) -> datetime | None:
    """When a hold ends by itself, in `zone` where the text names none; None: the text is empty.

    :raises InputRefused: it is not a time."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputRefused(gettext("A time is written like 2013-12-07T14:00. Nothing was changed.")) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def demand_future(now: datetime, release_at: datetime | None) -> None:
    """:raises InputRefused: the time of release is over."""
    if release_at is not None and release_at <= now:
        raise InputRefused(gettext("The time of release is over already. Nothing was changed."))


def checked_reason(text: str) -> str:
    """A reason as it is stored.

    :raises InputRefused: it is not one line of text, or too long."""
    reason = text.strip()
    if not reason.isprintable():
        raise InputRefused(gettext("A reason is one line of text. Nothing was changed."))
    if len(reason) > REASON_MAX:
        raise InputRefused(gettext("A reason has at most {most} characters. Nothing was changed.", most=REASON_MAX))
    return reason


# actions on many submissions


def count(ctx: AppContext, verb: str, target: Target) -> tuple[int, int]:
    """How many submissions these are, and to how many of them it can be done now."""
    with ctx.database.read() as conn:
        return actions.count(conn, target), actions.able(conn, ctx.clock.now(), verb, target)


def paused_until(ctx: AppContext, verb: str, target: Target) -> datetime | None:
    """Until when a retry leaves some as they are, because the master asked for a pause; None: it does not."""
    if verb != Verb.RETRY:
        return None
    with ctx.database.read() as conn:
        return actions.paused_until(conn, ctx.clock.now(), target)


def start(
    ctx: AppContext, who: str, verb: str, target: Target, reason: str = "", release_at: datetime | None = None
) -> str:
    """Begin an action; its id. Call `carry_out` or `finish` next.

    :raises InputRefused: there is no such verb, there are too many ids, or the time of release is over."""
    now = ctx.clock.now()
    demand_future(now, release_at)
    return actions.start(ctx.database, now, who, verb, target, checked_reason(reason), release_at)


def start_undo(ctx: AppContext, who: str, action: str, reason: str = "") -> str:
    """Begin to put back what this action withdrew; the new action's id.

    :raises NotThere: no such action withdrew anything."""
    return actions.start_undo(ctx.database, ctx.clock.now(), who, action, checked_reason(reason))


def carry_out(ctx: AppContext, action: str) -> None:
    """Do the action now if it is short. Otherwise a thread goes on with it, and a worker if this process dies."""
    if not action_runner.run(ctx.database, ctx.clock, action, AT_ONCE_S):
        threading.Thread(target=_go_on, args=(ctx, action), name=f"action-{action}", daemon=True).start()
    ctx.bell.ring()


def finish(ctx: AppContext, action: str) -> Progress:
    """Do the action to its end."""
    action_runner.run(ctx.database, ctx.clock, action)
    ctx.bell.ring()
    return progress(ctx, action)


def _go_on(ctx: AppContext, action: str) -> None:
    try:
        finish(ctx, action)
    except StoreUnavailable as error:
        _log.warning("action.left_unfinished", action=action, cause=error.cause)


def progress(ctx: AppContext, action: str) -> Progress:
    """How far an action is.

    :raises NotThere: there is no such action."""
    with ctx.database.read() as conn:
        found = actions.progress(conn, action)
    if found is None:
        raise NotThere(gettext("There is no such action here."))
    return found


def cancel(ctx: AppContext, who: str, action: str) -> None:
    """Leave the rest as it is.

    :raises NotThere: there is no such action."""
    now = ctx.clock.now()
    ctx.database.write(lambda conn: actions.cancel(conn, now, action, who))


# holds of an event, or of everything


def place_hold(
    ctx: AppContext, who: str, slug: str | None, reason: str, release_at: datetime | None = None
) -> HoldView:
    """Hold the event, or everything that goes to the master where `slug` is None. It replaces an older hold of that.

    :raises NotThere: there is no such event.
    :raises InputRefused: the time of release is over."""
    now, given = ctx.clock.now(), checked_reason(reason)
    demand_future(now, release_at)

    def place(conn: Connection) -> HoldView:
        event_id = None if slug is None else _event_id(conn, slug)
        placed = holding.place_hold(conn, now, who, event_id, given, release_at)
        return next(one for one in queries.holds(conn, now) if one.id == placed)

    return ctx.database.write(place)


def release_hold(ctx: AppContext, who: str, hold: int, reason: str = "") -> str | None:
    """End a hold. Where it held single submissions, an action releases them: its id, for `carry_out`.

    :raises NotThere: there is no such hold in force."""
    now, given = ctx.clock.now(), checked_reason(reason)
    action = ctx.database.write(lambda conn: holding.release_hold(conn, now, who, hold, given))
    ctx.bell.ring()
    return action


def holds_of(ctx: AppContext, slug: str | None) -> list[HoldView]:
    """The holds in force of the event, or of everything that goes to the master where `slug` is None.

    :raises NotThere: there are none."""
    scope = ("destination", None) if slug is None else ("event", slug)
    with ctx.database.read() as conn:
        found = [one for one in queries.holds(conn, ctx.clock.now()) if (one.scope, one.event) == scope]
    if not found:
        raise NotThere(gettext("There is no such hold in force."))
    return found


def _event_id(conn: Connection, slug: str) -> int:
    event = events.find(conn, slug)
    if event is None:
        raise NotThere(gettext("There is no event called {slug} here. Nothing was changed.", slug=slug))
    return event.id


# a conflict or a rejection


def publish_over(ctx: AppContext, who: str, submission: str, reason: str) -> Acknowledgement:
    """Send this version again, on top of the master's version; raises as `outbox.publish_over`."""
    return submissions.decide(ctx, submissions.publish_over, who, submission, checked_reason(reason))
