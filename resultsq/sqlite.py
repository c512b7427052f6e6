"""Which SQLite is used, and how each of its connections is made durable.

SQLite 3.7.0 to 3.51.2 can lose committed rows in WAL mode when two checkpoints collide (fixed in 3.51.3, 3.50.7
and 3.44.6); with such a library the rollback journal with synchronous=EXTRA is used instead.
"""

import importlib
import importlib.util
import random
import time
from typing import Any

driver = importlib.import_module("pysqlite3.dbapi2" if importlib.util.find_spec("pysqlite3") else "sqlite3")
"""The wheel's where there is one, else Python's own."""

_FIXED_WAL = ((3, 44, 6), (3, 50, 7))


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug."""
    return (
        version >= (3, 51, 3)
        or version < (3, 7, 0)
        or any(version[:2] == fixed[:2] and version >= fixed for fixed in _FIXED_WAL)
    )


def make_durable(connection: Any, patience_s: float) -> None:
    """Set a new connection of `driver` so that what it commits survives a power cut.

    Raises the driver's OperationalError if another connection keeps the file locked for `patience_s`."""
    safe = wal_is_safe(driver.sqlite_version_info)
    _take_journal(connection, "WAL" if safe else "DELETE", patience_s)
    connection.execute(f"PRAGMA synchronous={'FULL' if safe else 'EXTRA'}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA recursive_triggers=ON")  # what replaces a row fires the triggers of its removal


def _take_journal(connection: Any, mode: str, patience_s: float) -> None:
    """SQLite does not wait while it changes the journal: of several connections that open a new file at once,
    all but one fail at once because it is locked."""
    give_up = time.monotonic() + patience_s
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={mode}")
            return
        except driver.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(random.uniform(0.001, 0.005))
