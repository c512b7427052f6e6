"""Blocks of athlete numbers that nodes lease in advance, so that they can register athletes while the master is away.

Numbers count upwards and none is given twice, also not the rest of a block that came back: the contract allows
to give that again, and does not ask for it. Numbers that the list of athletes has are passed over."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from resultsq.master.database import Utc

FIRST_NUMBER = 90_000_000
MOST_NUMBERS = 10_000
"""The largest block."""
LEASE = timedelta(days=28)

_NAME = re.compile(r"b-([1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class AthleteBlock:
    """Numbers from `first` to `last`, both included. `used_up_to` None: no rest of it came back."""

    name: str
    first: int
    last: int
    expires_at: datetime
    used_up_to: int | None = None


class BlocksTables:
    """The tables of the blocks."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self.numbers = sa.Table(
            "master_athlete_numbers",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("next", sa.BigInteger, nullable=False, comment="the lowest number that is in no block"),
        )
        self.blocks = sa.Table(
            "master_athlete_blocks",
            metadata,
            sa.Column("number", sa.Integer, primary_key=True),
            sa.Column("node", sa.Text, nullable=False, comment="whose credentials leased it"),
            sa.Column("key", sa.Text, nullable=False, comment="the Idempotency-Key of the lease"),
            sa.Column("first", sa.BigInteger, nullable=False, unique=True),
            sa.Column("last", sa.BigInteger, nullable=False),
            sa.Column("expires_at", Utc, nullable=False),
            sa.Column("used_up_to", sa.BigInteger, comment="null: no rest of it came back"),
            sa.UniqueConstraint("node", "key", name="master_athlete_blocks_key"),
            sqlite_autoincrement=True,
        )


class AthleteBlocks:
    """The blocks in the ledger's database. `writing` opens a transaction that writes, `reader` only reads."""

    def __init__(
        self,
        tables: BlocksTables,
        athletes: sa.Table,
        reader: sa.Engine,
        writing: Callable[[], AbstractContextManager[sa.Connection]],
    ) -> None:
        self._numbers, self._blocks, self._athletes = tables.numbers, tables.blocks, athletes
        self._reader = reader
        self._writing = writing

    def lease(self, size: int, key: str, node: str, now: datetime) -> AthleteBlock | None:
        """A block of so many numbers, or the one that the node leased with this key before; None: that one has
        another size."""
        blocks = self._blocks
        with self._writing() as connection:
            following = self._lock(connection)
            leased = sa.select(blocks).where(blocks.c.node == node, blocks.c.key == key)
            if (known := connection.execute(leased).first()) is not None:
                return _block(known) if known.last - known.first + 1 == size else None
            first = self._free(connection, following, size)
            connection.execute(sa.update(self._numbers).values(next=first + size))
            lease: dict[str, object] = {"node": node, "key": key, "first": first, "last": first + size - 1}
            lease["expires_at"] = now.astimezone(UTC) + LEASE
            return _block(connection.execute(sa.insert(blocks).returning(blocks), lease).one())

    def find(self, name: str, node: str) -> AthleteBlock | None:
        """The block of that name; None: this node leased no such block."""
        with self._reader.begin() as connection:
            return self.named(connection, name, node)

    def named(self, connection: sa.Connection, name: str, node: str) -> AthleteBlock | None:
        """The same, inside the caller's transaction."""
        row = connection.execute(sa.select(self._blocks).where(*self._named(name, node))).first()
        return None if row is None else _block(row)

    def take_one(self, connection: sa.Connection) -> int:
        """A number that is in no block, for one athlete, inside the caller's transaction."""
        number = self._free(connection, self._lock(connection), 1)
        connection.execute(sa.update(self._numbers).values(next=number + 1))
        return number

    def give_back(self, block: AthleteBlock, used_up_to: int, node: str) -> int:
        """Note that the numbers above `used_up_to` came back unused; what is noted now: a second word changes
        nothing."""
        named = self._named(block.name, node)
        with self._writing() as connection:
            still_out = sa.update(self._blocks).where(*named, self._blocks.c.used_up_to.is_(None))
            connection.execute(still_out.values(used_up_to=used_up_to))
            return int(connection.execute(sa.select(self._blocks.c.used_up_to).where(*named)).scalar_one())

    def _named(self, name: str, node: str) -> tuple[sa.ColumnElement[bool], ...]:
        found = _NAME.fullmatch(name)
        return self._blocks.c.number == (int(found[1]) if found else 0), self._blocks.c.node == node

    def _free(self, connection: sa.Connection, first: int, size: int) -> int:
        """The first of so many numbers that no athlete of the list has, from `first` on."""
        athlete = self._athletes.c.athlete
        while True:
            last = first + size - 1
            if len(str(first)) != len(str(last)):  # numbers are compared as texts, which must be of one length
                first = 10 ** len(str(first))
                continue
            is_one = (athlete.between(f"A{first}", f"A{last}"), sa.func.length(athlete) == len(f"A{first}"))
            taken = connection.execute(sa.select(sa.func.max(athlete)).where(*is_one)).scalar()
            if taken is None:
                return first
            first = int(taken[1:]) + 1

    def _lock(self, connection: sa.Connection) -> int:
        """Lock the count of numbers, so that of two leases with one key the second one finds the first; the lowest
        number that is in no block."""
        begun = sa.text("INSERT INTO master_athlete_numbers (id, next) VALUES (1, :first) ON CONFLICT DO NOTHING")
        connection.execute(begun, {"first": FIRST_NUMBER})
        locked = sa.update(self._numbers).values(next=self._numbers.c.next).returning(self._numbers.c.next)
        return int(connection.execute(locked).scalar_one())


def _block(row: sa.Row[Any]) -> AthleteBlock:
    return AthleteBlock(f"b-{row.number}", row.first, row.last, row.expires_at, row.used_up_to)
