"""Handing on, one look at a time: when it begins, what each answer of a relay leads to, and which relay is next."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
import structlog
from sqlalchemy import Row, select

from resultsq.delivery import handing_on
from resultsq.delivery.handing_on import HandingOn
from resultsq.delivery.masters.relay import HttpRelay
from resultsq.domain.outcome import Cause, Rejected
from resultsq.domain.ports import Parcel
from resultsq.domain.relay import MOST_UNANSWERED, InCustody, Known, NoAnswer, NotKnown, RefusedThere, RelayAnswer
from resultsq.domain.submission import State
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Handover
from resultsq.store.outbox import handovers
from resultsq.store.outbox.handovers import CALL_S
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode

AFTER_S = 30.0
HOURS = 3600.0
UNSENT, SENT = NoAnswer("Nothing listens.", sent=False), NoAnswer("It was cut.", sent=True)


class ARelay:
    """Answers each sheet and each question so; a call takes `work_s` of the clock."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.sheet: RelayAnswer = InCustody()
        self.question: RelayAnswer = InCustody()
        self.handed: list[str] = []
        self.asked: list[str] = []
        self.work_s = 0.0
        self.most_s = 1.0
        self.closed = False
        self.meanwhile: Callable[[], None] = lambda: None

    def hand_over(self, parcel: Parcel, via: Sequence[str]) -> RelayAnswer:
        self.handed.append(parcel.submission)
        self._clock.advance(self.work_s)
        self.meanwhile()
        return self.sheet

    def look(self, parcel: Parcel) -> RelayAnswer:
        self.asked.append(parcel.submission)
        return self.question

    def longest_s(self, parcel: Parcel, only_asks: bool) -> float:
        return self.most_s

    def close(self) -> None:
        self.closed = True


class Laptop:
    """A node whose link is down, and its part of handing on, whose thread does not run."""

    def __init__(self, database: Database, relays: int = 2, after_s: float = 0.0) -> None:
        self.node = StoreNode(database)
        self.clock = ManualClock(NOW, monotonic=1000.0)
        self.relays = {f"relay-{n}": ARelay(self.clock) for n in range(1, relays + 1)}
        self.settled = 0
        self.work = HandingOn(
            database, self.clock, "w1", cast(dict[str, HttpRelay], self.relays), after_s, self._changed
        )
        self.node.probe(Cause.REFUSED)

    def _changed(self) -> None:
        self.settled += 1

    @property
    def first(self) -> ARelay:
        return self.relays["relay-1"]

    @property
    def second(self) -> ARelay:
        return self.relays["relay-2"]

    def accept(self, count: int = 1) -> list[str]:
        self.node.now = self.clock.now()
        days = [(NOW - timedelta(days=7 * (n + 1))).date().isoformat() for n in range(count)]
        return [self.node.accept(date=day, event="bushy").id for day in days]

    def look(self, after_s: float = 0.0) -> None:
        self.clock.advance(after_s)
        self.work.look()

    def rows(self) -> list[Row[Any]]:
        with self.node.database.read() as conn:
            return list(conn.execute(select(Handover).order_by(Handover.seq)))

    def due_in_s(self) -> list[float | None]:
        now = self.clock.now()
        return [row.due_at and (row.due_at - now).total_seconds() for row in self.rows()]


@pytest.fixture
def laptop(sqlite_store: Database) -> Iterator[Laptop]:
    with structlog.testing.capture_logs():
        yield Laptop(sqlite_store)


# when it begins


def test_each_look_goes_on_behind_those_that_were_handed_over(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handovers, "_WINDOW", 2)
    monkeypatch.setattr(handing_on, "AT_ONCE", 2)
    ids = laptop.accept(7)
    for _ in range(4):  # one to see whether the relay takes anything, then two at a time
        laptop.look()
    assert laptop.first.handed == ids


def test_nothing_is_handed_on_before_the_master_has_been_away_for_so_long(sqlite_store: Database) -> None:
    laptop = Laptop(sqlite_store, after_s=AFTER_S)
    laptop.accept()
    laptop.look()
    laptop.look(AFTER_S - 0.1)
    assert laptop.first.handed == []
    laptop.look(0.1)
    assert len(laptop.first.handed) == 1


def test_the_time_begins_anew_with_each_outage(sqlite_store: Database) -> None:
    laptop = Laptop(sqlite_store, after_s=AFTER_S)
    laptop.accept()
    laptop.look()
    laptop.clock.advance(AFTER_S)
    laptop.node.now = laptop.clock.now()
    laptop.node.probe()
    laptop.look()
    laptop.node.probe(Cause.REFUSED)
    laptop.look()
    laptop.look(AFTER_S - 0.1)
    assert laptop.first.handed == []
    laptop.look(0.1)
    assert len(laptop.first.handed) == 1


