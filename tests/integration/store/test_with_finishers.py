"""Where the same finishers are already: for another date of the event, or else for another event."""

import pytest
from sqlalchemy import update

from resultsq.domain.sheet import finishers_digest, rows_of
from resultsq.domain.submission import GONE, State
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import digests
from resultsq.store.outbox.digests import DigestFiller
from resultsq.store.views import versions
from resultsq.store.views.versions import Elsewhere
from tests.support.nodes import DATE, StoreNode, finishers

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


def digest_of(rows: int) -> str:
    """As an acceptance or a look at a draft makes it of the same finishers."""
    lines = rows_of(finishers(rows), ())
    digest = finishers_digest(lines.canonical, lines.finishers)
    assert digest is not None
    return digest


def test_the_finishers_that_version_0_1_accepted_are_found_once_their_digests_are_filled_in(
    node: StoreNode,
) -> None:
    sizes = (12, 5, 13, 14, 15)
    days = [f"2013-11-{day:02}" for day in range(1, 6)]
    for rows, day in zip(sizes, days, strict=True):
        node.accept("bushy", rows, date=day)  # without a digest, as version 0.1 did
    filler = DigestFiller(node.database, at_once=2)
    known = []
    while filler.has_work():
        filler.fill_some()
        known.append([rows for rows in sizes if rows >= 10 and found(node, "richmond", DATE, digest_of(rows))])
    assert known == [[14, 15], [13, 14, 15], [12, 13, 14, 15]], "two at each call, from the newest down"
    assert found(node, "bushy", DATE, digest_of(12)) == (node.events["bushy"], days[0])


def test_a_digest_that_is_there_is_not_written_over(node: StoreNode) -> None:
    node.accept("bushy", 12)
    mark(node)
    node.database.write(lambda conn: digests.fill(conn, {1: "another"}))
    assert found(node, "richmond", DATE) == (node.events["bushy"], DATE)
