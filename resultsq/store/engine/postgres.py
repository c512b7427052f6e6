"""How connections to PostgreSQL are made, and when they are left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from resultsq import pooler
from resultsq.store.engine.db_errors import READ_ONLY, sqlstate

READ_ONLY_KEPT_S = 1.0
"""How long a connection to a read-only server is used before another one finds out where the address leads now."""

TRUSTED_S = 0.05
"""How long a connection may rest and be used again without a question whether its server is there."""

_TRUSTED = "trusted"

_LEAVE = (READ_ONLY, "25P03", "53", "57P", "58", "08")
"""SQLSTATEs after which a connection is not used again, nor are those that are as old: they lead to a server that is
no longer the right one, or not well. A deadlock, a lock or a slow statement says nothing against its connection."""

_LIMITS_MS = {"statement_timeout": 15_000, "lock_timeout": 5_000, "idle_in_transaction_session_timeout": 30_000}


def engine(url: str, patience_s: float) -> Engine:
    """An engine whose pool waits `patience_s` for a free connection."""
    made = create_engine(
        url,
        hide_parameters=True,  # an error's text reaches the log, and parameters are people's results
        pool_size=10,
        pool_use_lifo=True,  # an acceptance gets the connection back that it asked its questions on
        max_overflow=20,
        pool_timeout=patience_s,
        connect_args={
            "connect_timeout": 3,
            # a server that is black-holed is given up by the kernel: its own timeouts end with it
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        },
    )
    pooler.limit(made, _LIMITS_MS)
    event.listen(made, "handle_error", _leave_after)
    event.listen(made, "checkout", _leave_read_only)
    event.listen(made, "checkout", _ask_after_rest(made))
    event.listen(made, "checkin", _rests)
    return made


@contextmanager
def each_alone(conn: Connection) -> Iterator[None]:
    """Each statement is a transaction of its own: BEGIN and ROLLBACK are ways to the server and back, as long as a
    short statement."""
    raw: Any = conn.connection.driver_connection
    raw.autocommit = True
    try:
        yield
    finally:
        if not raw.closed:
            try:
                raw.autocommit = False
            except conn.dialect.loaded_dbapi.Error:  # it is still busy, with what a signal broke off
                conn.invalidate()


def _ask_after_rest(made: Engine) -> Callable[[Any, ConnectionPoolEntry, object], None]:
    """Ask the server first, where a connection has rested: it may have gone meanwhile. SQLAlchemy's own way asks each
    time."""

    def ask(connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
        rested_since = entry.info.get("rested_since")
        if rested_since is None:
            return
        entry.info[_TRUSTED] = time.monotonic() - rested_since < TRUSTED_S and not pooler.is_pooled(entry)
        if entry.info[_TRUSTED]:
            return
        try:
            made.dialect.do_ping(connection)
        except made.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None

    return ask


def is_trusted(conn: Connection) -> bool:
    """Whether this connection was taken without a question: it may have been cut before."""
    return bool(conn.connection.info.get(_TRUSTED))


def _rests(connection: Any, entry: ConnectionPoolEntry) -> None:
    if connection is not None:
        entry.info["rested_since"] = time.monotonic()


def _leave_after(context: ExceptionContext) -> None:
    if sqlstate(context.original_exception).startswith(_LEAVE):
        context.is_disconnect = True


def _leave_read_only(connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """A process that only reads meets no error on a server that another one has replaced, and would show old data
    for ever. The server reports its state with its answers. A pooler passes on an old report of one of
    its servers."""
    if pooler.is_pooled(entry):
        return
    now = time.monotonic()
    since = entry.info.setdefault("since", now)
    status_of = connection.info.parameter_status
    read_only = "on" in (status_of("in_hot_standby"), status_of("default_transaction_read_only"))
    if read_only and now - since > READ_ONLY_KEPT_S:
        raise DisconnectionError
