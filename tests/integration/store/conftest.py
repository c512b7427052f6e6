"""A node over the store on both makes of database."""

import pytest

from resultsq.store.session import Database
from tests.support.nodes import Node


@pytest.fixture
def node(store: Database) -> Node:
    """A node that was just started: its link has not been probed yet."""
    return Node(store)


@pytest.fixture
def up(node: Node) -> Node:
    """A node whose link is up."""
    node.probe()
    return node
