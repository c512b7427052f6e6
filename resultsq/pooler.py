"""How a PostgreSQL connection gets its limits, straight from the server or through a pooler.

A pooler such as PgBouncer in transaction mode gives each transaction whichever of its server connections is free.
The state of a session is then shared by chance: a prepared statement is missing or there twice, a setting reaches other
clients, and a startup parameter is refused. So none is used there, and the limits are set in each transaction.

A pooler is noticed, not configured. When it is connected to, a server sends the number of the process that serves the
client. The clients of a pooler share such processes, so a pooler has to send a number that it has made up.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from resultsq.domain.i18n import gettext_noop

STATEMENT_MODE = gettext_noop(
    "The pooler in front of the database is in statement mode, which keeps no transaction together: set its pool_mode "
    "to transaction or session."
)

_TROUBLES = {
    "statement pooling mode": STATEMENT_MODE,
    "unsupported startup parameter": gettext_noop(
        "The pooler in front of the database refuses a startup parameter: take `options` out of its URL."
    ),
    "server_login_retry": gettext_noop("The pooler in front of the database cannot reach the database's server."),
    "query_wait_timeout": gettext_noop(
        "The pooler in front of the database had no connection to its server free in time."
    ),
}
"""By what a pooler says. It has one SQLSTATE for everything."""

_POOLED = "pooled"


def limit(engine: Engine, limits: Mapping[str, int]) -> None:
    """Have these settings, in milliseconds, in force in each transaction of a new engine."""
    in_transaction = "; ".join(f"SET LOCAL {name} = {value}" for name, value in limits.items())

    def begin(connection: PoolProxiedConnection) -> None:
        if connection.info[_POOLED]:
            connection.driver_connection.execute(in_transaction)  # type: ignore[union-attr]  # psycopg's

    def connected(connection: Any, entry: ConnectionPoolEntry) -> None:
        try:
            entry.info[_POOLED] = _set_up(connection, limits)
        except BaseException:
            connection.close()
            raise

    event.listen(engine, "connect", connected, insert=True)  # before SQLAlchemy asks the server what it is like
    # a listener for "begin" would make every statement of the engine slower
    engine.dialect.do_begin = begin  # type: ignore[method-assign, assignment]


def is_pooled(connection: PoolProxiedConnection | ConnectionPoolEntry) -> bool:
    """Whether a pooler stands between."""
    return bool(connection.info.get(_POOLED))


def trouble(words: str) -> str | None:
    """A sentence for what a pooler said; None where no pooler said it."""
    return next((sentence for sign, sentence in _TROUBLES.items() if sign in words.lower()), None)


def _set_up(connection: Any, limits: Mapping[str, int]) -> bool:
    """Set the limits of a connection to a server. Through a pooler they end with this very statement, whose answer
    tells that there is one."""
    named = connection.info.backend_pid
    settings = [f"set_config('{name}', '{value}', pg_backend_pid() <> {named})" for name, value in limits.items()]
    connection.autocommit = True
    serving, *_ = connection.execute(f"SELECT pg_backend_pid(), {', '.join(settings)}").fetchone()
    connection.autocommit = False
    if pooled := serving != named:
        connection.prepare_threshold = None
    return bool(pooled)
