"""Delivery over a real link that goes and returns: at once, gently, once, and in order."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from resultsq.clock import SystemClock
from resultsq.delivery.app import worker_name
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.engine.tables import Attempt, Submission
from resultsq.store.outbox.aside import DAMAGED
from tests.support.processes import Process
from tests.support.proxy import Proxy
from tests.support.relays import Relay, at_once
from tests.support.waiting import wait_until

CUTS: dict[str, Callable[[Proxy], None]] = {
    "refused": Proxy.refuse,
    "silent": Proxy.hole,
    "swallowed": Proxy.hang,
    "reset": Proxy.reset,
    "a stranger's": Proxy.portal,
}
PROMISE_S = 2.0
PATIENCE_S = 8.0
"""What is left to a busy machine on top of each bound. What goes wrong takes longer: it waits out a limit of a call,
a lease, or the minute of refused credentials."""


def test_what_waits_is_published_once_with_its_bytes_when_the_link_is_up(relay: Relay) -> None:
    ids = relay.accept(30)
    with relay.worker():
        relay.wait_until_published(30)
        relay.assert_all_there_once(ids)
        assert len(relay.puts()) == 30
        late = relay.accept()
        assert relay.wait_until_published(31) < PATIENCE_S + 1, "without a bell the next sweep finds it"
    relay.assert_all_there_once([*ids, *late])


@pytest.mark.parametrize("cut", CUTS)
def test_the_first_is_published_within_two_seconds_of_the_links_return(sqlite_relay: Relay, cut: str) -> None:
    relay = sqlite_relay
    ids = relay.accept(3)
    with relay.worker():
        relay.wait_until_published(3)
        CUTS[cut](relay.proxy)
        ids += relay.accept(20)
        relay.wait_for_link("not-our-master" if cut == "a stranger's" else "down", 15)
        before, probes, began = len(relay.puts()), relay.node.link().probes, time.monotonic()
        ids += relay.accept(20, "richmond")
        wait_until(lambda: relay.node.link().probes >= probes + 3, 15, "a probe a second")
        pace = (relay.node.link().probes - probes) / (time.monotonic() - began)
        assert pace <= 1.7, "one probe a second, however many wait"
        assert len(relay.puts()) == before, "no sheet is sent into a link that is down"
        relay.proxy.restore()
        assert relay.wait_until_published(4) < PROMISE_S + PATIENCE_S
        relay.wait_until_published(43)
    relay.assert_all_there_once(ids)
    (outage,) = relay.node.outages()
    assert outage.ended_at > outage.began_at
    assert outage.delayed >= 38, "what was on its way may have landed at the very moment"


def test_old_sockets_that_stay_dead_do_not_keep_their_sheets_after_a_short_silence(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    relay.master.settings(delay=0.3)
    ids = relay.accept(10)
    with relay.worker():
        wait_until(lambda: len(relay.puts()) >= 2)
        relay.proxy.half_open()  # what is on its way is dead for ever, and what comes now gets through
        assert relay.wait_until_published(10) < PROMISE_S + PATIENCE_S
    relay.assert_all_there_once(ids)
    assert not relay.node.outages()


def test_connections_that_rested_are_not_tried_one_by_one_when_one_of_them_was_dead(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    relay.master.settings(delay=0.2)
    with relay.worker():
        relay.accept(50)
        relay.wait_until_published(50)  # eight at once in the end, each on a connection of its own
        relay.proxy.half_open()
        ids = relay.accept()
        relay.wait_until_published(51, 40)
        assert [attempt.cause for attempt in relay.node.attempts(ids[0])] == ["silent", None]
        others = relay.accept(4)
        relay.wait_until_published(55, 40)
    assert [attempt.cause for one in others for attempt in relay.node.attempts(one)] == [None] * 4


def test_old_connections_are_let_go_when_the_link_returns_between_two_sweeps(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    with relay.worker(SWEEP_S="10") as worker:
        relay.wait_for_link("up")
        relay.accept()
        worker.dispatcher.wake()
        relay.wait_until_published(1)
        wait_until(lambda: relay.proxy.open_connections == 1)
        relay.node.now = SystemClock().now()
        relay.node.probe(Cause.REFUSED)
        relay.node.probe()
        worker.dispatcher.wake()
        wait_until(lambda: relay.proxy.open_connections == 0, 8, "their end before the next sweep")


def test_a_silent_call_is_given_up_at_once_when_another_worker_has_probed(postgres_relay: Relay) -> None:
    relay = postgres_relay
    with ExitStack() as stack:
        stack.enter_context(relay.worker("w1", SWEEP_S="10"))
        wait_until(lambda: relay.node.link().prober == "w1")
        second = stack.enter_context(relay.worker("w2", SWEEP_S="10"))
        relay.wait_for_link("up")
        wait_until(lambda: relay.workers() == {"w1", "w2"})
        time.sleep(1)  # their first cycles
        relay.accept()
        second.dispatcher.wake()
        relay.wait_until_published(1)
        relay.proxy.half_open()
        ids = relay.accept()
        second.dispatcher.wake()
        wait_until(lambda: relay.node.attempts(ids[0])[0].outcome, PATIENCE_S, "its end before the next sweep")
    (attempt, *_) = relay.node.attempts(ids[0])
    assert (attempt.worker, attempt.cause) == ("w2", "silent")


def test_a_silent_call_goes_on_while_no_newer_connection_works(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    with relay.worker():
        relay.accept()
        relay.wait_until_published(1)
        relay.proxy.hang()
        ids = relay.accept()
        relay.wait_for_link("down")
        assert [attempt.outcome for attempt in relay.node.attempts(ids[0])] == [None]
        relay.proxy.restore()
        relay.wait_until_published(2)


def test_a_slow_master_is_not_taken_for_a_silent_link(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    relay.master.settings(delay=5.0)
    ids = relay.accept(1)
    with relay.worker():
        wait_until(lambda: relay.puts())
        relay.wait_until_published(1)
    relay.assert_all_there_once(ids)
    assert len(relay.puts()) <= 3


WORK_S = 0.05
LONG_WORK_S = 0.15
"""So long that a busy machine begins with several meanwhile."""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_return_begins_gently_across_all_workers(postgres_relay: Relay, workers: int) -> None:
    relay = postgres_relay
    relay.master.settings(delay=LONG_WORK_S)
    relay.proxy.refuse()
    with ExitStack() as stack:
        running = [stack.enter_context(relay.worker(f"w{number}")) for number in range(workers)]
        relay.wait_for_link("down")
        ids = relay.accept(120)
        relay.proxy.restore()
        most = 0
        while relay.published() < 120:
            for worker in running:  # rung by somebody all the time, each takes what room there is
                worker.dispatcher.wake()
            time.sleep(0.02)
            most = max(most, relay.node.count(state=State.SENDING))
    relay.assert_all_there_once(ids)
    puts = relay.puts()
    first = min(put["began"] for put in puts)
    assert at_once(puts, LONG_WORK_S, until=first + 1.0) <= 2
    assert 5 <= at_once(puts, LONG_WORK_S) <= 8
    assert most <= 16, "one on its way, one ahead, for each sender"
    assert relay.node.link().window > 5


def test_no_two_workers_have_one_name_when_they_share_a_database(sqlite_relay: Relay, tmp_path: Path) -> None:
    here, there = (sqlite_relay.settings(DATA_DIR=str(tmp_path / name)) for name in ("here", "there"))
    workers = [worker_name(settings) for settings in (here, here, there)]
    assert len({name for name, _ in workers}) == 3
    first, held = workers[0]
    held.close()  # as the end of its process would
    workers.append(worker_name(here))
    assert workers[-1][0] == first
    for _, lock in workers:
        lock.close()


def test_no_two_workers_have_one_name_when_two_machines_are_set_up_alike(relay: Relay, tmp_path: Path) -> None:
    machines = (relay.settings(DATA_DIR=str(tmp_path / name), WORKER_NAME="w1") for name in ("one", "other"))
    (name, held), (other, other_held) = (worker_name(settings) for settings in machines)
    assert name != other
    with relay.worker(name):
        relay.wait_for_link("up")
        relay.master.settings(delay=15.0)
        made = relay.accept()[0]
        wait_until(lambda: relay.node.row(made).lease_owner == name, what="a call under way")
        with relay.worker(other):
            wait_until(lambda: other in relay.workers(), 14, "the other at work")
            assert relay.node.row(made).lease_owner == name, "nobody voided it"
            relay.master.settings(delay=0.0)
            relay.wait_until_published(1, 40)
    held.close()
    other_held.close()


def test_one_worker_probes_and_another_takes_over_when_it_stops(postgres_relay: Relay) -> None:
    relay = postgres_relay
    relay.proxy.portal()
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        first.enter_context(relay.worker("w1"))
        relay.wait_for_link("not-our-master")
        stack.enter_context(relay.worker("w2"))
        assert relay.node.link().prober == "w1"
        probes, began = relay.proxy.connections, time.monotonic()
        time.sleep(3)
        assert (relay.proxy.connections - probes) / (time.monotonic() - began) <= 1.5
        first.close()
        wait_until(lambda: relay.node.link().prober == "w2", PATIENCE_S)
        ids = relay.accept(2)
        relay.proxy.restore()
        assert relay.wait_until_published(1) < PROMISE_S + PATIENCE_S
        relay.wait_until_published(2)
    relay.assert_all_there_once(ids)


def test_the_masters_retry_after_is_obeyed(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    relay.master.script({"status": 429, "headers": {"Retry-After": "3"}, "body": {"title": "busy", "status": 429}})
    ids = relay.accept(1)
    with relay.worker() as worker:
        wait_until(lambda: relay.node.row(ids[0]).wait_for == "master")
        for _ in range(10):
            worker.dispatcher.wake()
            time.sleep(0.1)
        relay.wait_until_published(1)
    first, second = relay.puts()
    assert second["began"] - first["ended"] >= 2.9


def test_a_sheet_is_at_the_master_once_when_the_answer_to_its_commit_was_lost(relay: Relay) -> None:
    with relay.worker():
        relay.wait_for_link("up")
        relay.proxy.drop_answer(times=1)
        (first,) = relay.accept()
        relay.wait_until_published(1)
    relay.assert_all_there_once([first])
    tries = relay.node.attempts(first)
    assert (tries[0].outcome, tries[-1].outcome) == ("deferred", "accepted")
    assert relay.master.report()["lookups"] >= 1, "its receipt settled it"
    assert len(relay.puts()) == 1


def test_a_correction_lands_on_top_when_the_answer_to_its_predecessor_was_lost(relay: Relay) -> None:
    relay.master.script({"commit": True, "cut": True, "delay": 0.5})
    with relay.worker():
        first = relay.node.accept(rows=1).id
        wait_until(lambda: relay.node.state(first) is State.SENDING)
        second = relay.node.accept(rows=2, corrects=first).id
        relay.wait_until_published(2)
    relay.assert_all_there_once([first, second])
    assert [receipt["revision"] for receipt in relay.master.receipts().values()] == [1, 2]
    assert relay.node.state(first) is State.CORRECTED


def test_every_chain_lands_in_order_when_the_answers_are_lost_again_and_again(relay: Relay) -> None:
    relay.master.settings(delay=WORK_S)
    heads = dict.fromkeys(relay.node.events, "")
    with relay.worker("w1"):
        for rows in range(1, 9):
            if rows % 3 == 0:
                relay.proxy.drop_answer(times=2)
            for event, head in heads.items():
                heads[event] = relay.node.accept(event, rows, corrects=head or None).id
            time.sleep(0.15)
        wait_until(lambda: {relay.node.state(head) for head in heads.values()} == {State.PUBLISHED}, 30)
    by_event: dict[str, list[dict[str, Any]]] = {}
    for receipt in relay.master.receipts().values():
        by_event.setdefault(receipt["event"], []).append(receipt)
    for event, receipts in by_event.items():
        assert [one["revision"] for one in receipts] == list(range(1, len(receipts) + 1))
        assert receipts[-1]["submission"] == heads[event]
        versions = [relay.node.row(one["submission"]).version for one in receipts]
        assert versions == sorted(versions)


def test_a_stranger_in_between_is_a_conflict_and_a_person_publishes_over_it(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    first = relay.node.accept(rows=3).id
    with relay.worker(MASTER_TOKEN="another-node"):
        relay.wait_until_published(1)
    relay.node.database.write(lambda conn: conn.execute(update(Submission).values(state="superseded")))
    relay.node.database.write(lambda conn: conn.exec_driver_sql("UPDATE chains SET head = NULL"))
    relay.node.database.write(
        lambda conn: conn.exec_driver_sql(f"UPDATE submissions SET id = 'elsewhere' WHERE id = '{first}'")
    )
    second = relay.node.accept(rows=4).id
    with relay.worker():
        wait_until(lambda: relay.node.state(second) is State.CONFLICT)
        assert relay.node.row(second).conflict_head == first
        relay.node.publish_over(second)
        wait_until(lambda: relay.node.state(second) is State.PUBLISHED)
    assert relay.master.receipts()[second]["revision"] == 2


def test_nothing_is_charged_and_all_goes_at_once_when_wrong_credentials_were_mended(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    relay.master.script({"status": 401, "body": {"title": "who?", "status": 401}, "times": None})
    ids = relay.accept(10)
    with relay.worker():
        wait_until(lambda: relay.node.link().refused_at)
        time.sleep(1.5)  # for a sweep, which is to send nothing
        assert len(relay.puts()) <= 2, "the two of the opening window"
        assert {relay.node.row(one).failures for one in ids} == {0}
    relay.master.restart()
    with relay.worker(MASTER_TOKEN="mended"):
        assert relay.wait_until_published(10) < PROMISE_S + PATIENCE_S
    relay.assert_all_there_once(ids)


def test_the_others_go_on_when_one_submission_has_another_digest_than_its_body(relay: Relay) -> None:
    ids = relay.accept(6)
    relay.database.write(
        lambda conn: conn.execute(update(Submission).where(Submission.id == ids[0]).values(digest="sha-256=:not:"))
    )
    with relay.worker():
        relay.wait_until_published(5)
        wait_until(lambda: relay.node.row(ids[0]).detail == DAMAGED)
    assert relay.node.link().state == LinkState.UP


def test_the_others_go_on_when_the_end_of_one_cannot_be_written_down(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    ids = relay.accept(6)
    relay.database.write(
        lambda conn: conn.exec_driver_sql(
            "CREATE TRIGGER a_fault_of_ours BEFORE UPDATE OF published_at ON submissions "
            f"WHEN NEW.published_at IS NOT NULL AND OLD.id = '{ids[0]}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    with relay.worker():
        relay.wait_until_published(5, 30)
        wait_until(lambda: relay.node.row(ids[0]).cause == "surprise")
        relay.database.write(lambda conn: conn.exec_driver_sql("DROP TRIGGER a_fault_of_ours"))
        relay.wait_until_published(6)
    relay.assert_all_there_once(ids)
    assert len(relay.puts()) == 6, "their receipts settled them"


def test_what_can_only_be_held_is_put_aside_at_once_when_no_end_of_it_can_be_written_down(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    ids = relay.accept(3)
    relay.database.write(
        lambda conn: conn.exec_driver_sql(
            "CREATE TRIGGER a_fault_of_ours BEFORE UPDATE OF outcome ON attempts WHEN NEW.outcome <> 'unknown' "
            f"AND OLD.seq = {relay.node.row(ids[0]).seq} BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    with relay.worker():
        relay.wait_until_published(2)
        wait_until(lambda: relay.node.row(ids[0]).hold_id, PATIENCE_S, "a hold, before its lease runs out")
        assert relay.node.row(ids[0]).in_doubt
    assert len(relay.puts()) == 3


def test_a_strangers_bytes_are_told_when_no_database_takes_them_as_text(relay: Relay) -> None:
    relay.master.script({"status": 200, "headers": {"Content-Type": "text/html"}, "body": "\0\x15 not text"})
    relay.master.script({"status": 422, "body": {"title": "half a \ud83d, and \0", "status": 422}})
    (submission,) = relay.accept()
    with relay.worker():
        wait_until(lambda: relay.node.state(submission) is State.REJECTED)
    first, _ = relay.node.attempts(submission)
    assert (first.cause, first.answer_body) == ("not-our-master", "\N{REPLACEMENT CHARACTER}\x15 not text")
    assert relay.node.row(submission).detail == "half a ?, and \N{REPLACEMENT CHARACTER}"


def test_delivery_goes_on_by_itself_when_the_database_was_away_for_a_while(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    with relay.worker():
        relay.wait_for_link("up")
        ids = relay.accept(5)
        other: Any = relay.database.engine.raw_connection()
        other.driver_connection.execute("BEGIN IMMEDIATE")
        time.sleep(7)
        other.driver_connection.execute("COMMIT")
        other.close()
        ids += relay.accept(5)
        relay.wait_until_published(10)
    relay.assert_all_there_once(ids)


def test_delivery_goes_on_when_what_a_worker_does_now_and_then_keeps_failing(postgres_relay: Relay) -> None:
    relay = postgres_relay

    def rename(old: str, new: str) -> None:
        relay.database.write(lambda conn: conn.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("workers", "missing")
    with relay.worker():
        ids = relay.accept(5)
        relay.wait_until_published(5)
        rename("missing", "workers")
    relay.assert_all_there_once(ids)


def test_a_workers_name_is_its_own_until_its_last_call_has_ended(
    sqlite_relay: Relay, tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    relay = sqlite_relay
    relay.master.settings(delay=15.0)
    environment = relay.environment(DATA_DIR=tmp_path)
    ids = relay.accept(1)
    first = start_process("worker", "--name", "w1", env=environment)
    wait_until(relay.puts, 30, "a call under way")
    first.send(signal.SIGTERM)
    wait_until(lambda: "worker.stopped" in first.stdout + first.stderr, 60, "a worker that stops")
    assert first.running
    second = start_process("worker", "--name", "w1", env=environment)
    assert second.wait(20) != 0
    assert "running here already" in second.stderr
    assert relay.node.state(ids[0]) is State.SENDING, "nobody voided it"
    assert first.running
    relay.master.settings(delay=0.0)
    assert first.wait(30) == 0
    start_process("worker", "--name", "w1", env=environment)
    relay.wait_until_published(1, 30)
    assert len(relay.puts()) == 1
    relay.assert_all_there_once(ids)


def test_a_worker_that_stops_settles_what_it_has_sent(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    relay.master.settings(delay=1.0)
    ids = relay.accept(2)
    with relay.worker():
        wait_until(lambda: len(relay.puts()) == 2)
    assert relay.published() == 2
    relay.assert_all_there_once(ids)
    assert len(relay.puts()) == 2


def under_way(relay: Relay, since_s: float = 2 * WORK_S) -> int:
    """PUTs that the master has worked on for longer than the short ones take."""
    now = time.monotonic()
    return sum(put["ended"] is None and put["began"] < now - since_s for put in relay.puts())


def drained_to(relay: Relay, count: int) -> None:
    """A drain at full speed has come so far: each sender has a sheet on its way and one that lies ahead."""
    wait_until(lambda: relay.published() >= count, 60, f"publication of {count}")
    wait_until(lambda: relay.node.count(state=State.SENDING) > 8, 60, "one that lies ahead")


def test_what_lies_ahead_goes_back_untouched_when_a_worker_stops(relay: Relay) -> None:
    ids = relay.accept(300)
    relay.master.settings(delay=WORK_S)
    with relay.worker():
        drained_to(relay, 80)
    assert relay.node.count(state=State.SENDING) == 0
    assert relay.node.count(in_doubt=True) == 0
    sent = {put["submission"] for put in relay.puts()}
    with relay.database.read() as conn:
        tried = set(conn.execute(select(Submission.id).where(Submission.attempts > 0)).scalars())
        assert len(list(conn.execute(select(Attempt.id)))) == len(tried)
    assert tried == sent
    with relay.worker():
        relay.wait_until_published(300, 40)
    relay.assert_all_there_once(ids)
    assert len(relay.puts()) == 300


def test_a_hold_stops_a_drain_at_full_speed_within_a_turn(relay: Relay) -> None:
    ids = relay.accept(300)
    relay.master.settings(delay=WORK_S)
    with relay.worker():
        drained_to(relay, 80)
        hold = relay.node.hold()
        began = len(relay.puts())
        wait_until(lambda: relay.node.count(state=State.SENDING) == 0, what="the last answer")
        assert len(relay.puts()) - began <= 16 + 8, "what was on its way, what lay ahead, and what a last turn took"
        assert relay.node.count(in_doubt=True) == 0
        relay.node.release(hold)
        relay.wait_until_published(300, 40)
    relay.assert_all_there_once(ids)
    assert at_once(relay.puts(), WORK_S) <= 8
    assert len(relay.puts()) == 300


class OwnClock(SystemClock):
    """A clock whose wall can be `ahead` and whose monotonic side can be stopped."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.ahead = ahead
        self.stopped_at: float | None = None

    def now(self) -> datetime:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() if self.stopped_at is None else self.stopped_at


