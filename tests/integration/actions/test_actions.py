"""Retry, hold, release, withdraw and undo: on exactly what was named, in pieces, and told afterwards."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, update

from resultsq import sqlite
from resultsq.clock import SystemClock
from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.filter import Filter
from resultsq.domain.outcome import Cause, Deferred
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import action_runner, actions, alerts, holding
from resultsq.store.engine.tables import Action, Audit, Submission
from resultsq.store.views import queries
from tests.integration.actions.conftest import Operator
from tests.integration.store.test_plans import fill, heard
from tests.support.manual_clock import SlowClock
from tests.support.nodes import StoreNode, accepted, moved, rejected, unsent

QUEUED = Filter(states=(State.QUEUED,))
BUSHY = Filter(events=("bushy",))
MEANWHILE_S = 0.3
"""For somebody else to do what they would, before it is committed."""


def put_off(node: StoreNode, outcome: Deferred, date: str = "2013-12-07") -> str:
    """A submission that waits for its next attempt."""
    made = node.accept(date=date).id
    node.try_one(outcome)
    node.probe()  # the link is still there
    assert node.row(made).next_attempt_at is not None
    return made


def audit(node: StoreNode) -> list[tuple[str, str, int]]:
    with node.database.read() as conn:
        return [
            (who, action, many)
            for who, action, many in conn.execute(select(Audit.who, Audit.action, Audit.count).order_by(Audit.id))
        ]


def held(node: StoreNode) -> int:
    with node.database.read() as conn:
        return conn.execute(
            select(func.count()).select_from(Submission).where(Submission.hold_id.is_not(None))
        ).scalar_one()


# retry


def test_what_waits_goes_at_once_and_is_charged_nothing_when_it_is_retried(op: Operator) -> None:
    made = put_off(op.node, Deferred(Cause.BUSY, "429", in_doubt=True))
    before = op.node.row(made)
    assert not op.node.claim()
    done = op.act("retry", [made])
    assert (done.total, done.done, done.skipped) == (1, 1, 0)
    after = op.node.row(made)
    assert (after.attempts, after.failures) == (before.attempts, before.failures)
    assert [lease.submission for lease in op.node.claim()] == [made]


def test_the_masters_own_word_is_obeyed_when_it_is_retried(op: Operator) -> None:
    made = put_off(op.node, Deferred(Cause.BUSY, "429", in_doubt=True, retry_after_s=600))
    done = op.act("retry", [made])
    assert (done.done, done.skipped) == (0, 1)
    assert not op.node.claim()
    op.node.pass_time(601)
    assert op.node.claim()


def test_a_rejected_one_is_sent_again_and_a_conflict_waits_for_a_decision_when_all_are_retried(op: Operator) -> None:
    refused = op.node.accept().id
    op.node.try_one(rejected())
    clashes = op.node.accept("richmond").id
    op.node.try_one(moved("another"))
    done = op.act("retry", Filter())
    assert (done.done, done.skipped) == (1, 1)
    assert op.node.state(refused) is State.QUEUED
    assert op.node.state(clashes) is State.CONFLICT


def test_the_slow_start_holds_when_thousands_are_retried(op: Operator) -> None:
    op.node.accept_many(30)
    op.act("retry", QUEUED)
    assert len(op.node.claim()) == 2


# exactly what was named


def test_nothing_else_is_touched_when_a_filter_names_some(op: Operator) -> None:
    op.node.accept_many(5, "bushy")
    op.node.accept_many(5, "richmond")
    done = op.act("withdraw", BUSHY)
    assert (done.total, done.done, done.skipped) == (5, 5, 0)
    assert op.node.count(state=State.WITHDRAWN, event_id=op.node.events["bushy"]) == 5
    assert op.node.count(state=State.QUEUED, event_id=op.node.events["richmond"]) == 5


def test_what_is_accepted_later_is_not_touched_when_an_action_is_under_way(op: Operator) -> None:
    op.node.accept_many(6)
    action = op.start("withdraw", BUSHY)
    assert op.advance(action, 2)
    op.node.accept_many(3, first=6)
    done = op.finish(action)
    assert (done.total, done.done) == (6, 6)
    assert op.node.count(state=State.QUEUED) == 3


def test_what_moved_on_meanwhile_is_skipped_and_said_so(op: Operator) -> None:
    op.node.accept_many(4)
    action = op.start("withdraw", QUEUED)
    first = op.node.publish_one().submission
    done = op.finish(action)
    assert (done.total, done.done, done.skipped) == (4, 3, 1)
    assert op.node.state(first) is State.PUBLISHED
    assert audit(op.node) == [("op", "withdraw", 4), ("op", "withdraw skipped", 1)]


def test_the_master_may_have_it_so_it_is_skipped_when_it_is_withdrawn(op: Operator) -> None:
    made = op.node.accept().id
    op.node.try_one(Deferred(Cause.RESET, "cut", in_doubt=True))
    assert op.act("withdraw", [made]).skipped == 1
    assert op.node.state(made) is State.QUEUED


def test_an_id_twice_or_unknown_counts_for_what_is_there(op: Operator) -> None:
    made = op.node.accept().id
    done = op.act("hold", [made, made, "nobody"])
    assert (done.total, done.done) == (1, 1)


def test_a_count_says_what_a_filter_fits_and_to_how_many_it_can_be_done(op: Operator) -> None:
    op.node.accept_many(3)
    op.node.publish_one()
    with op.node.database.read() as conn:
        assert actions.count(conn, BUSHY) == 3
        assert actions.able(conn, op.node.now, "withdraw", BUSHY) == 2


def test_too_many_ids_or_an_unknown_verb_are_refused(op: Operator) -> None:
    with pytest.raises(InputRefused, match="filter"):
        op.start("retry", [f"id-{n}" for n in range(1001)])
    with pytest.raises(InputRefused, match="no such action"):
        op.start("explode", Filter())
    assert not audit(op.node)


# pieces


def test_the_rest_stays_when_it_is_cancelled_between_two_pieces(op: Operator) -> None:
    op.node.accept_many(6)
    action = op.start("withdraw", QUEUED)
    op.advance(action, 2)
    op.node.database.write(lambda conn: actions.cancel(conn, op.node.now, action, "boss"))
    assert not op.advance(action)
    seen = op.progress(action)
    assert (seen.cancelled, seen.done, seen.ended_at) == (True, 2, op.node.now)
    assert op.node.count(state=State.QUEUED) == 4
    assert audit(op.node)[-1] == ("boss", "cancel", 4)


def test_somebody_else_finishes_it_when_its_process_died_between_two_pieces(op: Operator) -> None:
    op.node.accept_many(6)
    action = op.start("withdraw", QUEUED)
    op.advance(action, 2)
    op.go_on()
    assert op.nothing_is_due()
    assert op.progress(action).done == 6
    assert op.node.count(state=State.WITHDRAWN) == 6


def test_it_is_done_once_when_two_workers_go_on_with_it(op: Operator) -> None:
    op.node.accept_many(60)
    action = op.start("hold", QUEUED)
    both = [threading.Thread(target=op.go_on) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    seen = op.progress(action)
    assert (seen.total, seen.done, seen.skipped) == (60, 60, 0)


# holds


def test_only_others_are_claimed_while_some_are_held_and_all_when_they_are_released(op: Operator) -> None:
    op.node.accept_many(3)
    other = op.node.accept("richmond").id
    op.act("hold", BUSHY)
    assert [lease.submission for lease in op.node.claim()] == [other]
    done = op.act("release", BUSHY)
    assert (done.done, held(op.node)) == (3, 0)
    assert op.node.claim()


def test_held_ones_go_by_themselves_when_their_time_has_come(op: Operator) -> None:
    op.node.accept_many(3)
    op.act("hold", BUSHY, release_at=op.node.now + timedelta(minutes=5))
    op.node.pass_time(299)
    assert op.nothing_is_due()
    assert held(op.node) == 3
    op.node.pass_time(2)
    op.go_on()
    assert held(op.node) == 0
    assert audit(op.node)[-1] == ("resultsq", "release", 3)


def test_it_waits_no_longer_for_its_back_off_when_it_was_held_meanwhile(op: Operator) -> None:
    made = put_off(op.node, Deferred(Cause.BUSY, "503", in_doubt=False))
    op.act("hold", [made])
    op.act("release", [made])
    assert op.node.row(made).next_attempt_at is None


def test_the_masters_own_word_outlives_a_hold(op: Operator) -> None:
    made = put_off(op.node, Deferred(Cause.BUSY, "503", in_doubt=False, retry_after_s=600))
    op.act("hold", [made])
    op.act("release", [made])
    assert op.node.row(made).next_attempt_at is not None


@pytest.mark.parametrize("came_back", ["handed back", "put off", "its worker died"])
def test_what_was_on_its_way_is_held_when_it_comes_back(op: Operator, came_back: str) -> None:
    made = op.node.accept().id
    lease = op.node.claim_one()
    assert op.act("hold", [made]).done == 1
    match came_back:
        case "handed back":
            op.write(lambda conn, now, _: outbox.release_leases(conn, now, [lease.lease]))
        case "put off":
            op.node.settle(lease, unsent())
        case _:
            op.write(lambda conn, now, _: outbox.void_leases(conn, now, "w1"))
    op.node.probe()
    op.node.pass_time(60)
    assert op.node.state(made) is State.QUEUED
    assert not op.node.claim()
    op.act("release", [made])
    assert op.node.publish_one().submission == made


def test_what_was_on_its_way_is_held_no_more_when_it_is_published(op: Operator) -> None:
    made = op.node.accept().id
    lease = op.node.claim_one()
    op.act("hold", [made])
    op.node.settle(lease, accepted(lease))
    assert (op.node.state(made), held(op.node)) == (State.PUBLISHED, 0)
    other = op.node.accept("richmond").id
    lease = op.node.claim_one()
    op.act("hold", [other])
    op.node.settle(lease, rejected())
    assert (op.node.state(other), held(op.node)) == (State.REJECTED, 0)


def test_what_was_decided_otherwise_is_held_no_more(op: Operator) -> None:
    made = op.node.accept().id
    op.act("hold", [made])
    op.node.withdraw(made)
    with op.node.database.read() as conn:
        assert not queries.holds(conn, op.node.now)
    op.node.accept(rows=4)
    assert op.node.claim(), "what comes after it is not held"


def test_its_correction_is_held_in_its_place(op: Operator) -> None:
    made = op.node.accept().id
    op.act("hold", [made])
    correction = op.node.accept(rows=4, corrects=made).id
    assert op.node.state(made) is State.SUPERSEDED
    with op.node.database.read() as conn:
        (hold,) = queries.holds(conn, op.node.now)
    assert not op.node.claim()
    op.finish(op.write(holding.release_hold, hold.id))
    assert op.node.publish_one().submission == correction


def test_an_event_or_all_is_held_and_released_with_a_line_in_the_audit_each(op: Operator) -> None:
    bushy, other = op.node.accept().id, op.node.accept("richmond").id
    first = op.write(holding.place_hold, op.node.events["bushy"], "wet results")
    assert [lease.submission for lease in op.node.claim(free=1)] == [other]
    everything = op.write(holding.place_hold, None, "the master asked us to")
    again = op.write(holding.place_hold, None, "still")
    with op.node.database.read() as conn:
        assert [hold.id for hold in queries.holds(conn, op.node.now)] == [first, again]
    assert op.write(holding.release_hold, again) is None
    op.write(holding.release_hold, first)
    assert [lease.submission for lease in op.node.claim()] == [bushy]
    assert [action for _, action, _ in audit(op.node)] == ["hold", "hold", "hold", "release", "release"]
    for gone in (first, everything, 999):
        with pytest.raises(NotThere):
            op.write(holding.release_hold, gone)


def test_all_that_one_hold_holds_go_when_that_hold_is_released(op: Operator) -> None:
    op.node.accept_many(4)
    op.act("hold", QUEUED)
    with op.node.database.read() as conn:
        (hold,) = queries.holds(conn, op.node.now)
    action = op.write(holding.release_hold, hold.id)
    assert op.finish(action).done == 4
    assert held(op.node) == 0


def test_a_hold_that_ended_before_it_was_all_placed_places_no_more(op: Operator) -> None:
    op.node.accept_many(4)
    action = op.start("hold", QUEUED, release_at=op.node.now + timedelta(seconds=1))
    op.advance(action, 2)
    op.node.pass_time(2)
    op.node.database.write(lambda conn: holding.release_due(conn, op.node.now))
    op.go_on()
    assert held(op.node) == 0


def beside(op: Operator, first: Callable[[Connection], object], then: Callable[[], object]) -> None:
    """Do the first thing, and begin the other before the first is committed."""
    other = threading.Thread(target=then)

    def work(conn: Connection) -> None:
        first(conn)
        other.start()
        other.join(MEANWHILE_S)

    op.node.database.write(work)
    other.join()


def test_nothing_stays_held_when_its_hold_is_released_while_it_is_being_placed(op: Operator) -> None:
    op.node.accept_many(4)
    placing = op.start("hold", QUEUED)
    hold = op.progress(placing).target["hold"]
    beside(
        op, lambda conn: actions.advance(conn, op.node.now, placing, 2), lambda: op.write(holding.release_hold, hold)
    )
    op.go_on()
    assert held(op.node) == 0
    assert op.progress(placing).ended_at is not None


def test_nothing_stays_held_when_its_time_comes_while_it_is_being_placed(op: Operator) -> None:
    op.node.accept_many(4)
    placing = op.start("hold", QUEUED, release_at=op.node.now + timedelta(seconds=1))

    def place(conn: Connection) -> None:
        actions.advance(conn, op.node.now, placing, 2)
        op.node.pass_time(2)

    beside(op, place, lambda: op.node.database.write(lambda conn: holding.release_due(conn, op.node.now)))
    op.go_on()
    assert held(op.node) == 0


@pytest.mark.parametrize("event", ["bushy", None])
def test_one_hold_is_in_force_when_two_place_one_at_once(op: Operator, event: str | None) -> None:
    number = None if event is None else op.node.events[event]
    place = partial(holding.place_hold, now=op.node.now, who="op", event_id=number, reason="a test")
    beside(op, place, lambda: op.node.database.write(place))
    with op.node.database.read() as conn:
        assert len(queries.holds(conn, op.node.now)) == 1


def test_the_others_go_on_when_one_action_cannot_be_carried_out(op: Operator) -> None:
    op.node.accept_many(4)
    timed = op.start("hold", QUEUED, release_at=op.node.now + timedelta(seconds=1))
    op.finish(timed)
    newer = op.start("retry", BUSHY)
    op.node.database.write(lambda conn: conn.execute(update(Action).where(Action.id == newer).values(verb="polish")))
    later = op.start("withdraw", BUSHY)
    op.node.pass_time(2)
    for _ in range(2):
        op.go_on()
    assert op.progress(later).done == 4
    assert held(op.node) == 0
    with op.node.database.read() as conn:
        assert actions.failing(conn) == 1
        assert alerts.counts(conn, op.node.now).failing_actions == 1
    op.write(lambda conn, now, who: actions.cancel(conn, now, newer, who))
    with op.node.database.read() as conn:
        assert actions.failing(conn) == 0


# undo


def test_what_an_action_withdrew_is_back_and_nothing_else_when_it_is_undone(op: Operator) -> None:
    op.node.accept_many(3)
    before = op.node.accept("richmond").id
    op.node.withdraw(before)
    action = op.act("withdraw", BUSHY).id
    done = op.finish(actions.start_undo(op.node.database, op.node.now, "op", action, "by mistake"))
    assert (done.done, done.skipped) == (3, 0)
    assert op.node.count(state=State.QUEUED) == 3
    assert op.node.state(before) is State.WITHDRAWN
    with pytest.raises(NotThere):
        actions.start_undo(op.node.database, op.node.now, "op", done.id, "an undo cannot be undone")


def test_a_withdrawal_stays_when_another_version_came_or_thirty_days_are_over(op: Operator) -> None:
    old = op.node.accept().id
    op.act("withdraw", [old])
    op.node.accept(rows=4)
    assert op.act("undo", [old]).skipped == 1
    late = op.node.accept("richmond").id
    op.act("withdraw", [late])
    op.node.pass_time(30 * 86_400 + 1)
    assert op.act("undo", [late]).skipped == 1
    assert op.node.state(late) is State.WITHDRAWN


# the promise goes first


@pytest.mark.long
def test_no_accept_waits_100_ms_when_thousands_are_acted_on(op_of_thousands: Operator) -> None:
    op = op_of_thousands
    fill(op.node, 3_000)
    days = (f"{year}-01-01" for year in range(1000, 10_000))

    def accept() -> float:
        entry = op.node.entry("richmond", 1, date=next(days))
        began = time.perf_counter()
        op.node.database.write(partial(outbox.accept, now=op.node.now, entry=entry))
        took_s = time.perf_counter() - began
        time.sleep(0.005)  # a team posts; one that hammered would keep the action from its work on a busy machine
        return took_s

    def slow(waits: list[float]) -> float:
        return sorted(waits)[int(0.95 * len(waits))]

    alone = [accept() for _ in range(100)]  # what is the machine's own affair, and not the action's
    action = op.start("hold", QUEUED)
    worker = threading.Thread(target=action_runner.run, args=(op.node.database, SystemClock(), action))
    worker.start()
    beside: list[float] = []
    while worker.is_alive():
        beside.append(accept())
    worker.join()
    assert op.progress(action).done == 3_000 + len(alone)
    assert len(beside) > 10
    assert slow(beside) - slow(alone) < 0.1, f"worst {max(beside):.3f} s, alone {max(alone):.3f} s"


@pytest.mark.parametrize(("piece_s", "pieces"), [(0.0001, 2), (0.5, 21)])
def test_pieces_are_as_large_as_their_time_allows(op: Operator, piece_s: float, pieces: int) -> None:
    op.node.accept_many(30)
    action = op.start("hold", QUEUED)
    with heard(op.node.database, "actions") as statements:
        assert action_runner.run(op.node.database, SlowClock(op.node.now, piece_s), action)
    assert op.progress(action).done == 30
    assert sum(one[0].startswith("UPDATE") for one in statements) == pieces, "ten first, then as many as it took well"


def test_pieces_stay_large_when_they_wait_for_the_lock(op_on_sqlite: Operator) -> None:
    op = op_on_sqlite
    fill(op.node, 300)
    action = op.start("hold", QUEUED)
    over = threading.Event()

    def write_all_the_time() -> None:
        with closing(sqlite.driver.connect(op.node.database.url.database, timeout=30, isolation_level=None)) as other:
            while not over.is_set():
                other.execute("BEGIN IMMEDIATE")
                time.sleep(0.1)
                other.execute("ROLLBACK")
                time.sleep(0.02)

    writer = threading.Thread(target=write_all_the_time)
    with heard(op.node.database, "actions") as statements:
        writer.start()
        try:
            assert action_runner.run(op.node.database, SystemClock(), action)
        finally:
            over.set()
            writer.join()
    assert op.progress(action).done == 300
    assert sum(one[0].startswith("UPDATE") for one in statements) < 30, "it kept nobody from writing while it waited"


def test_nobody_waits_for_the_lock_when_an_action_is_counted(op_on_sqlite: Operator) -> None:
    op = op_on_sqlite  # on PostgreSQL a write locks rows, and a count locks none
    op.node.accept_many(3)
    counted = 0

    def hear(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal counted
        if "count(*)" in statement:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
            counted += 1

    with closing(sqlite.driver.connect(op.node.database.url.database, timeout=0, isolation_level=None)) as other:
        event.listen(op.node.database.engine, "before_cursor_execute", hear)
        try:
            undone = op.act("withdraw", QUEUED).id
            actions.start_undo(op.node.database, op.node.now, "op", undone, "")
        finally:
            event.remove(op.node.database.engine, "before_cursor_execute", hear)
    assert counted == 2


def test_a_claim_reads_none_of_the_held_when_ten_thousand_are_held_before_it(op_of_thousands: Operator) -> None:
    op = op_of_thousands
    fill(op.node, 3_000)
    other = op.node.accept("richmond").id
    while op.node.count(hold_id=None) > 1:
        op.act("hold", Filter(events=("bushy",)))
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with heard(op.node.database) as statements:
        assert [lease.submission for lease in op.node.claim()] == [other]
    if op.node.database.is_sqlite:
        raw = op.node.database.engine.raw_connection()
        driver: Any = raw.driver_connection
        driver.set_progress_handler(step, 1)
        for statement, values in statements:
            if "events" in statement and "LIMIT" in statement:
                driver.execute(statement, values).fetchall()
        driver.set_progress_handler(None, 1)
        raw.close()
        assert 0 < steps < 2_000, "a hundred steps a row would be a million"
