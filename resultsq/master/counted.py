"""Counts the receipts of a table without reading all of its rows at each question."""

import datetime as dt

import sqlalchemy as sa


class Counted:
    """How many receipts were counted, up to which number; of each table."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.rows: dict[str, int] = {}

    def newest(self, connection: sa.Connection, table: sa.Table) -> dt.datetime | None:
        """When the newest of the table was given; counts the rows since the last call, and all of them again
        where there are fewer: a backup was restored."""
        number, name = table.c.number, table.name
        newest = connection.execute(sa.select(number, table.c.received_at).order_by(number.desc()).limit(1)).first()
        if newest is None or newest.number < self.number.get(name, 0):
            self.number[name] = self.rows[name] = 0
        if newest is None:
            return None
        counted = self.number.get(name, 0)
        more = sa.select(sa.func.count()).where(number > counted, number <= newest.number)
        rows = self.rows.get(name, 0) + connection.execute(more).scalar_one()
        self.number[name], self.rows[name] = newest.number, rows
        return newest.received_at  # type: ignore[no-any-return]  # a row's
