"""The same results are handed in at two nodes, because one did not answer in time: they are published once."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from resultsq.domain.submission import State
from resultsq.store.engine.tables import Submission
from tests.support.processes import OtherMaster
from tests.support.relays import Relay


@pytest.fixture
def other_node(tmp_path: Path, other_master: OtherMaster) -> Iterator[Relay]:
    """A second node of the same teams and the same master, which knows nothing of the first."""
    with Relay(f"sqlite:///{tmp_path / 'other.db'}", other_master) as made:
        yield made


def _published_as(node: Relay) -> list[str | None]:
    with node.database.read() as conn:
        rows = conn.execute(select(Submission.state, Submission.published_as).order_by(Submission.seq)).all()
    assert {row.state for row in rows} == {State.PUBLISHED}
    return [row.published_as for row in rows]


def test_what_reaches_two_nodes_is_published_once_and_both_know_it(relay: Relay, other_node: Relay) -> None:
    relay.proxy.refuse()
    other_node.proxy.refuse()
    here, there = relay.accept(12), other_node.accept(12)  # of the same days, with the same finishers
    assert not set(here) & set(there)
    with ExitStack() as stack:
        stack.enter_context(relay.worker("a"))
        stack.enter_context(other_node.worker("b"))
        relay.wait_for_link("down")
        relay.proxy.restore()
        other_node.proxy.restore()
        relay.wait_until_published(12)
        other_node.wait_until_published(12)
    receipts = set(relay.master.receipts())
    assert len(receipts) == 12, "each day once"
    assert set(_published_as(relay)) == set(_published_as(other_node)) == receipts
