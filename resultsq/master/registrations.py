"""The athletes who registered: each number once, and each person once."""

import sqlalchemy as sa

from resultsq.domain.outcome import Reason
from resultsq.master.blocks import AthleteBlocks
from resultsq.master.body import RegisteredPerson
from resultsq.master.rules import Invalid


class RegisteredAlready:
    """The same person, by name and date of birth, may be here already; nothing was changed."""


def registrations_table(metadata: sa.MetaData) -> sa.Table:
    """The table of the registered."""
    return sa.Table(
        "master_registrations",
        metadata,
        sa.Column("submission", sa.Text, primary_key=True),
        sa.Column("athlete", sa.Text, nullable=False, unique=True),
        sa.Column("person", sa.Text, nullable=False, unique=True, comment="names and date of birth in one spelling"),
    )


class Registrations:
    """Enters the registered, inside the caller's transaction."""

    def __init__(self, table: sa.Table, blocks: AthleteBlocks) -> None:
        self._table = table
        self._blocks = blocks

    def enter(
        self, connection: sa.Connection, given: RegisteredPerson, submission: str, node: str
    ) -> RegisteredAlready | Invalid | None:
        """Give the person a number, or the one that the node gave from its block; None: it is done."""
        table = self._table
        if self._is_there(connection, table.c.person == given.person):
            return RegisteredAlready()
        athlete = given.athlete
        if athlete is None or given.block is None:
            athlete = f"A{self._blocks.take_one(connection)}"
        else:
            block = self._blocks.named(connection, given.block, node)
            if block is None:
                return Invalid((Reason("These credentials leased no such block.", "/block"),))
            if not block.first <= int(athlete[1:]) <= block.last:
                return Invalid((Reason("This number is not of this block.", "/athlete"),))
            if self._is_there(connection, table.c.athlete == athlete):
                return Invalid((Reason("This number was given to another person.", "/athlete"),))
        values = {"submission": submission, "athlete": athlete, "person": given.person}
        connection.execute(sa.insert(table), values)
        return None

    def _is_there(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> bool:
        return connection.execute(sa.select(self._table.c.submission).where(which)).first() is not None
