"""Comparing with the master's own list: only what is missing is queued, and what is there is settled unsent."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery import bundle
from resultsq.delivery.masters import open_master
from resultsq.domain.errors import ResultsqError
from resultsq.domain.submission import State
from resultsq.store import queries
from resultsq.store.outbox import Parted, Reconciled
from tests.integration.bundle.conftest import Far, deliver_all
from tests.support.nodes import NOW, Node, lost

SINCE = NOW - timedelta(days=1)


@pytest.fixture(autouse=True)
def _a_while_ago(far: Far) -> None:
    """What the master received is older than the comparison's edge."""
    far.clock.step(-3600)


def compare(node: Node, far: Far) -> Reconciled:
    node.pass_time(120)
    return bundle.reconcile(node.database, far.master, node.now, SINCE)


def test_only_what_the_master_lost_is_sent_again(here: Node, far: Far) -> None:
    kept, gone = here.accept().id, here.accept("richmond").id
    deliver_all(here, far)
    far.loses(gone)
    assert compare(here, far) == Reconciled(settled=0, lost=1, different=0)
    assert (here.state(kept), here.state(gone)) == (State.PUBLISHED, State.QUEUED)
    deliver_all(here, far)
    assert far.has() == {kept: 1, gone: 1}
    assert compare(here, far) == Reconciled(0, 0, 0)


def test_its_correction_waits_when_its_predecessor_is_sent_again(here: Node, far: Far) -> None:
    gone = here.accept().id
    deliver_all(here, far)
    far.loses(gone)
    correction = here.accept(rows=4, corrects=gone).id
    compare(here, far)
    assert [lease.submission for lease in here.claim()] == [gone]
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {gone: 1, correction: 2}


def test_what_is_there_is_settled_without_being_sent_when_its_answer_was_lost(here: Node, far: Far) -> None:
    made = here.accept().id
    lease = here.claim_one()
    bundle.give_to_master(far.master, [parted(lease.submission, here)])
    here.settle(lease, lost())
    assert compare(here, far) == Reconciled(settled=1, lost=0, different=0)
    row = here.row(made)
    assert (row.state, row.attempts, row.revision) == (State.PUBLISHED, 1, 1)


def test_its_correction_may_go_when_its_predecessor_is_settled_by_the_list(here: Node, far: Far) -> None:
    first = here.accept().id
    lease = here.claim_one()
    bundle.give_to_master(far.master, [parted(first, here)])
    here.settle(lease, lost())
    second = here.accept(rows=4, corrects=first).id
    compare(here, far)
    here.probe()
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2}


def test_what_waits_goes_on_waiting_when_the_master_does_not_have_it(here: Node, far: Far) -> None:
    made = here.accept().id
    assert compare(here, far) == Reconciled(0, 0, 0)
    assert here.state(made) is State.QUEUED


def test_nothing_is_changed_when_the_list_cannot_be_had(here: Node, far: Far, free_port: Callable[[], int]) -> None:
    gone = here.accept().id
    deliver_all(here, far)
    far.loses(gone)
    here.pass_time(120)
    nobody = open_master(f"http://127.0.0.1:{free_port()}", "a token", clock=SystemClock())
    with pytest.raises(ResultsqError, match="Nothing was changed"):
        bundle.reconcile(here.database, nobody, here.now, SINCE)
    nobody.close()
    assert here.state(gone) is State.PUBLISHED


def parted(submission: str, node: Node) -> Parted:
    """The submission as it would travel."""
    row = node.row(submission)
    with node.database.read() as conn:
        body = queries.body(conn, row.seq)
    assert body is not None
    return Parted(
        id=row.id, kind=row.kind, event="bushy", date=row.date, base=row.base, digest=row.digest,
        rows_digest=row.rows_digest, finishers=row.finishers, submitted_by=row.submitted_by,
        accepted_at=row.accepted_at, body=body,
    )  # fmt: skip
