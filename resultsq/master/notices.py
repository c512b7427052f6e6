"""The office's notices to teams."""

import hashlib
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime

import sqlalchemy as sa

from resultsq.domain.notices import NoticeList, OfficeNotice
from resultsq.master.database import Utc


class NoticesTables:
    """The table of notices."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self.notices = sa.Table(
            "master_notices",
            metadata,
            sa.Column("number", sa.Integer, primary_key=True),
            sa.Column("event", sa.Text, comment="null: for all"),
            sa.Column("title", sa.Text, nullable=False),
            sa.Column("text", sa.Text, nullable=False),
            sa.Column("at", Utc, nullable=False),
            sa.Column("until", Utc, nullable=False, index=True),
            sqlite_autoincrement=True,
        )


class Notices:
    """The notices in the ledger's database. `writing` opens a transaction that writes, `reader` only reads."""

    def __init__(
        self, table: sa.Table, reader: sa.Engine, writing: Callable[[], AbstractContextManager[sa.Connection]]
    ) -> None:
        self._table, self._reader, self._writing = table, reader, writing

    def post(self, event: str | None, title: str, text: str, at: datetime, until: datetime) -> str:
        """Tell teams this from `at` until then; its id."""
        values = {"event": event, "title": title, "text": text, "at": at, "until": until}
        with self._writing() as connection:
            number = connection.execute(sa.insert(self._table).returning(self._table.c.number), values).scalar_one()
        return f"n-{number}"

    def current(self, now: datetime, events: Collection[str] | None = None) -> NoticeList:
        """Those that are in force or to come, for these events and for all; `events` None: of every event."""
        table = self._table
        query = sa.select(table).where(table.c.until > now).order_by(table.c.number)
        if events is not None:
            query = query.where(sa.or_(table.c.event.is_(None), table.c.event.in_(list(events))))
        with self._reader.begin() as connection:
            found = [
                OfficeNotice(f"n-{row.number}", row.event, row.title, row.text, row.at, row.until)
                for row in connection.execute(query)
            ]
        return NoticeList(found, f'"{hashlib.sha256(repr(found).encode()).hexdigest()[:32]}"')
