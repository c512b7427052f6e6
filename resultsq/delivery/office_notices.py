"""Keeps the office's notices as the master lists them, so that teams read them while the link is down, too."""

from contextlib import closing
from functools import partial

from sqlalchemy import Connection

from resultsq import logs
from resultsq.clock import Clock
from resultsq.delivery.masters import open_configured
from resultsq.delivery.periodic import PeriodicTask
from resultsq.domain.i18n import gettext_noop
from resultsq.domain.notices import NoNotices, NoticeList
from resultsq.domain.outcome import Deferred, Outcome, summary
from resultsq.settings import Settings
from resultsq.store.admin import notices
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links

LOOK_S = 5.0
EVERY_S = 60.0
NONE_S = 3600.0
"""A master that has no notices is asked again after this: it may have been renewed."""

NO_CALL = gettext_noop("The master has no notices: it speaks version 1 of the contract.")
_log = logs.get("notices")


def periodic_task(settings: Settings, database: Database, clock: Clock) -> PeriodicTask:
    """Ask the master for its notices each minute, and at once after the link's return, when no results are due."""

    def due() -> bool:
        with database.read() as conn:
            return _is_due(conn, clock)

    def work() -> None:
        if due():  # another worker may have done it meanwhile
            _ask(settings, database, clock)

    return PeriodicTask("resultsq.notices", LOOK_S, work, due)


def _is_due(conn: Connection, clock: Clock) -> bool:
    now = clock.now()
    link = links.at_rest(conn, now)
    return link is not None and not link.results_are_due and notices.is_due(notices.feed(conn), now, link.returned_at)


def _ask(settings: Settings, database: Database, clock: Clock) -> None:
    with database.read() as conn:
        before = notices.feed(conn)
    with closing(open_configured(settings.renewed(), clock)) as master:
        found = master.notices(before.etag)
    now = clock.now()
    match found:
        case NoticeList(notices=None):
            end = partial(notices.asked, now=now, wait_s=EVERY_S, error=None)
        case NoticeList(notices=listed, etag=etag):
            database.write(lambda conn: notices.replace_offices(conn, now, listed or ()))
            end = partial(notices.asked, now=now, wait_s=EVERY_S, error=None, etag=etag)
        case NoNotices():
            end = partial(notices.asked, now=now, wait_s=NONE_S, error=NO_CALL, etag="")
        case outcome:
            end = partial(notices.asked, now=now, wait_s=_wait_s(outcome), error=summary(outcome).detail)
    database.write(end)
    error = end.keywords["error"]
    if error is not None and error != before.error:  # once, and not each minute
        _log.info("notices.not_listed", why=error)


def _wait_s(outcome: Outcome) -> float:
    later = outcome.retry_after_s if isinstance(outcome, Deferred) else None
    return max(EVERY_S, min(later or 0.0, NONE_S))
