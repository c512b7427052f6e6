"""An empty store of each make, and a bell. Migrating once for all tests is most of their time saved."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resultsq.store.engine.session import Database
from resultsq.wakeup import QUEUE, Bell
from tests.support.nodes import empty, migrated
from tests.support.services import PostgreSQL, Valkey
from tests.support.stores import template_file
from tests.support.waiting import wait_until

Rings = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="session")
def sqlite_template() -> Path:
    """A migrated file, to be copied."""
    return template_file()


@pytest.fixture(scope="session")
def _postgres_store(postgresql: PostgreSQL) -> Iterator[Database]:
    with postgresql.database() as url:
        database = migrated(url)
        yield database
        database.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Database]:
    """An empty store on SQLite."""
    database = Database(f"sqlite:///{shutil.copy(template_file(), tmp_path / 'store.db')}")
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


@pytest.fixture
def bell() -> Bell:
    """No broker is there; a module that wants to hear it overrides this with `heard_bell`."""
    return Bell("")


@pytest.fixture
def heard_bell(shared_valkey: Valkey) -> Iterator[Bell]:
    """Each ring waits at the broker."""
    found = Bell(shared_valkey.url)
    yield found
    found.close()


@pytest.fixture
def rings(shared_valkey: Valkey) -> Rings:
    """Fails unless what is done rings."""

    def check(act: Callable[[], object]) -> None:
        shared_valkey._ask(f"DEL {QUEUE}")
        act()
        wait_until(lambda: int(shared_valkey._ask(f"LLEN {QUEUE}")) > 0, 30, "a ring")

    return check
