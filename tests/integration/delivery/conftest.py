"""Workers in this process, another master over a socket, and a link between them."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import OtherMaster
from tests.support.relays import Relay


@pytest.fixture
def relay(other_master: OtherMaster, store_url: str) -> Iterator[Relay]:
    """A relay on each make of database in turn."""
    with Relay(store_url, other_master) as made:
        yield made


@pytest.fixture
def sqlite_relay(other_master: OtherMaster, tmp_path: object) -> Iterator[Relay]:
    """A relay on SQLite: for what does not depend on the database."""
    with Relay(f"sqlite:///{tmp_path}/store.db", other_master) as made:
        yield made


@pytest.fixture
def postgres_relay(other_master: OtherMaster, postgres_url_factory: Callable[[], str]) -> Iterator[Relay]:
    """A relay on PostgreSQL."""
    with Relay(postgres_url_factory(), other_master) as made:
        yield made
