"""Writes and deletes the rows of a copy.

The master lists athletes in the order of their changes, so each line belongs on another page of the table, and on
another page of the names. A database writes whole pages: lines are sorted first, so that each transaction fills a few.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    delete,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from resultsq.domain.athletes import Athlete, search_key
from resultsq.store.engine.tables import AthleteCopy, AthleteHome, AthleteName, AthleteRow, AthletesState

AT_ONCE = 2000
"""Rows written or deleted in one transaction: some milliseconds, for which other writers wait."""

AT_MOST = 100_000
"""Lines that are sorted at once: some forty megabytes."""

PAUSE_S = 0.01
"""How long other writers have their turn between two transactions."""

Piece = Callable[[Connection], None]


def pieces(generation: int, athletes: Iterable[Athlete]) -> Iterator[Piece]:
    """The transactions that write these lines, at most `AT_MOST`; a later line of a number replaces the earlier. The
    lines are whole when the last of them is committed; all of them may be run again."""
    lines = {int(one.number[1:]): one for one in athletes}
    numbers = sorted(lines)
    if len(numbers) <= AT_ONCE:
        if numbers:
            yield partial(_put, generation, [lines[number] for number in numbers])
        return
    for first in range(0, len(numbers), AT_ONCE):
        yield partial(_put_rows, generation, [lines[number] for number in numbers[first : first + AT_ONCE]])
    names = sorted(_names(lines.values()))
    for first in range(0, len(names), AT_ONCE):
        yield partial(_put_names, generation, names[first : first + AT_ONCE])


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
    gone = _delete_rows(conn, old) or _delete_names(conn, old)
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


def _delete_names(conn: Connection, old: int) -> int:
    key = (AthleteName.home, AthleteName.sought, AthleteName.number)
    some = select(*key).where(AthleteName.generation == old).order_by(*key).limit(AT_ONCE)
    found = conn.execute(some).all()
    if not found:
        return 0
    up_to = tuple_(*key) <= tuple_(*(literal(value, column.type) for value, column in zip(found[-1], key, strict=True)))
    return int(conn.execute(delete(AthleteName).where(AthleteName.generation == old, up_to)).rowcount)


# lines


def _put(generation: int, lines: Sequence[Athlete], conn: Connection) -> None:
    _put_rows(generation, lines, conn)
    if names := sorted(_names(lines)):
        _put_names(generation, names, conn)


def _names(lines: Iterable[Athlete]) -> Iterator[tuple[str, str, int]]:
    """In the order of the table, as far as a home event's name stands for its number."""
    return ((one.home_event or "", search_key(one.name), int(one.number[1:])) for one in lines if one.name is not None)


def _put_rows(generation: int, lines: Sequence[Athlete], conn: Connection) -> None:
    homes = _homes(conn, {one.home_event or "" for one in lines})
    _drop_other_names(conn, generation, lines, homes)
    make = _make(conn, AthleteRow)
    replaced = {name: make.excluded[name] for name in ("name", "club", "home", "runs", "mail")}
    make = make.on_conflict_do_update(index_elements=["generation", "number"], set_=replaced)
    _insert(conn, AthleteRow, make, [_row(generation, one, homes) for one in lines])


def _put_names(generation: int, names: Sequence[tuple[str, str, int]], conn: Connection) -> None:
    homes = _homes(conn, {slug for slug, _, _ in names})
    rows = [(generation, homes[slug], sought, number) for slug, sought, number in names]
    _insert(conn, AthleteName, _make(conn, AthleteName).on_conflict_do_nothing(), rows)


def _row(generation: int, one: Athlete, homes: dict[str, int]) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    number, home = int(one.number[1:]), homes[one.home_event or ""]
    if one.name is None:
        return generation, number, None, None, home, 0, None
    return generation, number, one.name, one.club, home, one.runs, one.mail


def _drop_other_names(conn: Connection, generation: int, lines: Sequence[Athlete], homes: dict[str, int]) -> None:
    """Names under which these athletes are found until now, and no longer."""
    asked = is_one_of(conn, AthleteRow.number, [int(one.number[1:]) for one in lines])
    there = select(AthleteRow.number, AthleteRow.home, AthleteRow.name).where(
        AthleteRow.generation == generation, asked
    )
    found = conn.execute(there).all()
    if not found:
        return
    new = {(number, homes[slug], sought) for slug, sought, number in _names(lines)}
    old = {(row.number, row.home, search_key(row.name)) for row in found if row.name is not None}
    for number, home, sought in sorted(old - new):
        key = (AthleteName.home == home, AthleteName.sought == sought, AthleteName.number == number)
        conn.execute(delete(AthleteName).where(AthleteName.generation == generation, *key))


def _homes(conn: Connection, slugs: set[str]) -> dict[str, int]:
    """The numbers of these home events; new ones are written."""
    found = select(AthleteHome.slug, AthleteHome.id).where(AthleteHome.slug.in_(sorted(slugs)))
    known = {row.slug: row.id for row in conn.execute(found)}
    if missing := sorted(slugs - known.keys()):
        conn.execute(_make(conn, AthleteHome).on_conflict_do_nothing(), [{"slug": slug} for slug in missing])
        known = {row.slug: row.id for row in conn.execute(found)}
    return known


# statements


def _insert(conn: Connection, table: Any, make: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert these rows, each a value for each column of the table. SQLAlchemy would look at each value on its way. The
    driver takes the rows as they are: SQLite as a prepared statement, PostgreSQL as one with a list for each column."""
    if not _is_postgres(conn):
        conn.exec_driver_sql(str(make.compile(dialect=conn.dialect)), rows)
        return
    columns = list(table.__table__.columns)
    lists = [literal(list(values), ARRAY(to.type)) for to, values in zip(columns, zip(*rows, strict=True), strict=True)]
    given = func.unnest(*lists).table_valued(*(column.name for column in columns), name="given").render_derived()
    conn.execute(make.from_select(columns, select(*given.c)))


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
