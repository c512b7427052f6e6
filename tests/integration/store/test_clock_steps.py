"""The wall clock is set an hour forwards or back: nothing stalls, nothing floods, and no time is believed for long."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from resultsq.domain.clock_steps import SLACK_S
from resultsq.domain.outcome import Cause, Deferred, Exchange, Scope, Unauthorised
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.tables import Link
from resultsq.store.outbox import links
from tests.support.nodes import StoreNode, accepted

HOUR = 3_600.0
STEPS = [HOUR, -HOUR]
both_ways = pytest.mark.parametrize("step", STEPS, ids=["forwards", "back"])


def periodic_tasks(node: StoreNode) -> int:
    """What each worker does every few seconds."""
    return node.database.write(lambda conn: outbox.mend_stepped_clock(conn, node.now))


def look(node: StoreNode, worker: str = "w1") -> links.LinkSnapshot:
    with node.database.read() as conn:
        return links.look(conn, node.now, worker)


def take_prober(node: StoreNode, worker: str) -> bool:
    return node.database.write(lambda conn: links.take_prober(conn, node.now, worker)).mine


@both_ways
def test_a_lease_ends_and_its_submission_goes_on(up: StoreNode, step: float) -> None:
    first = up.accept()
    up.claim_one()
    up.pass_time(step)
    (again,) = up.claim("w2")
    assert (again.submission, again.in_doubt) == (first.id, True)


@both_ways
@pytest.mark.parametrize("said", [None, 1_800.0], ids=["back-off", "retry-after"])
def test_a_wait_is_over(up: StoreNode, step: float, said: float | None) -> None:
    first = up.accept()
    up.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=said), jitter=0.9)
    up.pass_time(step)
    assert periodic_tasks(up) == (1 if step < 0 else 0)
    assert up.publish_one().submission == first.id


def test_a_wait_goes_on_when_the_clock_only_ran(up: StoreNode) -> None:
    up.accept()
    up.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=600))
    for _ in range(59):
        up.pass_time(10)
        assert periodic_tasks(up) == 0
        assert not up.claim()
    up.pass_time(10)
    assert up.claim()


def test_a_wait_lasts_no_longer_than_it_is_when_the_clock_steps_back_by_little(up: StoreNode) -> None:
    up.accept()
    up.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=600))
    up.pass_time(-10)
    assert periodic_tasks(up) == 1, "600 s were asked for, and it would be 610"


def test_hundreds_of_waits_are_over_at_once(up: StoreNode) -> None:
    up.accept_many(1_100)
    up.database.write(
        lambda conn: conn.exec_driver_sql(
            "UPDATE submissions SET wait_s = 60, wait_for = 'backoff', "
            f"next_attempt_at = '{(up.now + timedelta(seconds=59)).isoformat(sep=' ')}'"
        )
    )
    up.pass_time(-HOUR)
    assert periodic_tasks(up) == 1_100
    assert periodic_tasks(up) == 0


@both_ways
@pytest.mark.parametrize("cause", [None, Cause.REFUSED, Cause.MASTER_DOWN], ids=["up", "down", "master-down"])
def test_a_probe_is_due_and_then_at_its_pace_again(up: StoreNode, step: float, cause: Cause | None) -> None:
    up.probe(cause)
    assert not look(up).probe_due
    up.pass_time(step)
    assert look(up).probe_due
    up.probe(cause)
    assert not look(up).probe_due, "one, and not one after the other"


@both_ways
def test_the_prober_is_found_anew_when_it_says_nothing_and_stays_when_it_does(up: StoreNode, step: float) -> None:
    assert take_prober(up, "w1")
    up.pass_time(step)
    assert take_prober(up, "w2")
    assert not take_prober(up, "w1")
    up.pass_time(step)
    assert take_prober(up, "w2")
    assert not take_prober(up, "w1")


@both_ways
@pytest.mark.parametrize("scope", list(Scope))
def test_refused_credentials_are_tried_once_and_then_each_minute_again(
    up: StoreNode, step: float, scope: Scope
) -> None:
    refusal = Unauthorised(scope, "No.", Exchange(status=401))
    up.accept_many(5)
    up.try_one(refusal)
    assert not up.claim()
    up.pass_time(step)
    lease = up.claim_one()
    assert not up.claim()
    up.settle(lease, refusal)
    assert not up.claim()
    up.pass_time(61)
    assert len(up.claim()) == 1


@both_ways
def test_a_suspicion_is_cleared_by_the_next_good_probe(up: StoreNode, step: float) -> None:
    up.accept()
    up.database.write(lambda conn: links.suspect(conn, up.now))
    up.pass_time(step)
    assert look(up).probe_due
    up.probe()
    assert up.claim()


@both_ways
def test_the_window_grows_from_two_as_ever(up: StoreNode, step: float) -> None:
    up.accept_many(20)
    leases = up.claim()
    assert len(leases) == 2
    up.pass_time(step)
    for lease in leases:
        up.settle(lease, accepted(lease))
    again = up.claim()
    assert len(again) in (2, 3)
    up.pass_time(2)
    for lease in again:
        up.settle(lease, accepted(lease))
    assert len(up.claim()) in (3, 4)


@both_ways
def test_an_outage_and_its_return_are_as_ever(up: StoreNode, step: float) -> None:
    first = up.accept()
    up.probe(Cause.REFUSED)
    up.pass_time(step)
    assert up.probe().returned
    assert up.publish_one().submission == first.id


@both_ways
def test_answers_count_when_the_clock_was_set_while_they_were_on_their_way(up: StoreNode, step: float) -> None:
    up.probe(Cause.REFUSED)
    up.probe()
    up.pass_time(10)
    first = up.accept()
    lease = up.claim_one()
    up.database.write(lambda conn: conn.execute(update(Link).values(opened_at=up.now - timedelta(seconds=5))))
    up.pass_time(step)
    up.settle(lease, accepted(lease))
    assert up.state(first.id) is State.PUBLISHED


# another worker's `now` is a little older: it was read before a lock was waited for, or on another machine


def test_a_running_lease_is_nobody_elses_when_their_clock_is_a_little_behind(up: StoreNode) -> None:
    first = up.accept()
    up.claim_one()
    for behind in (0.001, 1.0, 10.0):
        up.pass_time(-behind)
        assert not up.claim("w2")
        up.pass_time(behind)
    assert [one.outcome for one in up.attempts(first.id)] == [None]


def test_the_masters_retry_after_is_kept_when_another_clock_is_a_little_behind(up: StoreNode) -> None:
    up.accept()
    up.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=600))
    up.pass_time(-1)
    assert periodic_tasks(up) == 0


def test_a_wait_is_over_as_soon_as_another_clock_is_further_behind_than_clocks_may_lie_apart(up: StoreNode) -> None:
    up.accept()
    up.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=600))
    up.pass_time(-SLACK_S)
    assert periodic_tasks(up) == 0
    up.pass_time(-0.001)
    assert periodic_tasks(up) == 1


@pytest.mark.parametrize("scope", list(Scope))
def test_refused_credentials_are_tried_as_soon_as_another_clock_is_further_behind_than_clocks_may_lie_apart(
    up: StoreNode, scope: Scope
) -> None:
    up.accept_many(5)
    up.try_one(Unauthorised(scope, "No.", Exchange(status=401)))
    up.pass_time(-SLACK_S)
    assert not up.claim("w2")
    up.pass_time(-0.001)
    assert len(up.claim("w2")) == 1


@pytest.mark.parametrize("scope", list(Scope))
def test_refused_credentials_rest_when_another_clock_is_a_little_behind(up: StoreNode, scope: Scope) -> None:
    up.accept_many(5)
    up.try_one(Unauthorised(scope, "No.", Exchange(status=401)))
    up.pass_time(-1)
    assert not up.claim("w2")


def test_the_prober_stays_it_and_no_probe_is_due_when_another_clock_is_a_little_behind(up: StoreNode) -> None:
    assert take_prober(up, "w1")
    up.probe()
    up.pass_time(-1)
    assert not take_prober(up, "w2")
    assert not look(up).probe_due
