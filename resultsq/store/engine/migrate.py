"""The schema's migrations: they ship in the wheel and run on both databases.

Rules that keep workers of the version before alive while a migration runs: add columns with defaults or NULL,
add tables and indexes, never rename or drop in the release that stops using something.

A module of `versions` bears its revision in its name, as m0022_devices.py: which is the newest, and whether a
database is there, every process asks at its start, and Alembic is a third of a second of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.store.engine.session import Database

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_122_013
"""Key of the PostgreSQL advisory lock that lets one migration run at a time."""
_LONG = "15min"
"""How long a statement of a migration may take on PostgreSQL, and another migration before it."""


class NoSuchRevision(SettingsError):
    """The schema cannot be brought to a revision: this version does not know it, or that which the database is at."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`; two processes that start together take turns.

    :raises NoSuchRevision: nothing was changed"""
    if revision == "head" and current(database) == newest():
        return
    with _ready(database) as config:
        _command().upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the schema back to `revision`.

    :raises NoSuchRevision: nothing was changed"""
    with _ready(database) as config:
        _command().downgrade(config, revision)


def _command() -> ModuleType:
    from alembic import command

    return command


@contextmanager
def _ready(database: Database) -> Iterator["Config"]:
    """Alembic's settings, with a connection that no other migration runs beside."""
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["database"] = database
    with database.alone() as conn:
        if not database.is_sqlite:
            _wait_for_turn(conn)
        config.attributes["connection"] = conn
        try:
            yield config
        except CommandError as error:
            raise NoSuchRevision(gettext("The schema was not changed ({reason}).", reason=error)) from None


def _wait_for_turn(conn: Connection) -> None:
    """An index over a million rows takes longer than any other statement, and so does the wait for another migration.
    What locks the tables of a node at work gives up as soon as any writer."""
    usual = conn.execute(text("SHOW lock_timeout")).scalar_one()
    conn.execute(text(f"SET LOCAL statement_timeout = '{_LONG}'"))
    conn.execute(text(f"SET LOCAL lock_timeout = '{_LONG}'"))
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    conn.execute(text("SELECT set_config('lock_timeout', :usual, true)"), {"usual": usual})


def no_node_in(database: Database, data_dir: Path) -> str | None:
    """A sentence where the node's SQLite file is not there; None where it is, or where the database is a server's.

    It does not advise making a node: there is one already, in another folder."""
    if not _lacks_file(database):
        return None
    return gettext(
        "No node was found: there is no database in {folder}. Is the node in another folder? "
        "Name it with --data-dir, or go to where `resultsq up` was started.",
        folder=data_dir,
    )


def _lacks_file(database: Database) -> bool:
    return database.is_sqlite and not Path(database.url.database or "").exists()


def current(database: Database) -> str | None:
    """The revision that the database is at; None before the first. No file is made where there is none."""
    if _lacks_file(database):
        return None
    with database.read() as conn:
        if not inspect(conn).has_table("alembic_version"):
            return None
        found: str | None = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def newest() -> str:
    """The revision that this version of the product needs."""
    return max(_revisions())


def is_behind(found: str | None) -> bool:
    """Whether a database at that revision lacks what this version needs. One that a newer version has brought
    further does not: it has all that there was, so that old processes go on while new ones are put in their place."""
    return found is None or (found in _revisions() and found != newest())


def _revisions() -> set[str]:
    return {path.name[1:5] for path in (_FOLDER / "versions").glob("m[0-9][0-9][0-9][0-9]_*.py")}
