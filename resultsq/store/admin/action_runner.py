"""Does the pieces of actions, and ends the holds whose time has come."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import StoreUnavailable
from resultsq.store.admin import actions, holding
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Action, Hold

PIECE_S = {"sqlite": 0.02, "postgresql": 0.06}
"""How long a piece should take, by database. After one that took longer, `run` makes the next one smaller. On SQLite
each writer waits for a piece; on PostgreSQL only a writer of the same submissions does."""

PAUSE_S = 0.01
"""Between two pieces, so that others can write."""

_log = logs.get("actions")


def run(database: Database, clock: Clock, action: str, for_s: float = float("inf")) -> bool:
    """Do an action piece by piece, for so many seconds; whether it is over."""
    piece_s = PIECE_S[database.engine.dialect.name]
    began = at = clock.monotonic()
    most = 10  # where each chain is looked at by itself, more may take too long

    def advance(conn: Connection) -> bool:
        nonlocal at
        at = clock.monotonic()  # a piece that waits for its turn holds up nobody
        return actions.advance(conn, clock.now(), action, most)

    while database.write(advance):
        after = clock.monotonic()
        if after - began >= for_s:
            return False
        most = max(1, min(actions.PIECE, 4 * most, int(most * piece_s / max(after - at, 0.001))))
        time.sleep(PAUSE_S)
    return True


def is_due(database: Database, clock: Clock) -> bool:
    """Whether `go_on` has anything to do."""
    with database.read() as conn:
        return bool(conn.execute(_IS_DUE, {"now": clock.now()}).scalar_one())


_IS_DUE = select(  # built once: each worker asks every two seconds
    or_(
        select(Hold.id).where(*holding.due(bindparam("now"))).exists(),
        select(Action.id).where(Action.ended_at.is_(None)).exists(),
    )
)


def go_on(database: Database, clock: Clock) -> None:
    """Release the holds that are due, and finish the actions left unfinished. May be called by several at once. A step
    that fails does not stop the others; it is reported, and tried again at the next call."""
    with database.read() as conn:
        due = conn.execute(select(Hold.id).where(*holding.due(clock.now()))).scalars().all()
    for hold in due:
        with _alone("hold.not_released", hold=hold):
            database.write(partial(_release_one, now=clock.now(), hold=hold))
    with database.read() as conn:
        unfinished = conn.execute(_UNFINISHED).all()
    for one in unfinished:
        try:
            run(database, clock, one.id)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - written into its row, and reported by an alert
            _note_failure(database, one, type(error).__name__)


_UNFINISHED = select(Action.id, Action.verb, Action.error).where(Action.ended_at.is_(None)).order_by(Action.started_at)


@contextmanager
def _alone(what: str, **which: object) -> Generator[None]:
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - the next one may be done all the same
        _log.exception(what, **which)


def _note_failure(database: Database, action: Any, error: str) -> None:
    if action.error == error:
        return  # it was reported
    _log.exception("action.failed", action=action.id, verb=action.verb)
    with _alone("action.failed", action=action.id):
        database.write(lambda conn: conn.execute(update(Action).where(Action.id == action.id).values(error=error)))


def _release_one(conn: Connection, now: datetime, hold: int) -> None:
    holding.release_due(conn, now, Hold.id == hold)
