"""Reads the copy of the list of athletes that is in use. Each look-up is one statement, so that a copy that is put in
use meanwhile is seen whole or not at all."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select

from resultsq.domain.athletes import Athlete, digits_of, folded
from resultsq.store.athletes.asked import MAKES, is_one_given, written
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import AthleteCopy, AthleteHome, AthleteMail, AthleteName, AthleteRow, AthletesState

MOST_NAMED = 8
LEAST_TYPED = 3
"""Letters of a name from which on it is looked for."""

_MOST_SOUGHT = 2000
"""Names that begin alike, of which those with the other words are chosen."""

FASTER = 10
"""How many rows that lie together are read in the time of one that is looked for by its number."""

_CURRENT = select(AthletesState.current).scalar_subquery()
_IN_USE = AthleteRow.generation == _CURRENT
_SHOWN = select(AthleteRow.number, AthleteRow.name, AthleteRow.club, AthleteHome.slug, AthleteRow.runs).join(
    AthleteHome, AthleteHome.id == AthleteRow.home, isouter=True
)


def as_of(conn: Connection) -> datetime | None:
    """As of when the copy in use is; None where there is none."""
    query = select(AthleteCopy.as_of).join(AthletesState, AthletesState.current == AthleteCopy.generation)
    return conn.execute(query).scalar()


@dataclass(frozen=True, slots=True)
class ListInUse:
    """As of when the list is, and of whose athletes: `events` empty: of all."""

    as_of: datetime
    events: tuple[str, ...]


_THERE = PreparedStatement(
    select(literal_column("1"))
    .select_from(AthleteCopy)
    .join(AthletesState, AthletesState.current == AthleteCopy.generation)
    .where(AthleteCopy.as_of.is_not(None))
)


def is_there(conn: Connection) -> bool:
    """Whether there is a list: every acceptance asks."""
    return _THERE.first(conn, {}) is not None


def in_use(conn: Connection) -> ListInUse | None:
    """What list there is; None where there is none."""
    query = select(AthleteCopy.as_of, AthleteCopy.events)
    row = conn.execute(query.join(AthletesState, AthletesState.current == AthleteCopy.generation)).first()
    if row is None or row.as_of is None:
        return None
    return ListInUse(row.as_of, tuple(row.events.split(",")) if row.events else ())


_BY_NUMBER = {make: PreparedStatement(_SHOWN.where(_IN_USE, is_one_given(make, AthleteRow.number))) for make in MAKES}
"""Made ready: every look at a draft asks, for all its numbers."""


def by_number(conn: Connection, numbers: Collection[str]) -> dict[str, Athlete]:
    """Those of these athletes that the list has, retired ones too; one statement, however many are asked for."""
    if not numbers:
        return {}
    make = conn.dialect.name
    rows = _BY_NUMBER[make].all(conn, {"numbers": written(make, digits_of(numbers))})
    return {athlete.number: athlete for athlete in map(_athlete, rows)}


def by_mail(conn: Connection, mail: bytes) -> list[Athlete]:
    """Those athletes, not retired, whose address has this hash: at most eight, as of a family with one address."""
    at = select(AthleteMail.number).where(AthleteMail.generation == _CURRENT, AthleteMail.mail == mail)
    query = _SHOWN.where(_IN_USE, AthleteRow.number.in_(at.order_by(AthleteMail.number).limit(MOST_NAMED)))
    return [_athlete(row) for row in conn.execute(query.order_by(AthleteRow.number))]


_HOME = select(AthleteHome.id).where(AthleteHome.slug == bindparam("home")).scalar_subquery()
_AT_HOME = {
    make: PreparedStatement(
        _SHOWN.where(
            _IN_USE,
            is_one_given(make, AthleteRow.number),
            (AthleteRow.home + 0) == _HOME,  # the sum keeps SQLite from going through all athletes of the home event
            AthleteRow.name.is_not(None),
        )
    )
    for make in MAKES
}


def at_home(conn: Connection, wanted: set[int], home_event: str) -> list[Athlete]:
    """Those of these numbers, barcodes without their letter, that are not retired and whose home event is this one."""
    if (there := _numbers_at(conn, home_event, FASTER * len(wanted))) is not None:
        wanted = wanted & there
    if not wanted:
        return []
    make = conn.dialect.name
    rows = _AT_HOME[make].all(conn, {"numbers": written(make, wanted), "home": home_event})
    return [_athlete(row) for row in rows]


def _numbers_at(conn: Connection, home_event: str, most: int) -> set[int] | None:
    """The numbers of all athletes of this home event, which lie together; None: there are more than so many."""
    home = select(AthleteHome.id).where(AthleteHome.slug == home_event).scalar_subquery()
    there = select(AthleteName.number).where(AthleteName.generation == _CURRENT, AthleteName.home == home)
    found = conn.execute(there.limit(most + 1)).scalars().all()
    return None if len(found) > most else set(found)


def _athlete(row: Sequence[Any]) -> Athlete:
    """Of the columns that are shown."""
    number, name, club, home, runs = row
    return Athlete(f"A{number}", name, club, home or None, runs)


def by_name(conn: Connection, typed: str, home_events: Sequence[str]) -> list[Athlete]:
    """Athletes of this name, in part and in either order of its words: at most eight, those whose home event is one of
    these before the others."""
    words = folded(typed).split()
    if len("".join(words)) < LEAST_TYPED:
        return []
    numbers: dict[str, None] = {}
    for home in (*home_events, None):
        numbers |= dict.fromkeys(_named(conn, words, home))
        if len(numbers) >= MOST_NAMED:
            break
    chosen = list(numbers)[:MOST_NAMED]
    known = by_number(conn, chosen)
    return [known[number] for number in chosen if number in known]


def _named(conn: Connection, words: Sequence[str], home: str | None) -> Iterator[str]:
    """Numbers of athletes whose family name begins with the last of the words or the first, and who have the others."""
    for at in dict.fromkeys((len(words) - 1, 0)):
        others = [word for index, word in enumerate(words) if index != at]
        found = conn.execute(_beginning(words[at], home))
        for sought, number in sorted((row.sought, row.number) for row in found):
            names = sought.split()
            if all(any(name.startswith(word) for name in names) for word in others):
                yield f"A{number}"


def _beginning(prefix: str, home: str | None) -> Select[int, str]:
    """Of this home event; None: of each in turn, so that one table serves both."""
    sought, homes = AthleteName.sought, select(AthleteHome.id)
    if home is not None:
        homes = homes.where(AthleteHome.slug == home)
    alike = (AthleteName.home.in_(homes), sought >= prefix, sought < f"{prefix}\U0010ffff")
    return select(AthleteName.number, sought).where(AthleteName.generation == _CURRENT, *alike).limit(_MOST_SOUGHT)


@dataclass(frozen=True, slots=True)
class Held:
    """How many athletes the copy in use has, and how many retired numbers beside them."""

    athletes: int
    retired: int


def held(conn: Connection) -> Held:
    """Counted: it takes a moment where there are a million."""
    every, named = conn.execute(select(func.count(), func.count(AthleteRow.name)).where(_IN_USE)).one()
    return Held(named, every - named)
