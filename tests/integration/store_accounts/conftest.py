"""The store under the name that these tests know it by."""

import pytest

from resultsq.store.engine.session import Database


@pytest.fixture
def database(store: Database) -> Database:
    """An empty store of each make in turn."""
    return store
