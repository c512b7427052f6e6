"""The driver's errors as errors for people.

Whatever keeps the database from doing its work is one family, StoreUnavailable: the caller sends again later. Its
`cause` says why in words. A process logs the family once a second at most, here and nowhere else: a database that is
away meets every request, every worker's loop and every periodic task.
"""

import threading
import time
from pathlib import Path

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from resultsq import disk, logs, pooler
from resultsq.domain.errors import StoreFull, StoreUnavailable, StoreUnsure
from resultsq.domain.i18n import gettext, gettext_noop, kept_sentence
from resultsq.store.engine.whole import CAUSE

UNAVAILABLE = (DBAPIError, PoolTimeout)
"""What SQLAlchemy raises when the database, or a connection to it, cannot be had; `translate_db_error` tells which it
is."""

READ_ONLY = "25006"
FULL = "53100"
LOG_EVERY_S = 1.0

_CAUSES = {
    READ_ONLY: gettext_noop("The database is read-only: its server is a standby, or was set so."),
    "25P03": gettext_noop("The database ended a transaction that stood idle for too long."),
    "28": gettext_noop("The database refuses the user or the password in RESULTSQ_DATABASE_URL."),
    "3D000": gettext_noop("There is no such database on the server that RESULTSQ_DATABASE_URL names."),
    "40": gettext_noop("Several transactions stood in each other's way."),
    "42501": gettext_noop("The database's user may not do this: it lacks a privilege."),
    "53300": gettext_noop("The database's server takes no more connections."),
    "53": gettext_noop("The database's server lacks memory, room or another resource."),
    "55P03": gettext_noop("Another transaction keeps a lock for too long."),
    "57014": gettext_noop("The database took too long over a statement."),
    "57P01": gettext_noop("The database's server is being stopped."),
    "57P02": gettext_noop("The database's server crashed and is starting again."),
    "57P03": gettext_noop("The database's server is starting or stopping and takes no connections yet."),
    "57": gettext_noop("The database's server ended the connection."),
    "58": gettext_noop("The database's server has trouble with its disk."),
    "08": gettext_noop("The connection to the database was lost."),
}
"""By SQLSTATE, or its class. These are the family, whatever class the driver gives the error."""

_SQLITE_CAUSES = {
    "locked": gettext_noop("Another program keeps the database file locked."),
    "readonly": gettext_noop("The database file cannot be written."),
    "unable to open": gettext_noop("The database file cannot be opened."),
    "i/o error": "The disk of the database file does not work.",
    "malformed": CAUSE,
    "not a database": CAUSE,
}


def translate_db_error(error: DBAPIError | PoolTimeout, folder: Path | None = None) -> Exception:
    """The error as one for people, with the driver's as its `__cause__`; one that is no fault of the database stays
    what it is. `folder`: where a database file lies, whose disk may be the cause."""
    ours = _ours(error, folder)
    if ours is None:
        return error
    ours.__cause__ = error
    _reporter.report(ours)
    return ours


def translate_lost_commit(error: DBAPIError | PoolTimeout) -> Exception:
    """The same, of a COMMIT whose answer was lost."""
    ours = translate_db_error(error)
    if not isinstance(ours, StoreUnavailable):
        return ours
    message = gettext(
        "The connection to this node's database was lost, so this may or may not be stored. "
        "Send it again in a few seconds: the same results are taken only once."
    )
    return StoreUnsure(message, ours.cause)


def sqlstate(error: BaseException | None) -> str:
    """The five characters of PostgreSQL; empty where there are none."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def driver_message(error: BaseException | None) -> str:
    """The first line of what the driver said, without SQLAlchemy's words around it. Details follow on later lines
    and may quote a row."""
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]


def _ours(error: DBAPIError | PoolTimeout, folder: Path | None) -> StoreUnavailable | None:
    text, state = driver_message(error).lower(), sqlstate(error)
    on_disk = _disk_trouble(folder)
    if "disk is full" in text or "no space left" in text or state == FULL:
        message = gettext(
            "This node's disk is full, so nothing was stored. Free some room and send it again; "
            "nothing accepted before is lost."
        )
        return StoreFull(message, on_disk or gettext_noop("The database's disk is full."))
    if not _is_of_the_family(error, state):
        return None
    message = gettext("This node's database does not answer, so nothing was stored. Send it again in a few seconds.")
    return StoreUnavailable(message, on_disk or _cause(error, state, text))


def _is_of_the_family(error: DBAPIError | PoolTimeout, state: str) -> bool:
    if "could not decode" in driver_message(error).lower():
        return False  # SQLite's driver has no other kind of error for what cannot be read in one row
    if isinstance(error, PoolTimeout | OperationalError | InterfaceError) or error.connection_invalidated:
        return True
    if any(words in driver_message(error).lower() for words, cause in _SQLITE_CAUSES.items() if cause == CAUSE):
        return isinstance(error, DatabaseError)  # of no class below it: SQLite's driver has none for a damaged file
    return state in _CAUSES or state[:2] in _CAUSES


def _cause(error: DBAPIError | PoolTimeout, state: str, text: str) -> str:
    if isinstance(error, PoolTimeout):
        return gettext_noop("All connections of this process to the database are in use.")
    if (of_pooler := pooler.trouble(text)) is not None:
        return of_pooler
    by_text = next((cause for words, cause in _SQLITE_CAUSES.items() if words in text), None)
    return _CAUSES.get(state) or _CAUSES.get(state[:2]) or by_text or gettext_noop("The database cannot be reached.")


def _disk_trouble(folder: Path | None) -> str | None:
    """The cause that the disk of a database file itself admits to."""
    if folder is None:
        return None
    try:
        left = disk.space(folder)
    except OSError as error:
        return kept_sentence(
            "The folder of the database, {folder}, cannot be used: {reason}.",
            folder=folder,
            reason=disk.reason(error, folder),
        )
    if left.read_only:
        return kept_sentence("Nothing can be written in {folder}: its file system is read-only.", folder=folder)
    if left.inodes == 0:
        return kept_sentence("Nothing can be written in {folder}: its disk has no inodes left.", folder=folder)
    return None


class _Reporter:
    """Logs that the store is not available, once in LOG_EVERY_S at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._left_out = 0

    def report(self, error: StoreUnavailable) -> None:
        if not logs.is_set_up():
            return  # a command, which says it in its answer
        with self._lock:
            now = time.monotonic()
            if now < self._next_at:
                self._left_out += 1
                return
            self._next_at, left_out, self._left_out = now + LOG_EVERY_S, self._left_out, 0
        _log.error("store.unavailable", cause=error.cause, error=driver_message(error.__cause__), not_logged=left_out)


_log = logs.get("store")
_reporter = _Reporter()
