"""The master's list of athletes, and the feed of it: a snapshot, and then changes.

Each line has the number of its last change, and the feed lists lines in the order of these numbers. So a line that
changes while a node reads moves to the end, where the node meets it again."""

import hashlib
import hmac
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from resultsq.domain.athletes import Athlete, ListPage, ListQuestion, MustRefetch, NoList
from resultsq.readers.athletes_list import ListedAthlete

_AT_ONCE = 1000


class AthletesTables:
    """The tables of the list."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self.lists = sa.Table(
            "master_athlete_lists",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("handle", sa.Text, nullable=False, comment="another one: every copy begins again"),
            sa.Column("changes", sa.BigInteger, nullable=False),
        )
        self.athletes = sa.Table(
            "master_athletes",
            metadata,
            sa.Column("athlete", sa.Text, primary_key=True),
            sa.Column("name", sa.Text, comment="null: the number is retired"),
            sa.Column("club", sa.Text),
            sa.Column("home_event", sa.Text),
            sa.Column("runs", sa.Integer, nullable=False),
            sa.Column("changed", sa.BigInteger, nullable=False, unique=True),
        )
        self.ran_at = sa.Table(
            "master_athlete_events",
            metadata,
            sa.Column("event", sa.Text, primary_key=True),
            sa.Column("athlete", sa.Text, primary_key=True),
        )
        self.addresses = sa.Table(
            "master_athlete_addresses",
            metadata,
            sa.Column("athlete", sa.Text, primary_key=True),
            sa.Column("address", sa.Text, nullable=False, comment="leaves the master as a keyed hash alone"),
        )


class AthleteList:
    """The list in the ledger's database. `writing` opens a transaction that writes, `reader` only reads."""

    def __init__(
        self,
        tables: AthletesTables,
        reader: sa.Engine,
        writing: Callable[[], AbstractContextManager[sa.Connection]],
    ) -> None:
        self._tables = tables
        self._reader = reader
        self._writing = writing

    def put(self, listed: Collection[ListedAthlete]) -> None:
        """Add these lines, or replace those of their numbers. One that is as it was is no change."""
        with self._writing() as connection:
            self._count(connection, 0)  # locks the list before it is compared
            lines = {one.athlete.number: one for one in listed}
            numbers = sorted(lines.keys() - self._unchanged(connection, lines))
            if not numbers:
                return
            changed = self._count(connection, len(numbers))
            for table in (self._tables.athletes, self._tables.ran_at, self._tables.addresses):
                connection.execute(sa.delete(table).where(table.c.athlete.in_(numbers)))
            rows = [_row(lines[number].athlete, changed + n) for n, number in enumerate(numbers, 1)]
            connection.execute(sa.insert(self._tables.athletes), rows)
            ran = [{"event": event, "athlete": number} for number in numbers for event in set(lines[number].events)]
            if ran:
                connection.execute(sa.insert(self._tables.ran_at), ran)
            known = [{"athlete": number, "address": lines[number].address} for number in numbers]
            if known := [one for one in known if one["address"] is not None]:
                connection.execute(sa.insert(self._tables.addresses), known)

    def _unchanged(self, connection: sa.Connection, lines: Mapping[str, ListedAthlete]) -> set[str]:
        """Which of these are in the list as they are."""
        athletes, ran_at, addresses = self._tables.athletes, self._tables.ran_at, self._tables.addresses
        with_address = sa.select(athletes, addresses.c.address).outerjoin_from(
            athletes, addresses, addresses.c.athlete == athletes.c.athlete
        )
        there = connection.execute(with_address.where(athletes.c.athlete.in_(sorted(lines)))).all()
        ran: dict[str, set[str]] = {}
        for event, number in connection.execute(sa.select(ran_at).where(ran_at.c.athlete.in_(sorted(lines)))):
            ran.setdefault(number, set()).add(event)
        known = {row.athlete: (_athlete(row), ran.get(row.athlete, set()), row.address) for row in there}
        return {
            number for number, one in lines.items() if known.get(number) == (one.athlete, set(one.events), one.address)
        }

    def load(self, listed: Iterable[ListedAthlete]) -> int:
        """Add or replace all of these lines, a thousand in a transaction; how many."""
        count, some = 0, []
        for one in listed:
            some.append(one)
            if len(some) == _AT_ONCE:
                self.put(some)
                count, some = count + len(some), []
        if some:
            self.put(some)
        return count + len(some)

    def retire(self, numbers: Sequence[str]) -> None:
        """These numbers no longer belong to any athlete."""
        self.put([ListedAthlete(Athlete(number, None)) for number in numbers])

    def renew(self) -> None:
        """Void every copy: each begins again."""
        with self._writing() as connection:
            self._count(connection, 0)
            connection.execute(sa.update(self._tables.lists).values(handle=uuid.uuid4().hex))

    def page(
        self, question: ListQuestion, limit: int = 1000, mail_key: bytes | None = None
    ) -> ListPage | MustRefetch | NoList:
        """The next lines of the list, at most `limit`. `mail_key`: with the hash of each address by this key, which is
        the asking node's."""
        with self._reader.begin() as connection:
            found = connection.execute(sa.select(self._tables.lists.c.handle, self._tables.lists.c.changes)).first()
            if found is None:
                return NoList()
            handle, changes = found
            after = _after(question.after)
            if after is None or after > changes or (question.handle or handle) != handle:
                return MustRefetch()
            query = self._after(after, question.events).limit(limit + 1)
            rows = [] if after == changes else connection.execute(query).all()
            hashes = self._hashes(connection, [row.athlete for row in rows], mail_key)
        more = len(rows) > limit
        following = rows[limit - 1].changed if more else changes
        lines = [_athlete(row, hashes.get(row.athlete)) for row in rows[:limit]]
        return ListPage(handle, lines, str(following), not more, f"{handle}.{changes}")

    def _hashes(self, connection: sa.Connection, numbers: Collection[str], mail_key: bytes | None) -> dict[str, bytes]:
        if mail_key is None or not numbers:
            return {}
        addresses = self._tables.addresses
        query = sa.select(addresses.c.athlete, addresses.c.address).where(addresses.c.athlete.in_(numbers))
        return {number: _hash(address, mail_key) for number, address in connection.execute(query)}

    def _after(self, after: int, events: Collection[str]) -> sa.Select[Any]:
        athletes, ran_at = self._tables.athletes, self._tables.ran_at
        query = sa.select(athletes).where(athletes.c.changed > after).order_by(athletes.c.changed)
        if events:
            ran = sa.select(ran_at.c.athlete).where(ran_at.c.event.in_(sorted(events)))
            here = sa.or_(athletes.c.home_event.in_(sorted(events)), athletes.c.athlete.in_(ran))
            query = query.where(sa.or_(athletes.c.name.is_(None), here))
        return query

    def _count(self, connection: sa.Connection, more: int) -> int:
        """How many changes there were before; so many more are ours. The row stays locked: changes are committed in
        the order of their numbers, or a reader would pass one by."""
        lists = self._tables.lists
        raised = sa.update(lists).values(changes=lists.c.changes + more).returning(lists.c.changes)
        if (changes := connection.execute(raised).scalar()) is not None:
            return int(changes) - more
        connection.execute(sa.insert(lists), {"id": 1, "handle": uuid.uuid4().hex, "changes": more})
        return 0


def _row(athlete: Athlete, changed: int) -> dict[str, object]:
    return {
        "athlete": athlete.number,
        "name": athlete.name,
        "club": athlete.club,
        "home_event": athlete.home_event,
        "runs": athlete.runs,
        "changed": changed,
    }


def _athlete(row: sa.Row[Any], mail: bytes | None = None) -> Athlete:
    return Athlete(row.athlete, row.name, row.club, row.home_event, row.runs, mail)


def _hash(address: str, key: bytes) -> bytes:
    return hmac.new(key, address.strip().lower().encode(), hashlib.sha256).digest()[:16]


def _after(text: str) -> int | None:
    """The number of a change; None: it is none of ours."""
    if not text:
        return 0
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else None
