"""Writes and deletes the rows of a copy.

The master lists athletes in the order of their changes, so each line belongs on another page of the table, of the
names and of the hashes. A database writes whole pages: lines are sorted first, for each table in its own order, so that
each transaction fills a few.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, delete, literal, select, tuple_

from resultsq.domain.athletes import Athlete, search_key
from resultsq.store.athletes import bulk
from resultsq.store.athletes.asked import is_one_given, is_one_of, written
from resultsq.store.engine.tables import AthleteCopy, AthleteHome, AthleteMail, AthleteName, AthleteRow, AthletesState

AT_ONCE = 4000
"""Rows written or deleted in one transaction: some ten milliseconds, for which other writers wait."""

WIDER = 6
"""How much more is written in one transaction where others may write meanwhile: each COMMIT waits for the disk."""

AT_MOST = 150_000
"""Lines that are sorted at once: some sixty megabytes."""

PAUSE_S = 0.01
"""How long other writers have their turn between two transactions."""

T = TypeVar("T")
Piece = Callable[[Connection], None]


def pieces(generation: int, athletes: Iterable[Athlete], wider: int = 1) -> Iterator[Piece]:
    """The transactions that write these lines, at most `AT_MOST`; a later line of a number replaces the earlier. The
    lines are whole when the last of them is committed; all of them may be run again. `wider`: so many times as much in
    each."""
    lines = {int(one.number[1:]): one for one in athletes}
    numbers = sorted(lines)
    into, size = _Into(generation), AT_ONCE * wider
    if len(numbers) <= AT_ONCE:
        if numbers:
            yield partial(_put, into, [lines[number] for number in numbers])
        return
    for some in _parts(numbers, size):
        yield partial(_put_rows, into, [lines[number] for number in some])
    yield from (partial(_put_names, into, some) for some in _parts(sorted(_names(lines.values())), size))
    yield from (partial(_put_mails, into, some) for some in _parts(sorted(_mails(lines.values())), size))


def write_all(write: Callable[[Piece], None], generation: int, athletes: Iterable[Athlete], *, alone: bool) -> None:
    """Write these lines by `write`, a transaction for each piece. `alone`: one process writes at a time, as on SQLite.
    Then it pauses between two: those that wait look every other millisecond whether they may."""
    for at, piece in enumerate(pieces(generation, athletes, 1 if alone else WIDER)):
        if at and alone:
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
    known: set[int] = field(default_factory=set)
    """Athletes who were there already, where `bulk.can_copy`. Of others there is no name and no hash."""

    def find(self, conn: Connection, slugs: set[str]) -> Mapping[str, int]:
        """The numbers of these home events; new ones are written."""
        self.homes.update(_numbers_of(conn, slugs - self.homes.keys()))
        missing = sorted(slugs - self.homes.keys())
        if not missing:
            return self.homes
        conn.execute(bulk.make(conn, AthleteHome).on_conflict_do_nothing(), [{"slug": slug} for slug in missing])
        return self.homes | _numbers_of(conn, set(missing))  # not kept: they go if this transaction does not end well


def _numbers_of(conn: Connection, slugs: set[str]) -> dict[str, int]:
    if not slugs:
        return {}
    found = select(AthleteHome.slug, AthleteHome.id).where(AthleteHome.slug.in_(sorted(slugs)))
    return {row.slug: row.id for row in conn.execute(found)}


def _parts(lines: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (lines[first : first + size] for first in range(0, len(lines), size))


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
    rows, make = [_row(into.generation, one, homes) for one in lines], bulk.make(conn, AthleteRow)
    if bulk.can_copy(conn):
        known = _known(conn, into.generation, lines)
        into.known.update(known)
        bulk.copy(conn, AthleteRow, [row for row in rows if row[1] not in known])
        rows, lines = [row for row in rows if row[1] in known], [one for one in lines if int(one.number[1:]) in known]
        if not rows:
            return
    elif bulk.insert(conn, AthleteRow, make.on_conflict_do_nothing(), rows) == len(rows):
        return  # as in a list that comes whole: to look first for what is there costs SQLite as much again
    _drop_other_keys(conn, into.generation, lines, homes)
    replaced = {name: make.excluded[name] for name in ("name", "club", "home", "runs", "mail")}
    make = make.on_conflict_do_update(index_elements=["generation", "number"], set_=replaced)
    bulk.insert(conn, AthleteRow, make, rows)


def _put_names(into: _Into, names: Sequence[tuple[str, str, int]], conn: Connection) -> None:
    homes = into.find(conn, {slug for slug, _, _ in names})
    rows = [(into.generation, homes[slug], sought, number) for slug, sought, number in names]
    _put_keys(into, AthleteName, rows, conn)


def _put_mails(into: _Into, mails: Sequence[tuple[bytes, int]], conn: Connection) -> None:
    rows = [(into.generation, mail, number) for mail, number in mails]
    _put_keys(into, AthleteMail, rows, conn)


def _put_keys(into: _Into, table: Any, rows: Sequence[tuple[Any, ...]], conn: Connection) -> None:
    """Of a table that is its key, which ends with the athlete's number, and nothing else."""
    if bulk.can_copy(conn):
        bulk.copy(conn, table, [row for row in rows if row[-1] not in into.known])
        rows = [row for row in rows if row[-1] in into.known]
    if rows:
        bulk.insert(conn, table, bulk.make(conn, table).on_conflict_do_nothing(), rows)


def _known(conn: Connection, generation: int, lines: Sequence[Athlete]) -> set[int]:
    """The numbers of these athletes that are there."""
    numbers = written("postgresql", [int(one.number[1:]) for one in lines])
    return set(conn.execute(_KNOWN, {"generation_": generation, "numbers": numbers}).scalars())


_KNOWN = select(AthleteRow.number).where(
    AthleteRow.generation == bindparam("generation_"), is_one_given("postgresql", AthleteRow.number)
)


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
