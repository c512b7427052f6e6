"""Statements that are compiled once, for the few on the accept path.

SQLAlchemy prepares a statement anew at each execution, which takes longer than SQLite takes to execute it. A
`PreparedStatement` is compiled at its first use on each kind of database; its text and values go to the driver as they
are. So its values must be complete: no column default is filled in. Results are the driver's own, which is enough for
numbers and texts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Insert, Select, Update
from sqlalchemy.sql.compiler import SQLCompiler

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

    def run(self, conn: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Execute it.

        :raises AssertionError: it would need a default of a column: a fault of ours."""
        made = self._made.get(conn.dialect.name)
        if made is None:
            made = self._made[conn.dialect.name] = _make(self._statement, conn.dialect, list(values))
        return conn.exec_driver_sql(made.text, made.bound(values))


def _make(statement: Insert | Update | Select[Any], dialect: Dialect, names: list[str]) -> _Made:
    own = () if isinstance(statement, Select) else statement.table.c
    columns = [name for name in names if name in own]  # the others are parameters of its own
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - what else a statement for rows compiles to
    if missing := [column.name for column in (*compiled.insert_prefetch, *compiled.update_prefetch)]:
        raise AssertionError(f"no value for {', '.join(missing)}")
    if compiled.post_compile_params:
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
