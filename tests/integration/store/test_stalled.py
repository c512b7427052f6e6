"""A master that answers probes and takes nothing: an outage, and its first good answer a return."""

import pytest

from resultsq.domain.outcome import Cause, Deferred
from resultsq.store.outbox import Lease
from tests.support.nodes import StoreNode, accepted, lost, rejected


def failed(cause: Cause = Cause.MASTER_DOWN) -> Deferred:
    return Deferred(cause, "503", in_doubt=True)


def trial(node: StoreNode) -> Lease | None:
    """What the next cycle takes, half a second later; a probe has been answered well in between."""
    node.probe()
    node.pass_time(0.5)
    leases = node.claim()
    assert len(leases) <= 1 or not node.outages()
    for lease in leases[1:]:
        node.settle(lease, failed())
    return leases[0] if leases else None


def stalled(node: StoreNode, cause: Cause = Cause.MASTER_DOWN, for_s: int = 60) -> int:
    """Everything fails for so long; how many were tried in the last 20 s."""
    tried = 0
    for half_second in range(2 * for_s):
        if (lease := trial(node)) is not None:
            node.settle(lease, failed(cause))
            tried += half_second >= 2 * (for_s - 20)
    return tried


@pytest.mark.parametrize("cause", [Cause.MASTER_DOWN, Cause.RESET, Cause.DATABASE])
def test_the_first_good_answer_is_a_return_when_everything_failed_though_probes_were_answered(
    up: StoreNode, cause: Cause
) -> None:
    up.accept_many(20)
    began = up.now
    assert 10 <= stalled(up, cause) <= 21, "one a second, though all were put off for up to a minute"
    (outage,) = up.outages()
    assert (outage.cause, outage.ended_at) == (Cause.TAKES_NOTHING, None)
    assert (outage.began_at - began).total_seconds() < 1
    waited_s, lease = 0.0, None
    while lease is None:
        lease, waited_s = trial(up), waited_s + 0.5
    assert waited_s <= 2
    up.settle(lease, accepted(lease))
    (outage,) = up.outages()
    assert (outage.ended_at, outage.delayed) == (up.now, 19)
    assert (up.link().window, up.link().failures, up.link().outage_id) == (2, 0, None)
    assert len(up.claim()) == 2, "released, and begun slowly"
    assert up.count(next_attempt_at=None) == 19


def test_what_the_master_asked_for_is_kept_while_everything_fails(up: StoreNode) -> None:
    up.accept_many(5)
    stalled(up, for_s=20)
    for _ in range(40):
        if (lease := trial(up)) is not None:
            up.settle(lease, Deferred(Cause.MASTER_DOWN, "503", in_doubt=True, retry_after_s=600))
    assert up.count(wait_for="master") == 5
    up.pass_time(30)
    assert trial(up) is None


def test_one_sheet_that_always_fails_is_no_outage(up: StoreNode) -> None:
    made = up.accept().id
    for _ in range(60):
        if (lease := trial(up)) is not None:
            up.settle(lease, failed())
    assert not up.outages()
    assert up.row(made).failures > 3


def test_eight_that_are_cut_at_once_are_no_outage(up: StoreNode) -> None:
    up.accept_many(8)
    for _ in range(4):
        for lease in up.claim():
            up.settle(lease, lost())
        up.probe()
        up.pass_time(0.5)
    assert not up.outages()


def test_a_refusal_of_one_sheet_is_a_good_answer_too(up: StoreNode) -> None:
    up.accept_many(6)
    stalled(up, for_s=20)
    lease = None
    while lease is None:
        lease = trial(up)
    up.settle(lease, rejected())
    assert up.outages()[0].ended_at == up.now


def test_one_outage_goes_on_when_probes_begin_to_fail_too(up: StoreNode) -> None:
    up.accept_many(6)
    stalled(up, for_s=20)
    up.probe(Cause.REFUSED)
    up.pass_time(5)
    up.probe()
    (outage,) = up.outages()
    assert outage.ended_at == up.now
    assert up.link().failures == 0
