"""The dispatcher, one step at a time: when it rests, what it does now and then, and what it makes of a silence."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest
import structlog
from sqlalchemy import Connection, update

from resultsq.delivery import dispatch, sender
from resultsq.delivery.dispatch import Dispatcher
from resultsq.domain import clock_steps
from resultsq.domain.errors import StoreUnavailable
from resultsq.domain.outcome import Cause, Outcome
from resultsq.domain.ports import Parcel
from resultsq.domain.submission import State
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import workers
from tests.support.manual_clock import ManualClock
from tests.support.nodes import CEILING, StoreNode, accepted
from tests.support.waiting import wait_until

T = TypeVar("T")


class FarSide:
    """A master that notes what is asked of its connections."""

    def __init__(self) -> None:
        self.on_stalled: Callable[[], None] = lambda: None
        self.refreshed = 0
        self.aborts: list[float] = []
        self.dead = 1

    def send(self, parcel: Parcel, patience_s: float = 2.0) -> Outcome:
        raise AssertionError("nothing is sent in these tests")

    def refresh(self) -> None:
        self.refreshed += 1

    def abort_stalled(self, began_before: float) -> int:
        self.aborts.append(began_before)
        return self.dead


class Here:
    """A node, and a dispatcher whose thread does not run."""

    def __init__(self, database: Database) -> None:
        self.node = StoreNode(database)
        self.node.probe()
        self.clock = ManualClock(self.node.now, monotonic=1000.0)
        self.master = FarSide()
        self.dispatcher = Dispatcher(database, self.master, self.clock, "w1", CEILING, 1.0)  # type: ignore[arg-type]

    def cycle(self, free: int = 0) -> None:
        self.dispatcher._run_cycle(free)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.node.now = self.clock.now()


@pytest.fixture
def here(sqlite_store: Database) -> Iterator[Here]:
    made = Here(sqlite_store)
    yield made
    made.dispatcher._senders.close()


# its own name's leases


def test_what_its_name_held_before_is_voided_and_told(sqlite_store: Database) -> None:
    here = Here(sqlite_store)
    made = [here.node.accept(date=day).id for day in ("2013-12-07", "2013-12-14")]
    assert len(here.node.claim("w1")) == 2
    here.node.hold()  # so that none is claimed again
    with structlog.testing.capture_logs() as lines:
        here.dispatcher.start()
        wait_until(lambda: {here.node.state(one) for one in made} == {State.QUEUED}, 30, "the end of its leases")
        here.dispatcher.stop()
    assert [line["count"] for line in lines if line["event"] == "leases.voided"] == [2]


def test_a_worker_that_stops_is_no_more_among_those_that_live(sqlite_store: Database) -> None:
    here = Here(sqlite_store)

    def names() -> list[str]:
        with sqlite_store.read() as conn:
            return [name for name, *_ in workers.every(conn)]

    here.dispatcher.start()
    wait_until(lambda: names() == ["w1"], 30, "a sign of life")
    here.dispatcher.stop()
    assert names() == []


# rest


def test_it_rests_while_the_link_is_down_and_runs_a_cycle_every_five_seconds(here: Here) -> None:
    here.cycle()
    assert not here.dispatcher._may_rest(), "the link is up"
    here.node.probe(Cause.REFUSED)
    assert here.dispatcher._may_rest()
    here.pass_time(dispatch.REST_S - 0.1)
    assert here.dispatcher._may_rest()
    here.pass_time(0.1)
    assert not here.dispatcher._may_rest()


def test_it_does_not_rest_with_anything_of_its_own_at_hand(here: Here) -> None:
    here.cycle()
    here.node.probe(Cause.REFUSED)
    for name, value in (
        ("_unsettled", [object()]),
        ("_cancelled", [object()]),
        ("_unsure", True),
        ("_silences", [(1, 1.0)]),
    ):
        before = getattr(here.dispatcher, name)
        setattr(here.dispatcher, name, value)
        assert not here.dispatcher._may_rest(), name
        setattr(here.dispatcher, name, before)
    here.dispatcher._senders._out = 1
    assert not here.dispatcher._may_rest()
    here.dispatcher._senders._out = 0
    assert here.dispatcher._may_rest()


# the link's return


def test_old_connections_are_let_go_once_for_each_return_of_the_link(here: Here) -> None:
    here.cycle()
    before = here.master.refreshed
    here.node.probe(Cause.REFUSED)
    here.node.probe()
    here.pass_time(1.0)
    here.cycle()
    assert here.master.refreshed == before + 1
    here.cycle()
    assert here.master.refreshed == before + 1


# a commit whose answer is lost


def cycle_without_an_answer(here: Here, free: int = 0) -> None:
    """Its transaction is committed, and the answer to that is lost."""
    write = here.node.database.write

    def lose_the_answer(work: Callable[[Connection], T], what: Any = "other") -> T:
        write(work, what)
        raise StoreUnavailable("The answer was lost.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(here.node.database, "write", lose_the_answer)
        with pytest.raises(StoreUnavailable):
            here.cycle(free)


def test_what_a_cycle_may_have_claimed_is_released_when_its_commit_had_no_answer(here: Here) -> None:
    one = here.node.accept().id
    cycle_without_an_answer(here, free=1)
    assert here.node.state(one) is State.SENDING
    assert not here.dispatcher._may_rest()
    here.cycle()
    assert here.node.state(one) is State.QUEUED
    assert here.node.row(one).attempts == 0, "nothing was sent"


def test_only_a_cycle_after_one_without_an_answer_looks_for_leases_that_it_does_not_know(here: Here) -> None:
    one = here.node.accept().id
    here.node.claim("w1")
    here.cycle()
    here.cycle()
    assert here.node.state(one) is State.SENDING
    cycle_without_an_answer(here)
    here.cycle()
    assert here.node.state(one) is State.QUEUED
    here.node.claim("w1")
    here.cycle()
    assert here.node.state(one) is State.SENDING, "once"


# now and then


def test_it_says_every_five_seconds_that_it_lives(here: Here) -> None:
    def seen() -> list[Any]:
        with here.node.database.read() as conn:
            return [at for _, _, at in workers.every(conn)]

    here.dispatcher._try_housekeeping()
    first = here.clock.now()
    assert seen() == [first]
    here.pass_time(dispatch.HOUSEKEEPING_S - 0.1)
    here.dispatcher._try_housekeeping()
    assert seen() == [first]
    here.pass_time(0.1)
    here.dispatcher._try_housekeeping()
    assert seen() == [here.clock.now()]


def test_a_fault_in_what_it_does_now_and_then_is_logged_and_a_store_that_is_away_is_told(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(error: Exception) -> None:
        def now() -> None:
            raise error

        here.pass_time(dispatch.HOUSEKEEPING_S)
        monkeypatch.setattr(here.clock, "now", now)
        here.dispatcher._try_housekeeping()

    with structlog.testing.capture_logs() as lines:
        fails(KeyError("a fault of ours"))
    assert [line["event"] for line in lines] == ["dispatch.housekeeping_failed"]
    monkeypatch.undo()
    with pytest.raises(StoreUnavailable):
        fails(StoreUnavailable("It does not answer."))


def test_waits_are_mended_each_minute_and_at_once_after_the_clock_was_set_back(here: Here) -> None:
    made = here.node.accept().id

    def looks(after_s: float, step_s: float = 0.0) -> bool:
        """Whether a wait that ends further ahead than it is long is ended."""
        here.pass_time(after_s)
        here.clock.step(step_s)
        ahead = {"next_attempt_at": here.clock.now() + timedelta(hours=1), "wait_s": 1.0}
        here.node.database.write(lambda conn: conn.execute(update(Submission).values(**ahead)))
        with structlog.testing.capture_logs() as lines:
            here.dispatcher._housekeeping()
        did = here.node.row(made).next_attempt_at is None
        assert [line["waits_ended"] for line in lines if line["event"] == "clock.stepped"] == [1] * did
        return did

    assert looks(0.0), "the first time"
    assert not looks(dispatch.MEND_S - 1.0)
    assert looks(1.0)
    assert not looks(1.0, step_s=-clock_steps.SLACK_S), "two machines' clocks differ by so much"
    assert looks(1.0, step_s=-clock_steps.SLACK_S - 0.1)
    assert not looks(1.0), "once for each step"
    assert not looks(1.0, step_s=3600.0), "a clock that was set on ends no wait too late"
    assert looks(1.0, step_s=-3600.0)


# silence


def stalled(here: Here) -> float:
    """A call has fallen silent; when."""
    here.dispatcher._senders._out = 1
    here.master.on_stalled()
    at = here.clock.monotonic()
    here.pass_time(0.2)
    here.dispatcher._notice_silences()
    return at


def test_a_silent_call_asks_for_a_probe_and_is_given_up_once_a_newer_one_gets_through(here: Here) -> None:
    at = stalled(here)
    assert here.node.link().suspect
    assert here.master.aborts == [], "no newer probe has got through"
    assert not here.dispatcher._may_rest()
    here.node.probe()
    here.dispatcher._notice_silences()
    assert here.master.aborts == [at]
    assert here.master.refreshed == 1, "the connections that rest are as old"
    here.dispatcher._notice_silences()
    assert here.master.aborts == [at], "once"


def test_connections_are_kept_when_the_silent_call_has_spoken_again(here: Here) -> None:
    here.master.dead = 0
    stalled(here)
    here.node.probe()
    here.dispatcher._notice_silences()
    assert len(here.master.aborts) == 1
    assert here.master.refreshed == 0


def test_a_silence_is_forgotten_when_no_call_is_under_way(here: Here) -> None:
    stalled(here)
    here.dispatcher._senders._out = 0
    here.dispatcher._notice_silences()
    here.dispatcher._senders._out = 1
    here.node.probe()
    here.dispatcher._notice_silences()
    assert here.master.aborts == []


# news


def test_all_news_is_taken_at_once_and_a_ring_is_no_end(here: Here) -> None:
    here.node.accept()
    lease = here.node.claim_one()
    end = sender.settlement(lease, accepted(lease), 0.1, 0.5)
    here.dispatcher.wake()
    here.dispatcher._news.put((lease, end))
    here.dispatcher.wake()
    here.dispatcher._listen(0.0)
    assert here.dispatcher._unsettled == [(lease, end)]
    assert here.dispatcher._news.empty()
    here.cycle()
    assert here.node.state(lease.submission) is State.PUBLISHED
    assert here.dispatcher._unsettled == []
