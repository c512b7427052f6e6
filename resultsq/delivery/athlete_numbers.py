"""Leases athlete numbers ahead of need, so that runners register with a final number while the master is away."""

from contextlib import closing
from datetime import timedelta
from functools import partial

from resultsq import logs
from resultsq.clock import Clock
from resultsq.delivery.masters import open_configured
from resultsq.delivery.periodic import PeriodicTask
from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.i18n import gettext_noop
from resultsq.domain.outcome import Deferred, Outcome, summary
from resultsq.settings import Settings
from resultsq.store.admin import number_blocks
from resultsq.store.admin.number_blocks import AskedBlock
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links

LOOK_S = 2.0
AGAIN_S = 30.0
NONE_S = 3600.0
"""A master that leases no numbers is asked again after this: it may have been renewed."""

NO_CALL = gettext_noop("The master leases no athlete numbers: it speaks version 1 of the contract.")
_log = logs.get("numbers")


def periodic_task(settings: Settings, database: Database, clock: Clock) -> PeriodicTask:
    """Lease a block when few numbers are left and the link is up. A call is small, so results need not wait for it."""

    def due() -> bool:
        if not settings.registration:
            return False
        with database.read() as conn:
            now = clock.now()
            return links.at_rest(conn, now) is not None and number_blocks.is_due(conn, now, settings.number_block_low)

    def work() -> None:
        if due():  # another worker may have done it meanwhile
            _lease(settings, database, clock)

    return PeriodicTask("resultsq.athlete_numbers", LOOK_S, work, due)


def _lease(settings: Settings, database: Database, clock: Clock) -> None:
    # the key is committed before the call: after a lost answer the master gives the same block again
    asked = database.write(lambda conn: number_blocks.ask(conn, settings.number_block_size))
    with closing(open_configured(settings.renewed(), clock)) as master:
        found = master.lease_block(asked.key, asked.size)
    now = clock.now()
    match found:
        case LeasedBlock() as block:
            until = now + timedelta(days=settings.number_block_days)
            database.write(lambda conn: number_blocks.leased(conn, asked.key, block, until))
            _log.info("numbers.leased", block=block.name, numbers=block.last - block.first + 1)
        case NoBlocks():
            _put_off(database, clock, asked, NONE_S, NO_CALL)
        case outcome:
            _put_off(database, clock, asked, _wait_s(outcome), summary(outcome).detail or summary(outcome).outcome)


def _put_off(database: Database, clock: Clock, asked: AskedBlock, wait_s: float, error: str) -> None:
    database.write(partial(number_blocks.put_off, now=clock.now(), key=asked.key, wait_s=wait_s, error=error))
    if error != asked.error:  # once, and not each minute
        _log.info("numbers.not_leased", why=error)


def _wait_s(outcome: Outcome) -> float:
    later = outcome.retry_after_s if isinstance(outcome, Deferred) else None
    return max(AGAIN_S, min(later or 0.0, NONE_S))
