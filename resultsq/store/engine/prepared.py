"""Statements that are compiled once, for the few that run most: on the accept path, and in each cycle of a worker.

SQLAlchemy prepares a statement anew at each execution, which takes longer than SQLite takes to execute it. A
`PreparedStatement` is compiled at its first use on each kind of database; its text and values go to the driver as they
are. So its values must be complete: no column default is filled in. What a column keeps in a form of its own (a time, a
yes or no) is read as SQLAlchemy would.

On SQLite the driver is called directly: SQLAlchemy's handling of a result takes as long as the statement. On PostgreSQL
it stays, because its errors decide whether a connection is used again (postgres.py).
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select, TypeDecorator, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from resultsq import sqlite

COMPILED_ONCE = "compiled_once"
"""Tells the compiler that values which it writes into the text are the same at each execution."""

Turn = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Made:
    """A statement's text for one make of database; for each of its values its name and, where it needs one, what
    turns it into the driver's. `order` is that of its question marks; None where the driver goes by names. `reads`: by
    the place of a column, what makes ours of the driver's."""

    text: str
    fixed: Mapping[str, Any]
    writes: Mapping[str, Turn]
    order: tuple[str, ...] | None
    reads: Mapping[int, Turn]

    def bound(self, values: Mapping[str, Any]) -> Any:
        given = {**self.fixed, **values}
        for name, write in self.writes.items():
            given[name] = write(given[name])
        return given if self.order is None else tuple([given[name] for name in self.order])

    def read(self, row: Sequence[Any]) -> Sequence[Any]:
        if not self.reads:
            return row
        values = list(row)
        for place, read in self.reads.items():
            values[place] = read(values[place])
        return values


class PreparedStatement:
    """A statement whose values are always the same ones by name. A question has no lists (`IN`) among them."""

    def __init__(self, statement: Insert | Update | Select[*tuple[Any, ...]]) -> None:
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
        """Execute it: its first row, by place and by name; None where it returned none."""
        rows = self.all(conn, values)
        return rows[0] if rows else None

    def all(self, conn: Connection, values: Mapping[str, Any]) -> list[Any]:
        """Execute it: its rows, by place and by name.

        :raises AssertionError: it would need a default of a column: a fault of ours.
        :raises DBAPIError: as SQLAlchemy would."""
        made = self._made.get(conn.dialect.name)
        if made is None:
            made = self._made[conn.dialect.name] = _make(self._statement, conn.dialect, list(values))
        bound = made.bound(values)
        if made.order is None or conn.engine.dispatch.before_cursor_execute:  # those who listen hear it from SQLAlchemy
            result = conn.exec_driver_sql(made.text, bound)
            if not result.returns_rows:
                return []
            names: Iterable[str] = result.keys()
            rows: Sequence[Sequence[Any]] = result.all()
        else:
            try:
                cursor = conn.connection.driver_connection.execute(made.text, bound)  # type: ignore[union-attr]
                rows = cursor.fetchall()
            except sqlite.driver.Error as error:
                raise _as_of_sqlalchemy(made.text, error, conn.dialect) from error
            names = (name for name, *_ in cursor.description or ())
        if not rows:
            return []
        make = self._row = self._row or _row_of(names)
        return [make(*made.read(row)) for row in rows]


def _row_of(names: Iterable[str]) -> Callable[..., Any]:
    make: Any = namedtuple
    row: Callable[..., Any] = make("Row", list(names), rename=True)
    return row


def _as_of_sqlalchemy(text: str, error: Exception, dialect: Dialect) -> BaseException:
    """The driver's error as the rest of the store knows it, without the values: they are people's results."""
    return DBAPIError.instance(text, None, error, sqlite.driver.Error, hide_parameters=True, dialect=dialect)


def _make(statement: Insert | Update | Select[*tuple[Any, ...]], dialect: Dialect, names: list[str]) -> _Made:
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
    readers = {place: _reader(one.type, dialect) for place, one in enumerate(statement.exported_columns)}
    return _Made(
        str(compiled),
        {name: value for name, value in compiled.params.items() if name not in names},
        {name: write for name, write in processors.items() if write is not None},
        tuple(compiled.positiontup) if compiled.positiontup is not None else None,
        {place: read for place, read in readers.items() if read is not None},
    )


def _reader(kept: TypeEngine[Any], dialect: Dialect) -> Turn | None:
    """What makes ours of the driver's. SQLite has numbers and texts alone; PostgreSQL's driver knows every type but
    ours."""
    if dialect.name != "sqlite" and not isinstance(kept, TypeDecorator):
        return None
    read: Turn | None = kept.dialect_impl(dialect).result_processor(dialect, None)
    return read
