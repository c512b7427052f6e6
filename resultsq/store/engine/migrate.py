"""The schema's migrations: they ship in the wheel and run on both databases.

Rules that keep workers of the version before alive while a migration runs: add columns with defaults or NULL,
add tables and indexes, never rename or drop in the release that stops using something."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from resultsq.store.engine.session import Database

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_122_013
"""Key of the PostgreSQL advisory lock that lets one migration run at a time."""


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["database"] = database
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`; two processes that start together take turns."""
    config = _config(database)
    with database.alone() as conn:
        if not database.is_sqlite:
            conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = conn
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the schema back to `revision`."""
    config = _config(database)
    with database.alone() as conn:
        config.attributes["connection"] = conn
        command.downgrade(config, revision)


def no_node_in(database: Database, data_dir: Path) -> str | None:
    """A sentence where the node's SQLite file is not there; None where it is, or where the database is a server's.

    It does not advise making a node: there is one already, in another folder."""
    if not _lacks_file(database):
        return None
    return (
        f"No node was found: there is no database in {data_dir}. Is the node in another folder? "
        "Name it with --data-dir, or go to where `resultsq up` was started."
    )


def _lacks_file(database: Database) -> bool:
    return database.is_sqlite and not Path(database.url.database or "").exists()


def current(database: Database) -> str | None:
    """The revision that the database is at; None before the first. No file is made where there is none."""
    if _lacks_file(database):
        return None
    with database.read() as conn:
        return MigrationContext.configure(conn).get_current_revision()


def newest() -> str | None:
    """The revision that this version of the product needs."""
    return _scripts().get_current_head()


def is_behind(found: str | None) -> bool:
    """Whether a database at that revision lacks what this version needs. One that a newer version has brought
    further does not: it has all that there was, so that old processes go on while new ones are put in their place."""
    known = {script.revision for script in _scripts().walk_revisions()}
    return found is None or (found in known and found != newest())


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return ScriptDirectory.from_config(config)
