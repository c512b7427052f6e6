"""A node over the store on both makes of database."""

import pytest

from resultsq.store.engine.session import Database
from tests.support.nodes import StoreNode


@pytest.fixture
def node(store: Database) -> StoreNode:
    """A node that was just started: its link has not been probed yet."""
    return StoreNode(store)


@pytest.fixture
def up(node: StoreNode) -> StoreNode:
    """A node whose link is up."""
    node.probe()
    return node
