"""Compares this node with the master: first by the master's list of receipts, then by asking for one at a time.

The list is by credentials, so a version published with an older token is not on it: nothing is called lost before the
master said so of its very id."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import ResultsqError
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.outcome import Deferred, Outcome, Receipt
from resultsq.domain.ports import Master, ReceiptPage
from resultsq.store import outbox
from resultsq.store.admin import comparisons
from resultsq.store.engine.session import Database
from resultsq.store.outbox import Question, Reconciled

EDGE = timedelta(minutes=10)
"""The master's clock and ours differ a little: a version at the edge is not taken for lost."""

MOST_QUESTIONS = 2_000
"""Asked one by one in one comparison; the next one goes on."""

MOST_PAGES = 2_000
_NO_ANSWER = gettext_noop("the master gave no answer about it")
_LEFT = gettext_noop("left for the next comparison")
_log = logs.get("reconcile")


def reconcile(
    database: Database,
    master: Master,
    now: datetime,
    since: datetime,
    most: int = MOST_QUESTIONS,
    kinds: Collection[str] = (),
) -> Reconciled:
    """Compare the versions published since then, of these kinds or of all. One that the master lacks is queued again;
    one that waits here or was given up and is there is published.

    :raises ResultsqError: the master's list could not be had whole; nothing was changed"""
    return _brought_in_line(database, master, now, since, _listed(master, since), most, kinds)


def _brought_in_line(
    database: Database,
    master: Master,
    now: datetime,
    since: datetime,
    has: dict[str, Receipt],
    most: int = MOST_QUESTIONS,
    kinds: Collection[str] = (),
) -> Reconciled:
    """`has`: what the master listed since then."""
    with database.read() as conn:
        left = outbox.open_questions(conn, now, has, since + EDGE, kinds)
    gone, unanswered = _ask(master, left.questions[:most], has)
    chains = {*left.chains, *(one.chain_id for one in left.questions[:most] if one.name in gone or one.name in has)}
    skipped = {
        gettext_noop("published before the time that was asked for"): left.older,
        gettext_noop("published within the last minute"): left.newer,
        _NO_ANSWER: unanswered,
        _LEFT: max(0, len(left.questions) - most),
    }
    total = Reconciled(0, 0, left.different, 0, {cause: count for cause, count in skipped.items() if count})
    for chain in sorted(chains):
        work = partial(outbox.bring_in_line, now=now, chain_id=chain, has=has, gone=gone)
        total += database.write(work)
    return total


def by_itself(database: Database, master: Master, clock: Clock) -> Reconciled | None:
    """Compare with the master if that is due: as a rule only submissions and receipts since the last comparison.

    It goes back a whole month if something new is gone or there is too much of it, if the master has less than it had,
    or if something waits for a comparison. It goes back to the time that a person named who asked for one.
    None: it was not due, or could not be made."""
    now = clock.now()
    less = database.write(lambda conn: comparisons.take(conn, now))
    if less is None:
        return None
    with database.read() as conn:
        heard, asked = comparisons.heard_until(conn), comparisons.asked_since(conn)
        whole = less or asked is not None or comparisons.anything_open(conn)
    month = (now - comparisons.REACH if asked is None else min(asked, now - comparisons.REACH)) - EDGE
    since = month if whole or heard is None else min(heard, now) - EDGE
    try:
        has = _listed(master, since)
        if not whole and not _all_there(database, master, now, since, has):
            whole, since, has = True, month, _listed(master, month)
        found = _brought_in_line(database, master, now, since, has)
    except ResultsqError as error:
        said = str(error)
        database.write(lambda conn: comparisons.record_failure(conn, now, said))
        return None
    reached = since + EDGE if whole and not {_NO_ANSWER, _LEFT} & found.skipped.keys() else None
    # an empty list does not show how far the master's clock is behind, so the next comparison begins where this one did
    until = min(now, max((one.received_at for one in has.values()), default=since + EDGE))
    database.write(lambda conn: comparisons.record(conn, now, found, whole, reached, until))
    if found.lost:
        _log.warning("master.lost", lost=found.lost, settled=found.settled, resumed=found.resumed)
    return found


def _all_there(database: Database, master: Master, now: datetime, since: datetime, has: dict[str, Receipt]) -> bool:
    """Whether the master surely has all that was published here since then. `has`: what it listed; its other receipts
    are added. Too much to look for counts as no.

    :raises ResultsqError: the master gave no answer"""
    with database.read() as conn:
        names = comparisons.newest_names(conn, now, since + EDGE)
    if len(names) > comparisons.MOST:
        return False
    for name in names:
        if name in has:
            continue
        match master.receipt(name):
            case None:
                return False
            case Receipt() as receipt:
                has[name] = receipt
            case outcome:
                raise ResultsqError(
                    gettext("The master gave no answer about the newest results: {reason}", reason=_said(outcome))
                )
    return True


def _listed(master: Master, since: datetime) -> dict[str, Receipt]:
    """:raises ResultsqError: it could not be had whole"""
    receipts: dict[str, Receipt] = {}
    cursors: set[str | None] = {None}
    cursor: str | None = None
    while True:
        page = master.receipts(since.isoformat(), None, cursor)
        if not isinstance(page, ReceiptPage):
            raise ResultsqError(
                gettext(
                    "The master's list of receipts could not be had: {reason} Nothing was changed.", reason=_said(page)
                )
            )
        receipts |= {one.submission: one for one in page.receipts}
        cursor = page.next_cursor
        if cursor is None:
            return receipts
        if cursor in cursors or not page.receipts or len(cursors) > MOST_PAGES:
            raise ResultsqError(gettext("The master's list of receipts does not come to an end. Nothing was changed."))
        cursors.add(cursor)


def _ask(master: Master, questions: Sequence[Question], has: dict[str, Receipt]) -> tuple[set[str], int]:
    """Which of these names the master has not; those that it has are added to `has`. And how many got no answer:
    after the first the rest is not asked, for the link is away."""
    gone: set[str] = set()
    for number, one in enumerate(questions):
        if one.name in has or one.name in gone:
            continue
        match master.receipt(one.name):
            case None:
                gone.add(one.name)
            case Receipt() as receipt:
                has[one.name] = receipt
            case _:
                return gone, len(questions) - number
    return gone, 0


def _said(outcome: Outcome) -> str:
    return outcome.detail if isinstance(outcome, Deferred) else getattr(outcome, "detail", "")
