"""The master's ledger: its tables, and the one transaction that publishes a sheet exactly once.

Sheet, rows, revision and receipt are one commit. Two unique keys carry the promise whatever else goes on: the
submission id, kept for ever, and (event, date, revision), so that of two sheets on the same head one commits.
The second of two writers meets the key, reads again, and answers with the sheet that is there now.
"""

import datetime as dt
import hashlib
import re
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, TimeoutError

from resultsq.domain import sheet as sheets
from resultsq.domain.errors import InputRefused
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Latest, ReceiptPage
from resultsq.domain.sheet import Sheet
from resultsq.master import rules
from resultsq.master.athletes import AthleteList, AthletesTables
from resultsq.master.blocks import AthleteBlocks, BlocksTables
from resultsq.master.body import Expired as Expired
from resultsq.master.counted import Counted as Counted
from resultsq.master.database import READ_ONLY, Utc
from resultsq.master.kept import ids_table, kept_table
from resultsq.master.kinds import KINDS, Body
from resultsq.master.notices import Notices, NoticesTables
from resultsq.master.registrations import RegisteredAlready as RegisteredAlready
from resultsq.master.registrations import Registrations, registrations_table
from resultsq.master.rules import Invalid as Invalid
from resultsq.master.rules import UnreadableSheet as UnreadableSheet

metadata = sa.MetaData()

