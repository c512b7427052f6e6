"""Backup and restore. A backup is one SQLite file with the node's own tables, whichever database it came from.

So one copy, row by row in one snapshot, serves both ways and both databases, and a backup of a laptop can be
restored on a relay with PostgreSQL. What a restored node cannot know is what its predecessor sent after the backup:
everything that waits counts as in doubt, so that the master is asked before anything is sent again, and answers
with the receipt where it has it. Nothing is lost and nothing is there twice.
"""

import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, case, delete, func, insert, null, select, text, update
from sqlalchemy.exc import DBAPIError

from resultsq.clock import Clock
from resultsq.domain.errors import InputRefused, ResultsqError, StoreUnavailable
from resultsq.domain.i18n import gettext
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, State
from resultsq.store import outbox
from resultsq.store.admin import comparisons
from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import (
    Account,
    AthleteCopy,
    AthleteHome,
    AthleteMail,
    AthleteName,
    AthleteRow,
    AthletesState,
    Base,
    Event,
    Link,
    NumberBlock,
    Submission,
    Worker,
)
from resultsq.store.engine.trigger_tables import WRITTEN_BY_TRIGGERS
from resultsq.store.outbox.states import MAY_HAVE_LEFT

ROWS_AT_ONCE = 500
_LEFT_OUT = {
    table.__tablename__
    for table in (
        AthleteCopy,
        AthleteHome,
        AthleteMail,
        AthleteName,
        AthleteRow,
        AthletesState,
        NumberBlock,
        *WRITTEN_BY_TRIGGERS,
    )
}
"""The list of athletes is the master's, and comes anew from there: fewer copies of people's names lie about. Blocks of
athlete numbers are leased anew, for since the backup some of their numbers were given. Triggers write
their own tables as the submissions come in."""


def backup(database: Database, out: Path) -> int:
    """Copy the database into the new file `out`, while the node runs; how many submissions are in it. A
    backup that fails leaves no file.

    :raises InputRefused: there is a file of that name"""
    if out.exists():
        raise InputRefused(
            gettext("There is a file called {file} already, and nothing was written. Name a new one.", file=out)
        )
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".resultsq-backup-") as folder:
        copy = Path(folder) / "copy.db"
        target = Database(f"sqlite:///{copy}")
        try:
            migrate.upgrade(target)
            with database.snapshot() as source:
                count = target.write(lambda conn: _copy(source, conn))
        except DBAPIError as error:
            raise target.translate(error) from error
        finally:
            target.close()
        copy.chmod(0o600)
        _put_in_place(copy, out)
    return count


def _put_in_place(copy: Path, out: Path) -> None:
    """Never over another file; and without a hard link, which some file systems lack."""
    try:
        out.open("xb").close()
    except FileExistsError:
        raise InputRefused(
            gettext("A file called {file} has just been made by another, and was left alone.", file=out)
        ) from None
    os.replace(copy, out)


def restore(database: Database, file: Path, clock: Clock) -> int:
    """Fill the empty `database` from a backup; how many submissions it has now.

    :raises InputRefused: the file is no backup of this product, or a newer version's
    :raises ResultsqError: the database is not empty"""
    with tempfile.TemporaryDirectory(prefix="resultsq-restore-") as folder:
        copy = Path(folder) / "copy.db"  # the backup itself is not touched by the migration
        shutil.copyfile(file, copy)
        source = Database(f"sqlite:///{copy}")
        try:
            _make_current(source)
            migrate.upgrade(database)
            with source.read() as conn:
                return database.write(lambda target: _fill(conn, target, clock.now()))
        except DBAPIError as error:
            raise database.translate(error) from error
        finally:
            source.close()


def _make_current(source: Database) -> None:
    """Bring a backup of an older version to this version's tables."""
    try:
        if migrate.current(source) is None:
            raise InputRefused(gettext("This file is no backup of resultsq, and nothing was restored."))
        migrate.upgrade(source)
    except migrate.NoSuchRevision:
        raise InputRefused(
            gettext("This backup is a newer version's, and nothing was restored. Upgrade first.")
        ) from None
    except (DBAPIError, StoreUnavailable):
        raise InputRefused(
            gettext("This file is no backup of resultsq, or is damaged; nothing was restored.")
        ) from None


def _copy(source: Connection, target: Connection) -> int:
    """Every row of every table that is the node's own; how many submissions."""
    for table in Base.metadata.sorted_tables:
        if table.name in _LEFT_OUT:
            continue
        rows = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
        for some in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in some])
    return int(target.execute(select(func.count()).select_from(Submission)).scalar_one())


def _fill(source: Connection, target: Connection, now: datetime) -> int:
    for table in (Submission, Event, Account):
        if target.execute(select(table).limit(1)).first() is not None:
            raise ResultsqError(
                gettext(
                    "The node's database is not empty, and nothing was restored. Restore into an empty one: "
                    "another data folder, or another database_url."
                )
            )
    count = _copy(source, target)
    if target.dialect.name == "postgresql":
        _continue_numbering(target)
    _doubt(target, now)
    return count


def _continue_numbering(conn: Connection) -> None:
    """PostgreSQL numbers rows from a sequence of its own, which knows nothing of the rows that were copied."""
    for table in Base.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        conn.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)").bindparams(
                table=table.name,
                column=column.name,
                last=conn.execute(select(func.max(column))).scalar_one() or 1,
            )
        )


def _doubt(conn: Connection, now: datetime) -> None:
    """Waiting submissions may have been sent since the backup; workers alive then are not alive here."""
    sending = conn.execute(select(Submission.seq).where(Submission.state == State.SENDING)).scalars().all()
    outbox.reclaim(conn, now, sending)
    # the master's own Retry-After is obeyed all the same
    due = case((Submission.wait_for == "master", Submission.next_attempt_at), else_=null())
    waiting = Submission.state == State.QUEUED
    conn.execute(update(Submission).where(waiting).values(in_doubt=MAY_HAVE_LEFT, next_attempt_at=due))
    # one given up here may have been sent and taken since: ask the master before a version steps over it
    given_up = Submission.state.in_([*NEEDS_A_PERSON, *GONE])
    conn.execute(update(Submission).where(given_up).values(in_doubt=MAY_HAVE_LEFT))
    comparisons.ask(conn, now - comparisons.REACH)
    conn.execute(update(Link).values(prober=None, prober_until=None, next_probe_at=now))
    conn.execute(delete(Worker))
