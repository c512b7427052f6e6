"""What is held is counted apart from what waits to be sent, each submission once, whatever holds it."""

import pytest

from resultsq.domain.submission import State
from resultsq.store.engine.session import Database
from resultsq.store.views import overview_data, queries, versions
from tests.support.nodes import StoreNode


@pytest.fixture
def node(store: Database) -> StoreNode:
    node = StoreNode(store)
    node.probe()
    return node


def held(node: StoreNode, event: str | None = None) -> int:
    with node.database.read() as conn:
        return queries.held(conn, node.now, None if event is None else node.events[event])


def test_each_is_counted_once_when_several_holds_keep_it(node: StoreNode) -> None:
    one = node.accept("bushy").id
    node.accept("richmond")
    node.accept("wimbledon")
    assert held(node) == 0
    node.act("hold", one)
    assert (held(node), held(node, "bushy"), held(node, "richmond")) == (1, 1, 0)
    event = node.hold("bushy")
    assert (held(node), held(node, "bushy")) == (1, 1)
    node.hold("richmond")
    assert held(node) == 2
    everything = node.hold()
    assert (held(node), held(node, "wimbledon")) == (3, 1)
    node.release(everything)
    node.release(event)
    assert (held(node), held(node, "bushy")) == (2, 1)


def test_a_hold_keeps_nothing_any_more_when_its_time_is_over(node: StoreNode) -> None:
    node.accept("bushy")
    node.hold("bushy", release_at=node.now.replace(year=node.now.year + 1))
    assert held(node) == 1
    node.now = node.now.replace(year=node.now.year + 1)
    assert held(node) == 0


def test_nobody_waits_behind_what_is_held(node: StoreNode) -> None:
    for day in range(1, 4):
        node.accept("bushy", date=f"2013-11-0{day}")
    single = node.accept("wimbledon").id
    last = node.accept("richmond").id
    node.hold("bushy")
    node.act("hold", single)
    with node.database.read() as conn:
        assert versions.place(conn, node.now, node.row(last).seq).ahead == 0
        status, pulse = queries.status(conn, node.now), overview_data.live_status(conn, node.now)
    assert (status.waiting, status.held, status.to_send) == (5, 4, 1)
    assert (pulse.held, pulse.to_send) == (4, 1)
    node.publish_one()
    assert node.state(last) is State.PUBLISHED


def test_the_time_until_all_is_out_is_estimated_from_what_the_master_took(node: StoreNode) -> None:
    with node.database.read() as conn:
        assert overview_data.live_status(conn, node.now).return_s is None
    node.accept("bushy")
    node.publish_one()  # in 0.1 s
    node.accept_many(160, "richmond")
    with node.database.read() as conn:
        pulse = overview_data.live_status(conn, node.now)
    assert pulse.usual_rate == pytest.approx(overview_data.CONCURRENCY / 0.1)
    assert pulse.return_s == pytest.approx(overview_data.SLOW_START_S + 160 / (overview_data.CONCURRENCY / 0.1))
