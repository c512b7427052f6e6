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
    path = tmp_path_factory.mktemp("template") / "store.db"
    migrated(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres_database(postgresql: PostgreSQL) -> Iterator[Database]:
    with postgresql.database() as url:
        opened = migrated(url)
        yield opened
        opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        shared: Database = request.getfixturevalue("postgres_database")
        empty(shared)
        yield shared
    else:
        template: Path = request.getfixturevalue("sqlite_template")
        opened = Database(f"sqlite:///{shutil.copy(template, tmp_path / 'store.db')}")
        yield opened
        opened.close()