# how many at once


def test_one_is_tried_first_and_several_go_once_the_relay_has_taken_one(laptop: Laptop) -> None:
    made = laptop.accept(15)
    laptop.look()
    assert laptop.first.handed == made[:1]
    laptop.look(1.0)
    assert laptop.first.handed == made[:11], "ten at once"
    laptop.look(1.0)
    assert laptop.first.handed == made
    laptop.look(1.0)
    assert laptop.first.handed == made, "each once"
    assert laptop.second.handed == []


def test_what_was_released_behind_the_look_is_found_again(laptop: Laptop) -> None:
    held = laptop.accept()
    laptop.node.act("hold", *held)
    later = laptop.node.accept("richmond").id
    laptop.look()
    assert laptop.first.handed == [later]
    laptop.node.act("release", *held)
    laptop.look(1.0)
    laptop.look(1.0)
    assert laptop.first.handed == [later, *held]


# what the answers lead to


def test_what_is_in_custody_is_asked_about_less_and_less_often(laptop: Laptop) -> None:
    (one,) = laptop.accept()
    laptop.look()
    assert laptop.due_in_s() == [30.0]
    laptop.look(29.9)
    assert laptop.first.asked == []
    laptop.look(0.1)
    assert laptop.first.asked == [one]
    assert laptop.due_in_s() == [45.0]


def test_what_the_master_decided_settles_it_here_and_wakes_the_worker(laptop: Laptop) -> None:
    (one,) = laptop.accept()
    laptop.first.sheet = Known(Rejected("gone", "No."))
    laptop.look()
    assert laptop.node.state(one) is State.REJECTED
    assert laptop.settled == 1
    assert laptop.due_in_s() == [None]


def test_a_settlement_for_which_it_is_too_early_is_asked_for_again_at_once(laptop: Laptop) -> None:
    (one,) = laptop.accept()

    def link_returns() -> None:
        laptop.node.now = laptop.clock.now()
        laptop.node.probe()
        laptop.node.claim_one()

    laptop.first.sheet = Known(Rejected("gone", "No."))
    laptop.first.meanwhile = link_returns
    laptop.look()
    assert laptop.node.state(one) is State.SENDING
    assert laptop.settled == 0
    assert laptop.due_in_s() == [handing_on.LOOK_S]


def test_what_a_relay_has_lost_is_handed_to_it_again(laptop: Laptop) -> None:
    (one,) = laptop.accept()
    laptop.look()
    laptop.first.question = NotKnown()
    laptop.look(30.0)
    assert laptop.due_in_s() == [0.0]
    laptop.look()
    assert laptop.first.handed == [one, one]
    assert laptop.second.handed == []


@pytest.mark.parametrize("answer", [RefusedThere("403 No."), UNSENT])
def test_a_relay_that_took_nothing_is_left_alone_and_the_next_one_is_used(laptop: Laptop, answer: RelayAnswer) -> None:
    (one,) = laptop.accept()
    laptop.first.sheet = answer
    laptop.look()
    assert laptop.rows() == []
    assert not laptop.node.row(one).in_doubt, "it was not there"
    laptop.look(1.0)
    assert laptop.second.handed == [one]
    other = laptop.node.accept("richmond").id
    laptop.look(handing_on.REST_S - 1.1)
    assert laptop.first.handed == [one]
    assert laptop.second.handed == [one, other]
    last = laptop.node.accept("wimbledon").id
    laptop.look(0.1)
    assert laptop.first.handed == [one, last]


def test_the_rest_is_taken_back_when_a_relay_stops_taking(laptop: Laptop) -> None:
    made = laptop.accept(5)
    laptop.look()
    laptop.first.sheet = RefusedThere("403 No.")
    laptop.look(1.0)
    assert laptop.first.handed == made[:2]
    assert [row.relay for row in laptop.rows()] == ["relay-1"]
    assert laptop.node.count(in_doubt=True) == 1
    laptop.look(1.0)
    laptop.look(1.0)
    assert laptop.second.handed == made[1:]
    assert "relay-1" not in laptop.work._works


def test_a_relay_that_will_not_publish_what_it_has_is_asked_no_more(laptop: Laptop) -> None:
    laptop.accept()
    laptop.look()
    laptop.first.question = RefusedThere("410 Withdrawn.", gone=True)
    laptop.look(30.0)
    assert [(row.kept_at, row.due_at) for row in laptop.rows()] == [(None, None)]
    laptop.look(HOURS)
    assert len(laptop.first.asked) == 1


