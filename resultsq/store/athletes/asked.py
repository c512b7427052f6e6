"""Many numbers as one value of a statement: it is the same statement, however many there are."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

MAKES = ("sqlite", "postgresql")


def is_one_of(
    conn: Connection, column: Any, numbers: Iterable[int] | Iterable[str], of: Any = BigInteger
) -> ColumnElement[bool]:
    """Whether the column is one of these. `of`: their type."""
    asked: list[Any] = sorted(numbers)  # in the order of the table
    if conn.dialect.name == "postgresql":
        found: ColumnElement[bool] = column == func.any(literal(asked, ARRAY(of)))
    else:
        found = column.in_(select(func.json_each(json.dumps(asked)).table_valued("value").c.value))
    return found


def is_one_given(make: str, column: Any) -> ColumnElement[bool]:
    """The same for a statement that is made ready for this make of database: the value `numbers` is what `written`
    makes."""
    given = bindparam("numbers", type_=Text())
    if make == "postgresql":
        found: ColumnElement[bool] = column == func.any(cast(given, ARRAY(BigInteger)))
    else:
        found = column.in_(select(func.json_each(given).table_valued("value").c.value))
    return found


def written(make: str, numbers: Iterable[int]) -> str:
    """These numbers as one text: the driver of PostgreSQL would look at each one of a list."""
    listed = ",".join(map(str, sorted(numbers)))  # in the order of the table
    return f"{{{listed}}}" if make == "postgresql" else f"[{listed}]"
