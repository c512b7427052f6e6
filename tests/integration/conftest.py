"""An empty store of each make. Migrating once for all tests is most of their time saved."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from resultsq.store.session import Database
from tests.support.nodes import empty, migrated
from tests.support.services import PostgreSQL


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    migrated(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def _postgres_store(postgresql: PostgreSQL) -> Iterator[Database]:
    with postgresql.database() as url:
        database = migrated(url)
        yield database
        database.close()


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty store on SQLite."""
    database = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.db')}")
    yield database
    database.close()


@pytest.fixture
def postgres_store(_postgres_store: Database) -> Database:
    """An empty store on PostgreSQL."""
    empty(_postgres_store)
    return _postgres_store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Database:
    """An empty store of each make in turn."""
    found = request.getfixturevalue("sqlite_store" if request.param == "sqlite" else "postgres_store")
    assert isinstance(found, Database)
    return found