def test_a_relay_that_refuses_a_question_is_asked_again_later(laptop: Laptop) -> None:
    laptop.accept()
    laptop.look()
    laptop.first.question = RefusedThere("401 Who?")
    laptop.look(30.0)
    assert [row.kept_at is not None for row in laptop.rows()] == [True]
    assert laptop.due_in_s() == [45.0]


# no answer


def test_a_sheet_that_may_have_got_there_is_repeated_there_and_goes_elsewhere_after_a_few(laptop: Laptop) -> None:
    (one,) = laptop.accept()
    laptop.first.sheet = SENT
    for tries in range(1, MOST_UNANSWERED + 1):
        laptop.look(handing_on.REST_S)
        assert (len(laptop.first.handed), laptop.due_in_s()) == (tries, [handing_on.REST_S])
        assert laptop.second.handed == []
        assert laptop.node.row(one).in_doubt
    laptop.look(handing_on.REST_S)
    assert [row.relay for row in laptop.rows()] == ["relay-2"]
    laptop.look()
    assert laptop.second.handed == [one]


def test_a_repeated_call_of_which_nothing_left_stays_in_doubt(laptop: Laptop) -> None:
    (one,) = laptop.accept()
    laptop.first.sheet = SENT
    laptop.look()
    laptop.first.sheet = UNSENT
    laptop.look(handing_on.REST_S)
    assert len(laptop.rows()) == 1
    assert laptop.node.row(one).in_doubt


def test_what_is_in_custody_goes_elsewhere_when_its_relay_is_gone_for_good(laptop: Laptop) -> None:
    (one,) = laptop.accept()
    laptop.look()
    laptop.first.question = SENT
    for _ in range(MOST_UNANSWERED):
        assert laptop.second.handed == []
        laptop.look(300.0)
    laptop.look()
    assert laptop.second.handed == [one]


def test_without_another_relay_the_same_is_asked_less_and_less_often(sqlite_store: Database) -> None:
    laptop = Laptop(sqlite_store, relays=1)
    laptop.accept()
    laptop.look()
    laptop.first.question = SENT
    waits = []
    for _ in range(MOST_UNANSWERED + 1):
        laptop.look(300.0)
        waits += laptop.due_in_s()
    assert waits == [45.0, 67.5, 101.25, 151.875]


def test_what_is_at_a_relay_that_is_no_more_in_the_settings_goes_to_another(sqlite_store: Database) -> None:
    laptop = Laptop(sqlite_store)
    (one,) = laptop.accept()
    laptop.look()
    del laptop.relays["relay-1"]
    laptop.look(30.0)
    laptop.look()
    assert laptop.second.handed == [one]


# time


def test_calls_behind_a_slow_one_are_renewed_so_that_no_other_worker_makes_them(laptop: Laptop) -> None:
    laptop.accept(4)
    laptop.look()
    left_s: list[float] = []

    def note() -> None:
        now = laptop.clock.now()
        left_s.extend((row.due_at - now).total_seconds() for row in laptop.rows() if row.kept_at is None)

    laptop.first.work_s, laptop.first.most_s, laptop.first.meanwhile = 50.0, 60.0, note
    laptop.look(1.0)
    assert len(laptop.first.handed) == 4
    assert min(left_s) > 0.0


def test_a_call_that_alone_is_longer_than_its_lease_is_renewed(laptop: Laptop) -> None:
    laptop.accept()
    left_s: list[float] = []
    laptop.first.work_s, laptop.first.most_s = CALL_S + 10.0, CALL_S + 20.0
    laptop.first.meanwhile = lambda: left_s.extend(one for one in laptop.due_in_s() if one is not None)
    laptop.look()
    assert left_s == [CALL_S + 10.0], "its own length and a lease"


def test_what_is_at_a_relay_is_asked_about_at_once_after_a_start(sqlite_store: Database) -> None:
    laptop = Laptop(sqlite_store)
    (one,) = laptop.accept()
    laptop.look()
    again = HandingOn(sqlite_store, laptop.clock, "w2", cast(dict[str, HttpRelay], laptop.relays), 0.0, laptop._changed)
    again.look()
    again.look()
    assert laptop.first.asked == [one], "once"


def test_every_relay_is_closed_when_it_stops(laptop: Laptop) -> None:
    laptop.work.stop()
    assert all(relay.closed for relay in laptop.relays.values())
