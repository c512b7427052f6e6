"""Transactions on the node's own database, SQLite or PostgreSQL. The only place that opens one.

SQLite's writers begin with BEGIN IMMEDIATE: a transaction that reads first and writes later would lose updates
or end in "database is locked".

On SQLite writers of one process share commits (shared_commits.py), each in a savepoint of its own. All of them are
answered after the one COMMIT.
"""

import random
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from resultsq import pooler, sqlite
from resultsq.domain.errors import Conflicting
from resultsq.sealed import PersonalKeys
from resultsq.store.engine import personal, postgres
from resultsq.store.engine.db_errors import (
    READ_ONLY,
    UNAVAILABLE,
    driver_message,
    sqlstate,
    translate_db_error,
    translate_lost_commit,
)
from resultsq.store.engine.prepared import COMPILED_ONCE
from resultsq.store.engine.shared_commits import CommitQueue, PendingWrite
from resultsq.store.engine.write_metrics import WRITE_S, Work

T = TypeVar("T")

BUSY_S = 5.0
"""How long a writer waits for another one before it says that the store does not answer."""


class Database:
    """The node's database. `read` for looking, `write` for one transaction; both turn the driver's failures
    into StoreUnavailable and StoreFull. `personal_keys` are asked for when personal data is first sealed or opened."""

    def __init__(self, url: str, personal_keys: Callable[[], PersonalKeys] | None = None) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.is_sqlite else postgres.engine(url, BUSY_S)
        if personal_keys is not None:
            self.engine.update_execution_options(**{personal.KEYS: cache(personal_keys)})
        self._queue = CommitQueue(self._commit_batch)
        self._leader = threading.Lock()
        self._writer: Connection | None = None

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A transaction that only looks; one state of the database throughout on SQLite."""
        try:
            with self.engine.connect() as conn:
                if self.is_sqlite:
                    _driver(conn).execute("BEGIN")
                yield conn
        except UNAVAILABLE as error:
            raise self.translate(error) from error

    @contextmanager
    def glance(self) -> Generator[Connection]:
        """As `read`, for a few questions that need not see one state: on PostgreSQL it opens and ends no transaction,
        where no pooler stands between."""
        with self.read() as conn:
            if self.is_sqlite or pooler.is_pooled(conn.connection):
                yield conn
                return
            with postgres.each_alone(conn):
                yield conn

    @contextmanager
    def snapshot(self) -> Generator[Connection]:
        """As `read`, with one state of the database throughout on PostgreSQL too."""
        with self.read() as conn:
            yield conn if self.is_sqlite else conn.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def alone(self) -> Generator[Connection]:
        """A transaction for changes to the schema. It has a commit of its own; its errors are the driver's."""
        with self.engine.connect() as conn, conn.begin():
            if self.is_sqlite:
                _begin_immediate(conn)
            yield conn

    def write(self, work: Callable[[Connection], T], what: Work = "other") -> T:
        """Run `work` in one transaction and commit it; when this returns, its writes are on the disk.
        `what` it is for is counted with the time that it took.

        :raises StoreUnavailable: nothing was written; trying again is safe.
        :raises StoreUnsure: it may or may not be written
        Whatever `work` raises undoes what `work` wrote and is raised here."""
        with WRITE_S[what].time():
            return self._write_sqlite(work) if self.is_sqlite else self._write_postgres(work)

    def write_at_once(self, work: Callable[[Connection], T | None], what: Work = "other") -> T | None:
        """Run `work` on PostgreSQL: one statement that commits itself. None: it found nothing to do or was undone, or a
        pooler stands between, which keeps the limits of a statement within a transaction only.

        :raises StoreUnavailable, StoreUnsure: as `write`"""
        try:
            with WRITE_S[what].time(), self.engine.connect() as conn:
                if pooler.is_pooled(conn.connection):
                    return None
                with postgres.each_alone(conn):
                    return work(conn)
        except UNAVAILABLE as error:
            if _undone(error) or sqlstate(error) in _UNDONE_ALONE:
                return None
            raise translate_lost_commit(error) from error

    def _write_sqlite(self, work: Callable[[Connection], T]) -> T:
        return self._queue.write(work)

    def translate(self, error: DBAPIError | PoolTimeout) -> Exception:
        """An error of the driver as one for people."""
        return translate_db_error(error, self._folder)

    @property
    def _folder(self) -> Path | None:
        return Path(self.url.database).absolute().parent if self.is_sqlite and self.url.database else None

    def close(self) -> None:
        with self._leader:
            self._leave_writer()
        # a connection that a thread still has goes back to the old pool, where nothing else would close it
        event.listen(self.engine.pool, "checkin", _let_go)
        self.engine.dispose()

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        """A transaction on the connection that writes. It is kept, since to fetch and give back one costs as much as a
        statement; after any failure, whatever state it is in, the next one begins with another. A refusal is none: it
        was rolled back, and to open another connection would take longer than most writes."""
        if self._writer is None:
            self._writer = self.engine.connect()
        try:
            with self._writer.begin():
                _begin_immediate(self._writer)
                yield self._writer
        except BaseException as error:
            if not isinstance(error, Conflicting):
                self._leave_writer()
            raise

    def _leave_writer(self) -> None:
        if self._writer is not None:
            self._writer.invalidate()
            self._writer.close()
            self._writer = None

    def _commit_batch(self, batch: Sequence[PendingWrite[Any]]) -> None:
        with self._leader:  # `close` waits for it
            self._commit_together(batch)

    def _commit_together(self, batch: Sequence[PendingWrite[Any]]) -> None:
        try:
            self._transaction(batch)
        except UNAVAILABLE as error:
            # a full disk or a failing one can undo the whole transaction: then each writer learns for itself;
            # behind another process's lock none would fare better, and each would wait for it anew
            if len(batch) == 1 or "locked" in driver_message(error):
                for write in batch:
                    write.error = self.translate(error)
            else:
                for write in batch:
                    write.error, write.value = None, None
                    self._commit_together([write])
        except BaseException as error:  # noqa: BLE001 - carried to each waiting caller, who raises it
            for write in batch:
                write.error = error
        finally:
            for write in batch:
                write.done = True

    def _transaction(self, batch: Sequence[PendingWrite[Any]]) -> None:
        with self._writing() as conn:
            if len(batch) == 1:  # alone, it needs no savepoint: whatever it raises undoes everything
                batch[0].value = batch[0].work(conn)
                return
            raw = _driver(conn)
            for write in batch:
                raw.execute("SAVEPOINT one")
                try:
                    write.value = write.work(conn)
                except DBAPIError:
                    raise
                except Exception as error:  # noqa: BLE001 - the caller's own; raised to that caller alone
                    raw.execute("ROLLBACK TO one")
                    write.error = error
                raw.execute("RELEASE one")

    def _write_postgres(self, work: Callable[[Connection], T]) -> T:
        for tried in (1, 2, 3):
            committing = trusted = False
            try:
                with self.engine.begin() as conn:
                    trusted = postgres.is_trusted(conn)
                    value = work(conn)
                    committing = True
                return value
            except UNAVAILABLE as error:
                if committing and not _undone(error):
                    raise translate_lost_commit(error) from error
                was_cut = trusted and tried == 1 and isinstance(error, DBAPIError) and error.connection_invalidated
                if not (was_cut or _may_pass(error, tried)):
                    raise self.translate(error) from error
        raise AssertionError("unreachable")


