"""Stores with our tables in them. To migrate an empty database takes longer than most tests: of each make the first is
migrated, and the others are copies of it."""

import atexit
import shutil
import tempfile
import threading
from contextlib import closing
from functools import cache
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from resultsq.store.engine import migrate
from resultsq.store.engine.session import Database
from tests.support.services import HOST, SERVERS, PostgreSQL

_MIGRATING = threading.RLock()
"""Alembic knows one migration in a process, and benchmarks go on beside each other."""


def migrated(url: str) -> Database:
    """The database at `url` with its tables made."""
    with _MIGRATING:
        return _migrated(url)


def _migrated(url: str) -> Database:
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        if place.database and not (file := Path(place.database)).exists() and file.parent.exists():
            shutil.copy(template_file(), file)
    elif place.host == HOST and (server := SERVERS.get(place.port or 0)) and _is_empty(url):
        _copy(server, url)
    database = Database(url)
    migrate.upgrade(database)  # what is at the newest revision is left alone
    return database


def template_file() -> Path:
    """A migrated file, to be copied."""
    with _MIGRATING:
        return _template_file()


@cache
def _template_file() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="resultsq-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "store.db"
    with closing(Database(f"sqlite:///{file}")) as database:
        migrate.upgrade(database)
    return file


def _is_empty(url: str) -> bool:
    """Whether nothing is in the database: else a copy in its place would undo what a test has done."""
    with psycopg.connect(url.replace("+psycopg", "")) as conn:
        found = conn.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone()
    return found == (0,)


def _copy(server: PostgreSQL, url: str) -> None:
    if server.made is None:
        server.made = ""  # a server for a single store is not worth it
        return
    if not server.made:
        template = server.create_database()
        with closing(Database(template)) as database:
            migrate.upgrade(database)
        server.made = template
    server.copy(server.made, url)
