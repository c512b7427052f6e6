"""Where the same finishers are already: for another date of the event, or else for another event."""

import pytest
from sqlalchemy import update

from resultsq.domain.submission import GONE, State
from resultsq.store.engine.tables import Submission
from resultsq.store.views import versions
from resultsq.store.views.versions import Elsewhere
from tests.support.nodes import DATE, StoreNode

DIGEST, OTHER_DAY = "the same finishers", "2013-11-30"


def mark(node: StoreNode, **values: str) -> None:
    """All submissions have these finishers and values."""
    changed = update(Submission).values(finishers_digest=DIGEST, **values)
    node.database.write(lambda conn: conn.execute(changed))


def found(node: StoreNode, event: str, day: str, digest: str = DIGEST) -> tuple[int, str] | None:
    with node.database.read() as conn:
        where = versions.with_finishers(conn, digest, node.events[event], day)
    assert where is None or isinstance(where, Elsewhere)
    return None if where is None else (where.event_id, where.date)


def test_it_is_found_from_every_place_but_its_own(node: StoreNode) -> None:
    node.accept("bushy")
    mark(node)
    here = (node.events["bushy"], DATE)
    assert found(node, "bushy", DATE) is None
    assert found(node, "bushy", OTHER_DAY) == here
    assert found(node, "richmond", DATE) == here
    assert found(node, "richmond", DATE, "other finishers") is None


def test_the_event_s_own_is_nearer_than_another_s(node: StoreNode) -> None:
    for event in ("bushy", "richmond"):
        node.accept(event)
    mark(node)
    for event in ("bushy", "richmond"):
        assert found(node, event, OTHER_DAY) == (node.events[event], DATE)


@pytest.mark.parametrize("state", [State.CORRECTED, *sorted(GONE)])
def test_what_is_given_up_is_found_nowhere(node: StoreNode, state: State) -> None:
    node.accept("bushy")
    mark(node, state=state)
    assert found(node, "bushy", OTHER_DAY) is None
    assert found(node, "richmond", DATE) is None
