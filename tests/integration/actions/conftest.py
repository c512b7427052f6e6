"""Actions on a node's store of each make; nothing is sent anywhere."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resultsq.store.admin import action_runner, actions
from resultsq.store.admin.actions import Progress, Target
from resultsq.store.engine.session import Database
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode, migrated


class Operator:
    """An operator at a node."""

    def __init__(self, node: StoreNode) -> None:
        self.node = node

    def start(self, verb: str, target: Target, **more: Any) -> str:
        return actions.start(self.node.database, self.node.now, "op", verb, target, "a reason", **more)

    def advance(self, action: str, most: int = 500) -> bool:
        return self.node.database.write(lambda conn: actions.advance(conn, self.node.now, action, most))

    def finish(self, action: str) -> Progress:
        while self.advance(action):
            pass
        return self.progress(action)

    def act(self, verb: str, target: Target, **more: Any) -> Progress:
        """All of an action at once."""
        return self.finish(self.start(verb, target, **more))

    def progress(self, action: str) -> Progress:
        with self.node.database.read() as conn:
            found = actions.progress(conn, action)
        assert found is not None
        return found

    def write(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """A function of `actions` in a transaction of its own."""
        return self.node.database.write(lambda conn: work(conn, self.node.now, "op", *arguments))

    def go_on(self) -> None:
        """As the worker's task does, where there is anything to do."""
        clock = ManualClock(self.node.now)
        if action_runner.is_due(self.node.database, clock):
            action_runner.go_on(self.node.database, clock)

    def nothing_is_due(self) -> bool:
        return not action_runner.is_due(self.node.database, ManualClock(self.node.now))


@pytest.fixture
def op(store: Database) -> Operator:
    return _operator(store)


@pytest.fixture
def op_on_sqlite(sqlite_store: Database) -> Operator:
    return _operator(sqlite_store)


@pytest.fixture
def op_of_thousands(store_url: str) -> Iterator[Operator]:
    """One on a database of its own: to empty one of so many rows takes longer, and its figures would be others'."""
    database = migrated(store_url)
    yield _operator(database)
    database.close()


def _operator(database: Database) -> Operator:
    node = StoreNode(database)
    node.now = NOW
    node.probe()
    return Operator(node)
