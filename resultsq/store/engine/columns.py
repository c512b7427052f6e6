"""What all tables have in common: their base, the names of their keys and indexes, and the types of their columns."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases: SQLite keeps no zone, so it is taken off and put on here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcDateTime(),
        bytes: LargeBinary(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


Seq = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER only
Id = String(36)


class by_code_point(FunctionElement[str]):  # noqa: N801 - stands in statements as a function does
    """A text to order by, the same on both databases. A PostgreSQL orders as its administrator chose, SQLite by code
    points."""

    inherit_cache = True
    type = String()


@compiles(by_code_point)  # type: ignore[no-untyped-call,untyped-decorator,unused-ignore]
def _as_it_is(element: by_code_point, compiler: SQLCompiler, **values: Any) -> str:
    return compiler.process(element.clauses, **values)


@compiles(by_code_point, "postgresql")  # type: ignore[no-untyped-call,untyped-decorator,unused-ignore]
def _of_postgresql(element: by_code_point, compiler: SQLCompiler, **values: Any) -> str:
    return f'{compiler.process(element.clauses, **values)} COLLATE "C"'
