"""Puts many rows into a table at once: each row has a value for each column, in the table's order.

SQLAlchemy would look at each value on its way, and the driver of PostgreSQL at each of a list. So rows go as they are
to SQLite. To PostgreSQL new ones go by COPY, at a third of the cost; others as one text, which it takes apart."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Integer,
    LargeBinary,
    String,
    Text,
    cast,
    column,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

_BINARY = ((BigInteger, "int8"), (Integer, "int4"), (LargeBinary, "bytea"), (String, "text"))
"""In the order in which they are tried: one is made of another."""

_DIALECT: Any = postgresql.dialect()  # type: ignore[no-untyped-call]

Row = tuple[Any, ...]


def can_copy(conn: Connection) -> bool:
    """Whether `copy` is for this database."""
    return conn.dialect.name == "postgresql"


def copy(conn: Connection, table: Any, rows: Sequence[Row]) -> None:
    """Insert these rows, none of which is there. The server's log would name one that is: it is a person's.

    :raises DBAPIError: as SQLAlchemy would"""
    if not rows:
        return
    columns = list(table.__table__.columns)
    text = f"COPY {table.__tablename__} ({', '.join(one.name for one in columns)}) FROM STDIN (FORMAT BINARY)"
    raw: Any = conn.connection.driver_connection
    driver: Any = conn.dialect.loaded_dbapi
    try:
        with raw.cursor() as cursor, cursor.copy(text) as copying:
            copying.set_types([_binary(one.type) for one in columns])
            for row in rows:
                copying.write_row(row)
    except driver.Error as error:
        as_others = DBAPIError.instance(text, None, error, driver.Error, hide_parameters=True, dialect=conn.dialect)
        raise as_others from error


def make(conn: Connection, table: Any) -> Any:
    """An INSERT that may say what to do where the row is there."""
    return (postgresql.insert if can_copy(conn) else sqlite.insert)(table)


def insert(conn: Connection, table: Any, made: Any, rows: Sequence[Row]) -> int:
    """Insert these rows by an INSERT of `make`; how many were written."""
    if not can_copy(conn):
        return int(conn.exec_driver_sql(str(made.compile(dialect=conn.dialect)), rows).rowcount)
    columns = list(table.__table__.columns)
    names = [one.name for one in columns]
    text = msgspec.json.encode([dict(zip(names, row, strict=True)) for row in rows]).decode()  # bytes in base 64
    types = [column(one.name, Text() if isinstance(one.type, LargeBinary) else one.type) for one in columns]
    given = func.json_to_recordset(cast(literal(text, Text()), JSON)).table_valued(*types, name="given")
    values = [
        func.decode(value, "base64") if isinstance(one.type, LargeBinary) else value
        for one, value in zip(columns, given.render_derived(with_types=True).c, strict=True)
    ]
    whole = made.from_select(columns, select(*values)).execution_options(preserve_rowcount=True)
    return int(conn.execute(whole).rowcount)


def _binary(type_: Any) -> str:
    """PostgreSQL's name of a column's type."""
    own = type_.dialect_impl(_DIALECT)
    return next(name for made_of, name in _BINARY if isinstance(own, made_of))