_sheets = sa.Table(
    "master_sheets",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("submission", sa.Text, nullable=False, unique=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("date", sa.Date, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("received_at", Utc, nullable=False),
    sa.Column("node", sa.Text, nullable=False, comment="whose credentials brought it"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="the committed bytes, never serialised again"),
    sa.UniqueConstraint("event", "date", "revision", name="master_sheets_chain"),
    sa.Index("master_sheets_by_node", "node", "received_at", "number"),
    sqlite_autoincrement=True,
)
_finishers = sa.Table(
    "master_finishers",
    metadata,
    sa.Column("sheet", sa.ForeignKey("master_sheets.number"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("athlete", sa.Text, comment="null: an Unknown"),
    sa.Column("time", sa.Text, comment="HH:MM:SS; null: the position has no time"),
    sqlite_with_rowid=False,
)
_volunteers = sa.Table(
    "master_volunteers",
    metadata,
    sa.Column("sheet", sa.ForeignKey("master_sheets.number"), primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("athlete", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

_kept = kept_table(metadata)
_ids = ids_table(metadata)
_athletes = AthletesTables(metadata)
_blocks = BlocksTables(metadata)
_notices = NoticesTables(metadata)
_registrations = registrations_table(metadata)

_RECEIPT = tuple(_sheets.c["submission", "event", "date", "revision", "digest", "received_at"])
_KEPT_RECEIPT = (
    _kept.c.submission,
    _kept.c.event,
    sa.cast(sa.null(), sa.Date).label("date"),
    sa.literal_column("0", sa.Integer).label("revision"),
    _kept.c.digest,
    _kept.c.received_at,
    _kept.c.kind,
    sa.select(_registrations.c.athlete)
    .where(_registrations.c.submission == _kept.c.submission)
    .scalar_subquery()
    .label("athlete"),
)
_SHEETS_RECEIPT = (
    *_RECEIPT,
    sa.literal_column("''", sa.Text).label("kind"),
    sa.cast(sa.null(), sa.Text).label("athlete"),
)
_BY_ID = sa.union_all(
    sa.select(*_SHEETS_RECEIPT).where(_sheets.c.submission == sa.bindparam("id")),
    sa.select(*_KEPT_RECEIPT).where(_kept.c.submission == sa.bindparam("id")),
)
_HEAD = (
    sa.select(_sheets.c.submission, _sheets.c.revision)
    .where(_sheets.c.event == sa.bindparam("at_event"), _sheets.c.date == sa.bindparam("at_date"))
    .order_by(_sheets.c.revision.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Committed:
    """The ledger has this very sheet. `new` False: it was committed before, and this is the same receipt."""

    receipt: Receipt
    new: bool


@dataclass(frozen=True, slots=True)
class IdReused:
    """The id was committed before with another digest; nothing was changed."""


@dataclass(frozen=True, slots=True)
class HeadConflict:
    """The sheet published there is not the one that the precondition names; both None: nothing is there."""

    head: str | None
    revision: int | None


Publication = Committed | IdReused | HeadConflict | RegisteredAlready | Invalid | UnreadableSheet | Expired


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The published version of an event and date: the committed bytes, and under which id."""

    submission: str
    revision: int
    body: bytes


_CREATION_LOCK = 0x7265_7375_6C74  # any number that is ours alone among the database's advisory locks
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_QUEUE_S = 15.0
"""How long a publication waits for others of its process before it gives up (SQLite)."""
_TURNS = 8
"""How often a publication looks again after meeting a key. A turn is lost only to another's commit, and after
one the id or the head is nearly always there to be seen; the bound is for a database that lies."""


def node_of(token: str) -> str:
    """The node that a token stands for where it has no name: receipts of two tokens never mix, and the
    ledger keeps no token."""
    return f"token-{hashlib.sha256(token.encode()).hexdigest()[:12]}"


class Ledger:
    """The master's database. Thread-safe; `engine` comes from `database.open_engine`.

    Every method may raise one of `database.UNAVAILABLE`. Then nothing is known of a publication: look its
    receipt up, or publish it again."""

    def __init__(self, engine: sa.Engine, counted: "Counted | None" = None) -> None:
        self._engine = engine
        self._counted = counted or Counted()
        self._reader = engine.execution_options(**READ_ONLY)
        # SQLite lets waiting writers starve each other for seconds; one lock in the process ends that.
        self._lock = threading.Lock() if engine.dialect.name == "sqlite" else None
        self.athletes = AthleteList(_athletes, self._reader, partial(self._writing, waits=True))
        self.blocks = AthleteBlocks(_blocks, _athletes.athletes, self._reader, partial(self._writing, waits=True))
        self._registrations = Registrations(_registrations, self.blocks)
        self.notices = Notices(_notices.notices, self._reader, partial(self._writing, waits=True))

    def create_tables(self) -> None:
        """Make the tables where they are not there yet; safe when several masters start at once."""
        engine = self._engine
        if engine.dialect.name == "postgresql":  # a writer that waited at the lock must see later commits
            engine = engine.execution_options(isolation_level="READ COMMITTED")
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION_LOCK)))
            metadata.create_all(connection)

    def latest(self) -> Latest:
        """How many receipts there are, and when the newest was given."""
        with self._reader.begin() as connection:
            given = [at for table in (_sheets, _kept) if (at := self._counted.newest(connection, table)) is not None]
        return Latest(max(given, default=None), sum(self._counted.rows.values()))

    def publish(
        self,
        body: bytes,
        submission: str,
        event: str,
        date: str,
        precondition: str | None,
        node: str,
        now: dt.datetime,
    ) -> Publication:
        """Publish a sheet for `event` and `date` (ISO 8601) on top of the submission that `precondition`
        names (None: there is nothing yet). The id is looked up before the precondition and before the body's
        rules, so that a repeat gets its first answer for ever. `node` is whose credentials brought it."""
        digest = sheets.digest(body)
        sheet = rules.read(body, event, date)  # outside the transaction: others need not wait for it
        for turn in range(_TURNS):
            try:
                with self._writing() as connection:
                    known = _receipt(connection, submission)
                    if known is not None and known.digest != digest:
                        return IdReused()
                    if known is not None and (known.event, known.date) == (event, date):
                        return Committed(known, new=False)
                    if not isinstance(sheet, Sheet):
                        return sheet
                    place = {"at_event": event, "at_date": sheet.date}
                    head, revision = connection.execute(_HEAD, place).one_or_none() or (None, None)
                    if head != precondition:
                        return HeadConflict(head, revision)
                    receipt = Receipt(
                        submission=submission,
                        event=event,
                        date=date,
                        revision=(revision or 0) + 1,
                        digest=digest,
                        received_at=now.astimezone(dt.UTC),
                    )
                    _take_id(connection, submission, again=turn > 0)
                    _insert(connection, receipt, sheet, body, node)
                return Committed(receipt, new=True)
            except IntegrityError:
                if turn == _TURNS - 1:
                    raise
        raise AssertionError("unreachable: the last turn returns or raises")

    def keep(self, kind: str, body: bytes, submission: str, node: str, now: dt.datetime) -> Publication:
        """Keep a submission of a kind that has no versions (`kinds.KINDS`). A repeat gets its first answer for ever.

        :raises KeyError: this master takes none of this kind."""
        digest, read = sheets.digest(body), KINDS[kind](body)
        registration = read.registration if isinstance(read, Body) else None
        for turn in range(_TURNS):
            try:
                with self._writing(waits=registration is not None) as connection:
                    known = _receipt(connection, submission)
                    if known is not None:
                        return (
                            Committed(known, new=False) if (known.digest, known.kind) == (digest, kind) else IdReused()
                        )
                    if not isinstance(read, Body):
                        return read
                    if read.expires_at is not None and now >= read.expires_at:
                        return Expired()
                    if registration is not None:
                        refused = self._registrations.enter(connection, registration, submission, node)
                        if refused is not None:
                            return refused
                    _take_id(connection, submission, again=turn > 0)
                    row = {"submission": submission, "digest": digest, "received_at": now, "kind": kind}
                    connection.execute(sa.insert(_kept), {**row, "event": read.event, "node": node, "body": body})
                    kept = _receipt(connection, submission)
                if kept is None:
                    raise AssertionError("unreachable: it was kept just now")
                return Committed(kept, new=True)
            except IntegrityError:
                if turn == _TURNS - 1:
                    raise
        raise AssertionError("unreachable: the last turn returns or raises")

    def receipt(self, submission: str) -> Receipt | None:
        """The receipt of that submission; None: not committed here so far."""
        with self._reader.begin() as connection:
            return _receipt(connection, submission)

    def head(self, event: str, date: str) -> LedgerHead | None:
        """The sheet now published for `event` and `date` (ISO 8601)."""
        place = {"at_event": event, "at_date": dt.date.fromisoformat(date)}
        with self._reader.begin() as connection:
            row = connection.execute(_HEAD.add_columns(_sheets.c.body), place).one_or_none()
        return None if row is None else LedgerHead(row.submission, row.revision, bytes(row.body))

    def receipts(
        self,
        node: str,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        cursor: str | None = None,
        limit: int = 500,
        events: Collection[str] | None = None,
    ) -> ReceiptPage:
        """Receipts of what `node` brought, since <= received_at < until, oldest first; of these `events` where given.

        :raises InputRefused: the cursor is not one that this ledger gave."""
        after = None if cursor is None else _after(cursor)

        def some_of(table: sa.Table, columns: Sequence[Any], place: int) -> Any:
            """The next ones of one table, by its index; `place` tells numbers of the tables apart."""
            query = sa.select(*columns, (2 * table.c.number + place).label("number")).where(table.c.node == node)
            if since is not None:
                query = query.where(table.c.received_at >= since)
            if until is not None:
                query = query.where(table.c.received_at < until)
            if events is not None:
                query = query.where(table.c.event.in_(sorted(events)))
            if after is not None:
                behind = sa.tuple_(sa.literal(after[0], Utc), sa.literal((after[1] - place) // 2))
                query = query.where(sa.tuple_(table.c.received_at, table.c.number) > behind)
            return sa.select(query.order_by(table.c.received_at, table.c.number).limit(limit + 1).subquery())

        both = sa.union_all(some_of(_sheets, _SHEETS_RECEIPT, 0), some_of(_kept, _KEPT_RECEIPT, 1)).subquery()
        query = sa.select(both).order_by(both.c.received_at, both.c.number).limit(limit + 1)
        with self._reader.begin() as connection:
            rows = connection.execute(query).mappings().all()
        more = len(rows) > limit
        return ReceiptPage(tuple(_as_receipt(row) for row in rows[:limit]), _cursor(rows[limit - 1]) if more else None)

    @contextmanager
    def _writing(self, waits: bool = False) -> Iterator[sa.Connection]:
        """`waits`: one that waited for another's row goes on with the row committed there (PostgreSQL)."""
        engine = self._engine
        if waits and engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="READ COMMITTED")
        if self._lock is not None and not self._lock.acquire(timeout=_QUEUE_S):
            raise TimeoutError("Other publications have kept the master's database busy for too long.")
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            if self._lock is not None:
                self._lock.release()


def _as_receipt(row: sa.RowMapping) -> Receipt:
    said = {name: row[name] for name in ("submission", "digest", "received_at", "kind")}
    if row["event"]:
        said["event"] = row["event"]
    if row["athlete"]:
        said["athlete"] = row["athlete"]
    if row["revision"]:
        said |= {"date": row["date"].isoformat(), "revision": row["revision"]}
    return Receipt.model_validate(said)


def _cursor(row: sa.RowMapping) -> str:
    """A place in the order of receipts: microseconds since 1970, and the sheet's number."""
    return f"{(row['received_at'] - _EPOCH) // _MICROSECOND}.{row['number']}"


def _after(cursor: str) -> tuple[dt.datetime, int]:
    known = re.fullmatch(r"(\d{1,16})\.(\d{1,10})", cursor, re.ASCII)
    if known is None:
        raise InputRefused("This cursor was not given by this master; begin again without one.")
    return _EPOCH + int(known[1]) * _MICROSECOND, int(known[2])


def _receipt(connection: sa.Connection, submission: str) -> Receipt | None:
    row = connection.execute(_BY_ID, {"id": submission}).mappings().one_or_none()
    return None if row is None else _as_receipt(row)


def _take_id(connection: sa.Connection, submission: str, again: bool) -> None:
    """The id is this submission's from here on: who takes it beside us meets its key, whatever its kind. One that
    still stands here `again`, although nothing was found under it, is left of what a restore has removed."""
    if again:
        connection.execute(sa.delete(_ids).where(_ids.c.submission == submission))
    connection.execute(sa.insert(_ids), {"submission": submission})


def _insert(connection: sa.Connection, receipt: Receipt, sheet: Sheet, body: bytes, node: str) -> None:
    values = {**receipt.model_dump(exclude={"kind", "athlete"}), "date": sheet.date, "node": node, "body": body}
    number = connection.execute(sa.insert(_sheets).returning(_sheets.c.number), values).scalar_one()
    if sheet.finishers:
        lines = [(line.position, line.athlete, line.time) for line in sheet.finishers]
        _insert_lines(connection, "master_finishers (sheet, position, athlete, time)", number, lines)
    if sheet.volunteers:
        people = [(line, each.athlete, each.role) for line, each in enumerate(sheet.volunteers, start=1)]
        _insert_lines(connection, "master_volunteers (sheet, line, athlete, role)", number, people)


def _insert_lines(
    connection: sa.Connection, table: str, sheet: int, lines: Sequence[tuple[int, str | None, str | None]]
) -> None:
    """Insert lines of a number and two texts, in the driver's quickest way: a fifth of the time that a
    statement for each line takes on PostgreSQL, a half on SQLite."""
    if connection.dialect.name == "postgresql":
        columns = (sheet, *(list(column) for column in zip(*lines, strict=True)))
        source = "SELECT %s, * FROM unnest(%s::integer[], %s::text[], %s::text[])"
        connection.exec_driver_sql(f"INSERT INTO {table} {source}", columns)
    else:
        statement = f"INSERT INTO {table} VALUES (?, ?, ?, ?)"  # noqa: S608 - a table's name of our own
        connection.exec_driver_sql(statement, [(sheet, *line) for line in lines])
