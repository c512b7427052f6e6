"""Opens the master's database, SQLite or PostgreSQL: commits are durable and every wait is bounded."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

from resultsq import pooler, sqlite

UNAVAILABLE = (OperationalError, InterfaceError, TimeoutError)
"""The exceptions where the database cannot be reached, does not answer in time, is locked or is full."""

READ_ONLY = {"resultsq_read_only": True}
"""Execution options of an engine that only reads: on SQLite it does not ask for the write lock."""


class Utc(sa.TypeDecorator[dt.datetime]):
    """An aware time in UTC; SQLite has no time zones and returns the stored time without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        return value and value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> dt.datetime | None:
        if value is None or value.tzinfo is not None:
            return value and value.astimezone(dt.UTC)
        return value.replace(tzinfo=dt.UTC)


def open_engine(
    url: str, *, connect_timeout_s: float = 5.0, statement_timeout_s: float = 15.0, pool_size: int = 16
) -> Engine:
    """An engine for `Ledger` (a SQLAlchemy URL, `sqlite:///…` or `postgresql://…`).

    Connecting, and each statement's work and waiting for locks, end within the given seconds with one of
    `UNAVAILABLE`. Nothing is connected yet. Parameters are never shown in errors: they are people's results."""
    limits: dict[str, Any] = {
        "pool_size": pool_size,
        "pool_timeout": statement_timeout_s,
        "hide_parameters": True,
    }
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, module=sqlite.driver, connect_args={"timeout": statement_timeout_s}, **limits)
        _prepare_sqlite(engine, statement_timeout_s)
        return engine
    milliseconds = int(statement_timeout_s * 1000)
    engine = create_engine(
        url,
        pool_pre_ping=True,
        # one snapshot for all that a publication reads: an id and a head from two moments would be reported
        # to the second sender of an id as another's head
        isolation_level="REPEATABLE READ",
        connect_args={
            "connect_timeout": max(2, int(connect_timeout_s)),
            # a peer that vanished is noticed by the kernel; the server's own timeouts do not reach us then
            "tcp_user_timeout": milliseconds,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        },
        **limits,
    )
    pooler.limit(engine, dict.fromkeys(("statement_timeout", "idle_in_transaction_session_timeout"), milliseconds))
    return engine


def _prepare_sqlite(engine: Engine, patience_s: float) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        # The driver's own transactions begin deferred and lose updates; BEGIN is ours, below.
        connection.isolation_level = None
        sqlite.make_durable(connection, patience_s)
        # each of many connections has a cache of its own, of the same few pages that an insert needs
        connection.execute("PRAGMA cache_size=-512")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("resultsq_read_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
