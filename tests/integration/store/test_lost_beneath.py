"""What the master lost while a newer version was being sent goes before that one, once that one comes back."""

import pytest
from sqlalchemy import bindparam, update

from resultsq.domain.outcome import Cause, Deferred, Exchange, Outcome, Scope, Unauthorised
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import Lease
from tests.support.nodes import StoreNode, accepted, lost, moved, unsent
from tests.support.versions import place, states, version

UNAUTHORISED = Unauthorised(Scope.DESTINATION, "No.", Exchange(status=401))
FORBIDDEN = Unauthorised(Scope.EVENT, "No.", Exchange(status=403))

Versions = tuple[str, str, Lease]


@pytest.fixture
def versions(up: StoreNode) -> Versions:
    """Two published versions, of which a restored master lost the second, and the lease of the third."""
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.publish_one(2)
    version(up, 3, second)
    lease = up.claim_one()
    chain = up.row(second).chain_id
    found = up.database.write(lambda conn: outbox.bring_in_line(conn, up.now, chain, {}, {second}))
    assert found.lost == 1
    return first, second, lease


@pytest.mark.parametrize("answer", [None, UNAUTHORISED, FORBIDDEN, unsent()], ids=["released", "401", "403", "unsent"])
def test_one_that_comes_back_unsent_goes_behind_it(up: StoreNode, versions: Versions, answer: Outcome | None) -> None:
    _, _, lease = versions
    if answer is None:
        up.database.write(lambda conn: outbox.release_leases(conn, up.now, [lease.lease]))
    else:
        up.settle(lease, answer)
    they_go_in_their_order(up, versions)


def test_one_that_meets_what_lies_beneath_both_goes_behind_it(up: StoreNode, versions: Versions) -> None:
    first, _, lease = versions
    up.settle(lease, moved(first, 1))
    they_go_in_their_order(up, versions)


def test_one_that_had_met_that_before_goes_behind_it(up: StoreNode, versions: Versions) -> None:
    first, _, lease = versions
    named = update(Submission).where(Submission.seq == bindparam("of")).values(base=bindparam("first"))
    up.database.write(lambda conn: conn.execute(named, {"of": lease.seq, "first": first}))
    up.settle(lease, unsent())
    they_go_in_their_order(up, versions)


def they_go_in_their_order(node: StoreNode, versions: Versions) -> None:
    first, second, lease = versions
    assert (place(node, second), place(node, lease.submission)) == ((first, False), (second, True))
    node.pass_time(120)
    node.probe()
    assert node.publish_one(2).submission == second
    assert node.publish_one(3).base == second
    assert states(node, first, second, lease.submission) == (State.CORRECTED, State.CORRECTED, State.PUBLISHED)


@pytest.mark.parametrize("answer", [lost(), Deferred(Cause.MASTER_DOWN, "503", in_doubt=True)])
def test_one_in_doubt_is_asked_about_first(up: StoreNode, versions: Versions, answer: Outcome) -> None:
    _, second, lease = versions
    up.settle(lease, answer)
    up.pass_time(120)
    up.probe()
    again = up.claim_one()
    assert (again.submission, again.in_doubt) == (lease.submission, True)
    assert place(up, second)[1]
    up.settle(again, accepted(again, 2))
    assert up.claim_one().submission == second, "the master tells that it lies beneath"