_UNDONE_ALONE = {"22012", "55P03"}
"""SQLSTATEs that say that a single statement stored nothing: a division by zero, by which it undoes itself, and a lock
that it did not get in time."""


def _let_go(_connection: object, record: Any) -> None:
    record.invalidate()


def _undone(error: Exception) -> bool:
    """Whether the server says of a COMMIT that it did not happen. Where its answer is lost, it may have."""
    return sqlstate(error)[:2] in {"23", "25", "40", "53"}


def _may_pass(error: Exception, tried: int) -> bool:
    """Deadlock, serialisation failure, or two that made the same chain: the next try sees the first's. A server that
    has become read-only: the address may lead to another one by now, which a new connection finds out."""
    state = sqlstate(error)
    return tried < (3 if state in {"40001", "40P01", "23505"} else 2 if state == READ_ONLY else 0)


class _Compiler(SQLiteCompiler):
    """Writes `with_hint` into SQLite's statements, too, and limits as numbers: a limit is part of SQLite's plan, so a
    statement with one as a parameter is planned anew at each execution."""

    def limit_clause(self, select: Any, **kw: Any) -> str:
        how = "literal_binds" if kw.get(COMPILED_ONCE) else "literal_execute"
        text: str = super().limit_clause(select, **{**kw, how: True})  # type: ignore[no-untyped-call]
        return text

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:
        return text


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        module=sqlite.driver,
        poolclass=QueuePool,
        pool_size=16,
        max_overflow=32,
        pool_timeout=BUSY_S,
        connect_args={"timeout": BUSY_S, "check_same_thread": False, "isolation_level": None},
    )
    engine.dialect.statement_compiler = _Compiler

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        sqlite.make_durable(connection, BUSY_S)
        connection.execute("PRAGMA cache_size=-16000")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA journal_size_limit=67108864")

    return engine


def _driver(connection: Connection) -> Any:
    """What the driver itself calls a connection, for the statements that begin and end things on SQLite. A listener
    for SQLAlchemy's "begin" could send them, too; but an engine with listeners takes longer over each statement."""
    return connection.connection.driver_connection


def _begin_immediate(connection: Connection) -> None:
    """BEGIN IMMEDIATE, asked again every millisecond or two. SQLite's own busy handler sleeps longer and
    longer, so that under load one of many writers waits for seconds while others pass it."""
    raw = _driver(connection)
    give_up = time.monotonic() + BUSY_S
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite.driver.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > give_up:
                    # through SQLAlchemy once more, so that the error comes as its own
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    return
                time.sleep(random.uniform(0.0005, 0.002))
    finally:
        raw.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