def test_what_is_prefetched_goes_back_when_its_sender_takes_its_time(sqlite_relay: Relay) -> None:
    relay = sqlite_relay
    relay.accept(400)
    relay.master.settings(delay=WORK_S)
    with relay.worker():
        drained_to(relay, 80)
        relay.master.settings(delay=15.0)
        wait_until(lambda: under_way(relay) == 8, 60, "eight that take their time")
        wait_until(lambda: relay.node.count(state=State.SENDING) == 8, 8, "what was prefetched")
        assert under_way(relay) == 8, "none of them has ended"
        relay.master.settings(delay=WORK_S)


def test_what_was_put_off_by_a_clock_that_was_ahead_goes_when_the_clock_is_right(sqlite_relay: Relay) -> None:
    relay, clock = sqlite_relay, OwnClock(timedelta(hours=1))
    relay.master.script({"status": 503, "headers": {"Retry-After": "12"}})
    ids = relay.accept(1)
    with relay.worker("w1", clock):
        wait_until(lambda: relay.node.row(ids[0]).failures == 1, 30, "one that was put off")
        clock.ahead = timedelta(0)
        relay.wait_until_published(1, 40)
    relay.assert_all_there_once(ids)


def test_what_lies_ahead_goes_back_when_somebody_stops_claims_while_the_master_takes_its_time(relay: Relay) -> None:
    relay.accept(400)
    relay.master.settings(delay=WORK_S)
    clock = OwnClock()
    with relay.worker("w1", clock, SWEEP_S="10") as worker:
        drained_to(relay, 80)
        clock.stopped_at = clock.monotonic()  # nothing is prefetched for too long
        relay.master.settings(delay=15.0)
        wait_until(lambda: under_way(relay) == 8, 60, "eight that take their time")
        assert relay.node.count(state=State.SENDING) > 8
        relay.node.hold()
        worker.dispatcher.wake()
        wait_until(lambda: relay.node.count(state=State.SENDING) == 8, 8, "what lay ahead, before the next sweep")
        assert under_way(relay) == 8, "none of them has ended"
        relay.master.settings(delay=WORK_S)
