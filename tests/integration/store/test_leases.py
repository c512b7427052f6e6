"""Leases: whoever holds one may settle, a lease that ran out or was taken over settles nothing, and a dead
worker's submissions go on, once."""

import pytest

from resultsq.delivery import sender
from resultsq.delivery.masters import database
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.domain.outcome import Cause, Deferred, Exchange, Outcome
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.outbox import lease_s
from tests.support.nodes import CEILING, StoreNode, accepted, lost, moved, rejected, unsent


def test_the_lease_and_the_attempt_are_written_before_anything_is_sent(up: StoreNode) -> None:
    first = up.accept()
    lease = up.claim_one()
    row = up.row(first.id)
    assert (row.state, row.lease, row.lease_owner, row.attempts) == (State.SENDING, lease.lease, "w1", 1)
    assert (row.lease_until - up.now).total_seconds() == pytest.approx(lease_s(row.size), abs=1e-3)
    (attempt,) = up.attempts(first.id)
    assert (attempt.lease, attempt.worker, attempt.number, attempt.started_at) == (lease.lease, "w1", 1, up.now)
    assert (attempt.ended_at, attempt.outcome) == (None, None)


def test_the_attempt_is_closed_with_what_was_seen_when_it_is_settled(up: StoreNode) -> None:
    first = up.accept()
    lease = up.claim_one()
    up.pass_time(1)
    up.settle(lease, rejected())
    (attempt,) = up.attempts(first.id)
    assert (attempt.outcome, attempt.cause, attempt.status) == ("rejected", "invalid-sheet", 422)
    assert (attempt.ended_at, attempt.duration_s) == (up.now, 0.1)
    assert (attempt.fingerprint, up.row(first.id).fingerprint) == ("invalid-sheet 422", "rejected invalid-sheet")


def test_the_doubt_of_a_departure_is_noted_with_its_own_lease_alone(up: StoreNode) -> None:
    made, other = up.accept().id, up.accept("richmond").id
    lease, beside = up.claim()

    def note(with_lease: str) -> bool:
        return up.database.write(lambda conn: outbox.note_departure(conn, made, with_lease))

    assert note(beside.lease) is False
    assert not up.row(made).in_doubt
    assert note(lease.lease) is True
    assert (up.row(made).in_doubt, up.row(other).in_doubt) == (True, False)
    up.settle(lease, unsent())
    assert note(lease.lease) is False, "the lease is over"


def test_what_put_it_off_is_told_with_its_status_and_grouped_by_both(up: StoreNode) -> None:
    first, second = up.accept().id, up.accept("richmond").id
    up.pass_time(7)
    busy = Deferred(Cause.BUSY, "Not now.", in_doubt=False, retry_after_s=60, exchange=Exchange(status=429))
    done = up.settle(up.claim_one(), busy)
    assert [(one.submission, one.waited_s, one.repeat) for one in done.settled] == [(first, 7, False)]
    up.settle(up.claim_one(), unsent())
    told = [up.row(first), up.row(second)]
    assert [(row.cause, row.status, row.detail) for row in told] == [
        (Cause.BUSY, 429, "Not now."),
        (Cause.REFUSED, None, "Nothing listens there."),
    ]
    assert [row.fingerprint for row in told] == [f"{Cause.BUSY} 429", Cause.REFUSED], "no status, no number"
    assert [up.attempts(row.id)[0].fingerprint for row in told] == [row.fingerprint for row in told]


@pytest.mark.parametrize("size", [0, 12_000, 8 * 1024 * 1024])
def test_a_lease_outlives_the_longest_call_of_its_sheet_by_either_road(size: int) -> None:
    compressed = size // 3
    assert lease_s(size) >= CallTimeouts().for_sheet_s(compressed) + 1
    assert lease_s(size) >= database.LIMITS.for_sheet_s(size) + 1
    assert lease_s(12_000) < 33, "a dead worker's sheet of ordinary size goes on within 35 s, sweep included"


def test_a_lease_that_ran_out_goes_back_in_doubt_and_is_tried_again_at_once(up: StoreNode) -> None:
    first = up.accept()
    dead = up.claim_one()
    up.pass_time(lease_s(len(dead.body)) - 0.1)
    assert not up.claim("w2")
    up.pass_time(0.2)
    (again,) = up.claim("w2")
    assert (again.submission, again.in_doubt, again.attempt) == (first.id, True, 2)
    gone, under_way = up.attempts(first.id)
    assert (gone.outcome, gone.cause) == ("unknown", Cause.WORKER_GONE)
    assert under_way.outcome is None


@pytest.mark.parametrize("late", ["accepted", "deferred", "rejected", "conflict"])
def test_a_settle_changes_nothing_when_its_lease_was_taken_over(up: StoreNode, late: str) -> None:
    first = up.accept()
    old = up.claim_one()
    up.pass_time(60)
    new = up.claim_one()
    outcomes: dict[str, Outcome] = {
        "accepted": accepted(old, 7), "deferred": lost(), "rejected": rejected(), "conflict": moved(None)
    }  # fmt: skip
    before, link = up.row(first.id), up.link()
    (told,) = up.settle(old, outcomes[late]).settled
    assert (told.submission, told.state, told.waited_s, told.repeat) == ("", None, 0, False)
    assert up.row(first.id) == before
    assert (up.link().window, up.link().suspect) == (link.window, link.suspect)
    assert [one.outcome for one in up.attempts(first.id)] == ["unknown", None]
    up.settle(new, accepted(new))
    assert up.state(first.id) is State.PUBLISHED


def test_a_settle_changes_nothing_when_it_comes_twice(up: StoreNode) -> None:
    first = up.accept()
    lease = up.publish_one()
    before = up.row(first.id)
    (told,) = up.settle(lease, lost()).settled
    assert told.state is None
    assert up.row(first.id) == before
    assert [one.outcome for one in up.attempts(first.id)] == ["accepted"]


def test_good_settlements_count_when_one_beside_them_lost_its_lease(up: StoreNode) -> None:
    up.accept_many(2)
    old, kept = up.claim()
    up.database.write(
        lambda conn: conn.exec_driver_sql(f"UPDATE submissions SET lease_until = accepted_at WHERE seq = {old.seq}")
    )
    up.claim("w2")
    both = [sender.settlement(lease, accepted(lease), 0.1, 0.5) for lease in (old, kept)]
    told = {one.settlement.lease: one.state for one in up.turn(*both, free=0).settled}
    assert told == {old.lease: None, kept.lease: State.PUBLISHED}


def test_a_worker_that_starts_voids_what_its_name_still_holds_and_nobody_elses(up: StoreNode) -> None:
    up.accept_many(4)
    mine, theirs = up.claim("w1", free=1), up.claim("w2", free=1)
    assert up.database.write(lambda conn: outbox.void_leases(conn, up.now, "w1")) == 1
    assert up.row(mine[0].submission).in_doubt
    assert up.state(theirs[0].submission) is State.SENDING
    assert [one.outcome for one in up.attempts(mine[0].submission)] == ["unknown"]


def test_a_dead_workers_leases_do_not_fill_the_window_when_it_is_back(up: StoreNode) -> None:
    up.accept_many(20)
    first = {lease.submission for lease in up.claim()}
    up.database.write(lambda conn: outbox.void_leases(conn, up.now, "w1"))
    assert {lease.submission for lease in up.claim()} == first


def test_leases_are_the_bound_even_when_a_worker_says_that_it_is_idle(up: StoreNode) -> None:
    up.accept_many(20)
    up.claim()
    assert not up.claim(free=CEILING)
