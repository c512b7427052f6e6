"""How many submissions a cycle claims: a table of senders, queues and ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resultsq.domain.dispatch_plan import QUICK_S, DispatchPlan, Queue, Senders, plan_claims
from resultsq.domain.link import LinkState, Window
from resultsq.domain.link_health import LinkHealth
from resultsq.domain.outcome import Accepted, Cause, Deferred, Outcome, Receipt, Rejected
from resultsq.domain.settlement import Settlement

NOW = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)
CEILING = 8
WELL = LinkHealth(LinkState.UP, Window(CEILING))
TWO = {"window": Window(2)}
ACCEPTED = Accepted(Receipt(submission="id", digest="d", received_at=NOW))
LATER = NOW + timedelta(seconds=30)


def end(outcome: Outcome = ACCEPTED, duration_s: float = 0.01) -> Settlement:
    return Settlement("lease", 1, duration_s, outcome)


SLOW = end(duration_s=QUICK_S)
ALMOST_SLOW = end(duration_s=0.24)


@pytest.mark.parametrize(
    ("senders", "queue", "health", "ends", "plan"),
    [
        # as many as are free and the window has room for
        (Senders(8, 8, 0), Queue(0), {}, [], DispatchPlan(8, 8, True)),
        (Senders(3, 8, 0), Queue(5), {}, [], DispatchPlan(3, 3, True)),
        (Senders(8, 8, 0), Queue(0), TWO, [], DispatchPlan(2, 2, True)),
        (Senders(8, 8, 0), Queue(2), TWO, [], DispatchPlan(0, 0, True)),
        (Senders(8, 8, 0), Queue(3), TWO, [], DispatchPlan(0, 0, False)),  # the window was halved meanwhile
        (Senders(0, 8, 0), Queue(8), {}, [], DispatchPlan(0, 0, True)),
        # one more for each busy sender, while the master accepts quickly
        (Senders(8, 8, 0), Queue(0), {}, [end()], DispatchPlan(16, 8, True)),
        (Senders(8, 8, 0), Queue(0), TWO, [end(), ALMOST_SLOW], DispatchPlan(4, 2, True)),
        (Senders(8, 8, 0), Queue(0), TWO, [end(duration_s=0.3)], DispatchPlan(2, 2, True)),
        (Senders(0, 8, 5), Queue(13), {}, [end()], DispatchPlan(3, 0, True)),
        (Senders(0, 8, 8), Queue(16), {}, [end()], DispatchPlan(0, 0, True)),
        (Senders(8, 8, 0), Queue(0), {}, [end(), SLOW], DispatchPlan(8, 8, True)),
        (Senders(8, 8, None), Queue(0), {}, [end()], DispatchPlan(8, 8, True)),  # the worker stops
        # prefetched leases are begun first
        (Senders(1, 8, 2), Queue(9), {}, [SLOW], DispatchPlan(0, 1, True)),
        (Senders(2, 8, 1), Queue(7), {}, [SLOW], DispatchPlan(1, 2, True)),
        # after an end that is not accepted, no sender goes on by itself
        (Senders(1, 8, 6), Queue(13), {}, [end(), end(Rejected("x", "No."))], DispatchPlan(0, 1, False)),
        (Senders(8, 8, 0), Queue(0), {}, [end(Deferred(Cause.BUSY, "", True))], DispatchPlan(8, 8, False)),
        # another worker's prefetched leases count as being sent
        (Senders(8, 8, 0), Queue(16), {}, [], DispatchPlan(0, 0, False)),
        # held: none; leases ran out: none while some are prefetched, for these may be among them
        (Senders(8, 8, 0), Queue(0, held=True), {}, [], DispatchPlan(0, 0, False)),
        (Senders(8, 8, 0), Queue(0, ended=[7]), {}, [], DispatchPlan(8, 8, False)),
        (Senders(4, 8, 4), Queue(4, ended=[7]), {}, [end()], DispatchPlan(0, 0, False)),
        # a link that is not clear: what its health allows
        (Senders(8, 8, 0), Queue(0), {"state": LinkState.DOWN}, [], DispatchPlan(0, 0, False)),
        (Senders(8, 8, 0), Queue(0), {"suspect": True}, [end()], DispatchPlan(0, 0, False)),
        (Senders(8, 8, 0), Queue(0), {"refused_at": NOW, "refused_next_at": NOW}, [], DispatchPlan(1, 1, False)),
        (Senders(8, 8, 0), Queue(0), {"refused_at": NOW, "refused_next_at": LATER}, [], DispatchPlan(0, 0, False)),
        (Senders(8, 8, 0), Queue(0), {"in_outage": True, "trial_at": NOW}, [], DispatchPlan(1, 1, False)),
    ],
)
def test_so_many_are_claimed(
    senders: Senders, queue: Queue, health: dict[str, Any], ends: list[Settlement], plan: DispatchPlan
) -> None:
    assert plan_claims(NOW, senders, queue, replace(WELL, **health), ends) == plan


def test_a_queue_of_which_no_more_is_known_may_have_any_to_claim() -> None:
    queue = Queue(0)
    assert (queue.fresh, queue.again, queue.held) == (True, True, False)
