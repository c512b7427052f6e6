"""What operators let go rings the workers, from the page as well."""

from typing import Any

import pytest

from resultsq.app import operations
from resultsq.wakeup import Bell
from tests.integration.conftest import Rings
from tests.integration.dashboard.conftest import Person
from tests.support.nodes import StoreNode, rejected
from tests.support.waiting import wait_until


@pytest.fixture
def bell(heard_bell: Bell) -> Bell:
    return heard_bell


def test_what_is_published_over_another_is_rung_for(sqlite_node: StoreNode, operator: Person, rings: Rings) -> None:
    made = sqlite_node.accept().id
    sqlite_node.try_one(rejected())
    rings(lambda: operator.post("/admin/publish-over", ids=made, reason="as it is"))


def test_what_a_released_hold_lets_go_is_rung_for(sqlite_node: StoreNode, operator: Person, rings: Rings) -> None:
    hold = sqlite_node.hold("bushy")
    rings(lambda: operator.post(f"/admin/holds/{hold}/release"))


def test_what_an_action_sends_again_is_rung_for(sqlite_node: StoreNode, operator: Person, rings: Rings) -> None:
    made = sqlite_node.accept().id
    rings(lambda: operator.post("/admin/actions", verb="retry", ids=made))


def test_the_end_of_a_long_action_is_rung_for(
    sqlite_node: StoreNode, operator: Person, rings: Rings, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = sqlite_node
    node.accept_many(2_000)
    monkeypatch.setattr(operations, "AT_ONCE_S", 0.0)
    with node.database.read() as conn:
        other: Any = conn.engine.raw_connection()

    def begin() -> None:
        operator.post("/admin/actions", verb="hold", on="filtered", reason="a test")
        other.driver_connection.execute("BEGIN IMMEDIATE")  # its thread has to wait

    rings(begin)
    assert node.count(hold_id=None) > 0, "it is still at work"
    rings(lambda: other.driver_connection.execute("COMMIT"))
    other.close()
    wait_until(lambda: node.count(hold_id=None) == 0, 60, "the end of the action")
