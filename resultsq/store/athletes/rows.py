"""Writes and deletes the rows of a copy.

The master lists athletes in the order of their changes, so each line belongs on another page of the table, of the
names and of the hashes. A database writes whole pages: lines are sorted first, for each table in its own order, so that
each transaction fills a few.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Text,
    cast,
    column,
    delete,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from resultsq.domain.athletes import Athlete, search_key
from resultsq.store.engine.tables import AthleteCopy, AthleteHome, AthleteMail, AthleteName, AthleteRow, AthletesState

AT_ONCE = 4000
"""Rows written or deleted in one transaction: some ten milliseconds, for which other writers wait."""

AT_MOST = 150_000
"""Lines that are sorted at once: some sixty megabytes."""

PAUSE_S = 0.01
"""How long other writers have their turn between two transactions."""

T = TypeVar("T")
Piece = Callable[[Connection], None]


def pieces(generation: int, athletes: Iterable[Athlete]) -> Iterator[Piece]:
    """The transactions that write these lines, at most `AT_MOST`; a later line of a number replaces the earlier. The
    lines are whole when the last of them is committed; all of them may be run again."""
    lines = {int(one.number[1:]): one for one in athletes}
    numbers = sorted(lines)
    into = _Into(generation)
    if len(numbers) <= AT_ONCE:
        if numbers:
            yield partial(_put, into, [lines[number] for number in numbers])
        return
    for some in _parts(numbers):
        yield partial(_put_rows, into, [lines[number] for number in some])
    yield from (partial(_put_names, into, some) for some in _parts(sorted(_names(lines.values()))))
    yield from (partial(_put_mails, into, some) for some in _parts(sorted(_mails(lines.values()))))


def write_all(write: Callable[[Piece], None], generation: int, athletes: Iterable[Athlete]) -> None:
    """Write these lines by `write`, a transaction for each piece. It pauses between two: on SQLite one process writes
    at a time, and those that wait look every other millisecond whether they may."""
    for at, piece in enumerate(pieces(generation, athletes)):
        if at:
            time.sleep(PAUSE_S)
        write(piece)


def put(conn: Connection, generation: int, athletes: Iterable[Athlete]) -> None:
    """Write these lines in the caller's transaction."""
    for piece in pieces(generation, athletes):
        piece(conn)


def delete_some(conn: Connection) -> int:
    """Delete rows of copies that are neither in use nor being loaded; how many. Call it until it returns 0."""
    row = conn.execute(select(AthletesState.current, AthletesState.loading)).first() or (None, None)
    kept = [one for one in row if one is not None]
    old = conn.execute(
        select(AthleteCopy.generation).where(AthleteCopy.generation.not_in(kept)).order_by(AthleteCopy.generation)
    ).scalar()
    if old is None:
        return 0
    gone = (
        _delete_rows(conn, old)
        or _delete_keys(conn, old, AthleteName, AthleteName.home, AthleteName.sought, AthleteName.number)
        or _delete_keys(conn, old, AthleteMail, AthleteMail.mail, AthleteMail.number)
    )
    if not gone:
        conn.execute(delete(AthleteCopy).where(AthleteCopy.generation == old))
    return gone or 1


def _delete_rows(conn: Connection, old: int) -> int:
    some = select(AthleteRow.number).where(AthleteRow.generation == old).order_by(AthleteRow.number).limit(AT_ONCE)
    numbers = list(conn.execute(some).scalars())
    if not numbers:
        return 0
    between = AthleteRow.number.between(numbers[0], numbers[-1])
    return int(conn.execute(delete(AthleteRow).where(AthleteRow.generation == old, between)).rowcount)


def _delete_keys(conn: Connection, old: int, table: Any, *key: Any) -> int:
    """Of a table that is its key and nothing else."""
    some = select(*key).where(table.generation == old).order_by(*key).limit(AT_ONCE)
    found = conn.execute(some).all()
    if not found:
        return 0
    up_to = tuple_(*key) <= tuple_(*(literal(value, column.type) for value, column in zip(found[-1], key, strict=True)))
    return int(conn.execute(delete(table).where(table.generation == old, up_to)).rowcount)


# lines


@dataclass(frozen=True, slots=True)
class _Into:
    """The copy that lines are written into, and the numbers of home events that were met so far."""

    generation: int
    homes: dict[str, int] = field(default_factory=dict)

    def find(self, conn: Connection, slugs: set[str]) -> Mapping[str, int]:
        """The numbers of these home events; new ones are written."""
        self.homes.update(_numbers_of(conn, slugs - self.homes.keys()))
        missing = sorted(slugs - self.homes.keys())
        if not missing:
            return self.homes
        conn.execute(_make(conn, AthleteHome).on_conflict_do_nothing(), [{"slug": slug} for slug in missing])
        return self.homes | _numbers_of(conn, set(missing))  # not kept: they go if this transaction does not end well


def _numbers_of(conn: Connection, slugs: set[str]) -> dict[str, int]:
    if not slugs:
        return {}
    found = select(AthleteHome.slug, AthleteHome.id).where(AthleteHome.slug.in_(sorted(slugs)))
    return {row.slug: row.id for row in conn.execute(found)}


def _parts(lines: Sequence[T]) -> Iterator[Sequence[T]]:
    return (lines[first : first + AT_ONCE] for first in range(0, len(lines), AT_ONCE))


def _put(into: _Into, lines: Sequence[Athlete], conn: Connection) -> None:
    _put_rows(into, lines, conn)
    if names := sorted(_names(lines)):
        _put_names(into, names, conn)
    if mails := sorted(_mails(lines)):
        _put_mails(into, mails, conn)


