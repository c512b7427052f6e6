"""Statements that are compiled once, for the few on the accept path.

SQLAlchemy prepares a statement anew at each execution, which takes longer than SQLite takes to execute it. A
`PreparedStatement` is compiled at its first use on each kind of database; its text and values go to the driver as they
are. So its values must be complete: no column default is filled in. Results are the driver's own, which is enough for
numbers and texts.

On SQLite the driver is called directly: SQLAlchemy's handling of a result takes as long as the statement. On PostgreSQL
it stays, because its errors decide whether a connection is used again (postgres.py).
"""

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from resultsq import sqlite

COMPILED_ONCE = "compiled_once"
"""Tells the compiler that values which it writes into the text are the same at each execution."""

Write = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Made:
    """A statement's text for one make of database; for each of its values its name and, where it needs one, what
    turns it into the driver's. `order` is that of its question marks; None where the driver goes by names."""

    text: str
    fixed: Mapping[str, Any]
    writes: Mapping[str, Write]
    order: tuple[str, ...] | None

    def bound(self, values: Mapping[str, Any]) -> Any:
        given = {**self.fixed, **values}
        for name, write in self.writes.items():
            given[name] = write(given[name])
        return given if self.order is None else tuple([given[name] for name in self.order])


class PreparedStatement:
    """A statement whose values are always the same ones by name. A question has no lists (`IN`) among them."""

    def __init__(self, statement: Insert | Update | Select[Any]) -> None:
        self._statement = statement
        self._made: dict[str, _Made] = {}
        self._row: Callable[..., Any] | None = None

    def run(self, conn: Connection, values: Mapping[str, Any]) -> None:
        """Execute it; as `first`, where it returns nothing."""
        self.first(conn, values)

    def one(self, conn: Connection, values: Mapping[str, Any]) -> Any:
        """Execute it, as `first`; its row, which it always has."""
        row = self.first(conn, values)
        assert row is not None  # noqa: S101 - the caller knows the statement
        return row

    def first(self, conn: Connection, values: Mapping[str, Any]) -> Any | None:
        """Execute it: its row, by place and by name; None where it returned none.

        :raises AssertionError: it would need a default of a column: a fault of ours.
        :raises DBAPIError: as SQLAlchemy would."""
        made = self._made.get(conn.dialect.name)
        if made is None:
            made = self._made[conn.dialect.name] = _make(self._statement, conn.dialect, list(values))
        bound = made.bound(values)
        if made.order is None or conn.engine.dispatch.before_cursor_execute:  # those who listen hear it from SQLAlchemy
            result = conn.exec_driver_sql(made.text, bound)
            return result.first() if result.returns_rows else None
        try:
            cursor = conn.connection.driver_connection.execute(made.text, bound)  # type: ignore[union-attr]
            rows = cursor.fetchall()
        except sqlite.driver.Error as error:
            raise _as_of_sqlalchemy(made.text, error, conn.dialect) from error
        if not rows:
            return None
        if self._row is None:
            self._row = _row_of([name for name, *_ in cursor.description])
        return self._row(*rows[0])


def _row_of(names: list[str]) -> Callable[..., Any]:
    make: Any = namedtuple
    row: Callable[..., Any] = make("Row", names, rename=True)
    return row


def _as_of_sqlalchemy(text: str, error: Exception, dialect: Dialect) -> BaseException:
    """The driver's error as the rest of the store knows it, without the values: they are people's results."""
    return DBAPIError.instance(text, None, error, sqlite.driver.Error, hide_parameters=True, dialect=dialect)


def _make(statement: Insert | Update | Select[Any], dialect: Dialect, names: list[str]) -> _Made:
    own = () if isinstance(statement, Select) else statement.table.c
    columns = [name for name in names if name in own]  # the others are parameters of its own
    compiled = statement.compile(dialect=dialect, column_keys=columns, compile_kwargs={COMPILED_ONCE: True})
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - what else a statement for rows compiles to
    if missing := [column.name for column in (*compiled.insert_prefetch, *compiled.update_prefetch)]:
        raise AssertionError(f"no value for {', '.join(missing)}")
    if compiled.post_compile_params or compiled.literal_execute_params:
        raise AssertionError("a list is written anew each time")
    processors = {
        name: one.type.dialect_impl(dialect).bind_processor(dialect) for one, name in compiled.bind_names.items()
    }
    return _Made(
        str(compiled),
        {name: value for name, value in compiled.params.items() if name not in names},
        {name: write for name, write in processors.items() if write is not None},
        tuple(compiled.positiontup) if compiled.positiontup is not None else None,
    )