def _names(lines: Iterable[Athlete]) -> Iterator[tuple[str, str, int]]:
    """In the order of the table, as far as a home event's name stands for its number."""
    return ((one.home_event or "", search_key(one.name), int(one.number[1:])) for one in lines if one.name is not None)


def _mails(lines: Iterable[Athlete]) -> Iterator[tuple[bytes, int]]:
    """In the order of the table."""
    return ((one.mail, int(one.number[1:])) for one in lines if one.mail is not None and one.name is not None)


def _put_rows(into: _Into, lines: Sequence[Athlete], conn: Connection) -> None:
    homes = into.find(conn, {one.home_event or "" for one in lines})
    rows, make = [_row(into.generation, one, homes) for one in lines], _make(conn, AthleteRow)
    if _insert(conn, AthleteRow, make.on_conflict_do_nothing(), rows) == len(rows):
        return  # as in a list that comes whole: to look first for what is there costs as much again
    _drop_other_keys(conn, into.generation, lines, homes)
    replaced = {name: make.excluded[name] for name in ("name", "club", "home", "runs", "mail")}
    make = make.on_conflict_do_update(index_elements=["generation", "number"], set_=replaced)
    _insert(conn, AthleteRow, make, rows)


def _put_names(into: _Into, names: Sequence[tuple[str, str, int]], conn: Connection) -> None:
    homes = into.find(conn, {slug for slug, _, _ in names})
    rows = [(into.generation, homes[slug], sought, number) for slug, sought, number in names]
    _insert(conn, AthleteName, _make(conn, AthleteName).on_conflict_do_nothing(), rows)


def _put_mails(into: _Into, mails: Sequence[tuple[bytes, int]], conn: Connection) -> None:
    rows = [(into.generation, mail, number) for mail, number in mails]
    _insert(conn, AthleteMail, _make(conn, AthleteMail).on_conflict_do_nothing(), rows)


def _row(generation: int, one: Athlete, homes: Mapping[str, int]) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    number, home = int(one.number[1:]), homes[one.home_event or ""]
    if one.name is None:
        return generation, number, None, None, home, 0, None
    return generation, number, one.name, one.club, home, one.runs, one.mail


def _drop_other_keys(conn: Connection, generation: int, lines: Sequence[Athlete], homes: Mapping[str, int]) -> None:
    """Names and hashes by which these athletes are found until now, and no longer."""
    asked = is_one_of(conn, AthleteRow.number, [int(one.number[1:]) for one in lines])
    there = select(AthleteRow.number, AthleteRow.home, AthleteRow.name, AthleteRow.mail)
    found = conn.execute(there.where(AthleteRow.generation == generation, asked)).all()
    if not found:
        return
    names = {(row.home, search_key(row.name), row.number) for row in found if row.name is not None}
    for home, sought, number in sorted(names - {(homes[slug], *rest) for slug, *rest in _names(lines)}):
        name = (AthleteName.home == home, AthleteName.sought == sought, AthleteName.number == number)
        conn.execute(delete(AthleteName).where(AthleteName.generation == generation, *name))
    mails = {(row.mail, row.number) for row in found if row.mail is not None}
    for mail, number in sorted(mails - set(_mails(lines))):
        hashed = (AthleteMail.mail == mail, AthleteMail.number == number)
        conn.execute(delete(AthleteMail).where(AthleteMail.generation == generation, *hashed))


# statements


def _insert(conn: Connection, table: Any, make: Any, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert these rows, each a value for each column of the table; how many were written. SQLAlchemy would look at
    each value on its way, and the driver of PostgreSQL at each of a list: so they go as they are to SQLite, and as one
    text to PostgreSQL, which takes it apart."""
    if not _is_postgres(conn):
        return int(conn.exec_driver_sql(str(make.compile(dialect=conn.dialect)), rows).rowcount)
    columns = list(table.__table__.columns)
    names = [one.name for one in columns]
    text = msgspec.json.encode([dict(zip(names, row, strict=True)) for row in rows]).decode()  # bytes in base 64
    types = [column(one.name, Text() if isinstance(one.type, LargeBinary) else one.type) for one in columns]
    given = func.json_to_recordset(cast(literal(text, Text()), JSON)).table_valued(*types, name="given")
    values = [
        func.decode(value, "base64") if isinstance(one.type, LargeBinary) else value
        for one, value in zip(columns, given.render_derived(with_types=True).c, strict=True)
    ]
    whole = make.from_select(columns, select(*values)).execution_options(preserve_rowcount=True)
    return int(conn.execute(whole).rowcount)


def _make(conn: Connection, table: Any) -> Any:
    """An INSERT that may say what to do where the row is there."""
    return (postgresql.insert if _is_postgres(conn) else sqlite.insert)(table)


def is_one_of(
    conn: Connection, column: Any, numbers: Iterable[int] | Iterable[str], of: Any = BigInteger
) -> ColumnElement[bool]:
    """The numbers go as one value: the statement is the same, however many there are. `of`: their type."""
    asked: list[Any] = sorted(numbers)  # in the order of the table
    if _is_postgres(conn):
        found: ColumnElement[bool] = column == func.any(literal(asked, ARRAY(of)))
    else:
        found = column.in_(select(func.json_each(json.dumps(asked)).table_valued("value").c.value))
    return found


def _is_postgres(conn: Connection) -> bool:
    return conn.dialect.name == "postgresql"
