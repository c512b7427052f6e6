"""Which connections are kept between calls, for how long, and when a request is repeated on a new one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import requests

from resultsq.delivery.masters import connections
from resultsq.delivery.masters.answers import Answer
from resultsq.delivery.masters.connections import KeepAlive, MasterConnections
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Cause
from tests.support.manual_clock import ManualClock

REQUEST = requests.PreparedRequest()
OK, TIRED = Answer(200), Answer(408)
CUT = Cause.RESET


class Line:
    """One connection. `then` says what becomes of each call: an answer, or the cause of its failure."""

    made: list["Line"]
    then: list[Answer | Cause]

    def __init__(self, _address: object, _tls: object, _resolver: object, generation: int, _proxy: object) -> None:
        self.generation = generation
        self.rested_since = 0.0
        self.connected = True
        self.reused = False
        self.calls = self.closed = 0
        self.made.append(self)

    def fetch(self, call: Call, request: requests.PreparedRequest, limit: int) -> Answer:
        self.reused = self.calls > 0
        self.calls += 1
        what = self.then.pop(0) if self.then else OK
        if isinstance(what, Cause):
            self.connected = False
            raise Failed(what, "It ended.")
        return what

    def close(self) -> None:
        self.closed += 1


class Here:
    """The connections to a master, on a clock that stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2013, 12, 7, tzinfo=UTC), monotonic=1000.0)
        self.lines = MasterConnections("http://master.test", clock=self.clock)

    def call(self, **options: Any) -> Call:
        call = Call(self.clock, 60.0, None)
        self.lines.fetch(call, REQUEST, 100, **options)
        return call

    @property
    def calls(self) -> list[int]:
        """How many each connection carried."""
        return [line.calls for line in Line.made]

    @property
    def open(self) -> int:
        return sum(not line.closed for line in Line.made)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.setattr(Line, "made", [], raising=False)
    monkeypatch.setattr(Line, "then", [], raising=False)
    monkeypatch.setattr(connections, "MasterConnection", Line)
    made = Here()
    yield made
    made.lines.refresh()


def test_a_connection_carries_one_call_after_the_other(here: Here) -> None:
    for _ in range(3):
        here.call()
    assert (here.calls, here.open) == ([3], 1)


def test_a_new_one_is_made_where_it_is_wanted_and_the_old_one_stays(here: Here) -> None:
    here.call()
    here.call(fresh=True)
    assert here.calls == [1, 1]
    here.call(keep=False)
    assert (here.calls, here.open) == ([1, 2], 1), "the one that rested last"


@pytest.mark.parametrize(("rest_s", "calls"), [(14.9, [2]), (15.0, [1, 1])])
def test_one_that_rested_for_long_is_not_used_again(here: Here, rest_s: float, calls: list[int]) -> None:
    here.call()
    here.clock.advance(rest_s)
    here.call()
    assert (here.calls, here.open) == (calls, 1)


def test_one_that_is_not_good_for_another_call_is_closed(here: Here) -> None:
    here.call()
    Line.made[0].connected = False
    here.call()
    assert (here.calls, here.open) == ([2], 0)


def test_no_more_than_sixteen_rest(here: Here) -> None:
    lines = [here.lines._new() for _ in range(17)]
    assert [here.lines._keep(line) for line in lines] == [True] * 16 + [False]


def test_those_of_before_are_closed_when_it_is_told_also_when_they_come_back_later(here: Here) -> None:
    here.call()
    busy = here.lines._new()
    here.lines.refresh()
    assert not here.lines._keep(busy)
    here.call()
    assert here.calls == [1, 0, 1]
    assert Line.made[0].closed == 1


# repeated on a new one


@pytest.mark.parametrize("then", [CUT, TIRED])
def test_a_kept_one_that_was_dead_is_replaced_at_once(here: Here, then: Answer | Cause) -> None:
    here.call()
    Line.then = [then, OK]
    here.call()
    assert here.calls == [2, 1]


def test_a_new_one_that_fails_is_not_replaced(here: Here) -> None:
    Line.then = [CUT]
    with pytest.raises(Failed):
        here.call()
    Line.then = [TIRED]
    here.call()
    assert here.calls == [1, 1]


def test_a_kept_one_that_fails_for_another_reason_is_not_replaced(here: Here) -> None:
    here.call()
    Line.then = [Cause.NO_ANSWER]
    with pytest.raises(Failed):
        here.call()
    assert here.calls == [2]


def test_a_call_whose_repeat_fails_may_have_got_there_the_first_time(here: Here) -> None:
    here.call()
    Line.then = [CUT, Cause.REFUSED]
    call = Call(here.clock, 60.0, None)
    with pytest.raises(Failed):
        here.lines.fetch(call, REQUEST, 100)
    assert call.sent
    assert here.open == 0


def test_none_is_kept_after_two_that_were_dead_until_one_has_worked(here: Here) -> None:
    here.call()
    for _ in range(2):
        Line.then = [CUT, OK]
        here.call()
    before = len(Line.made)
    here.call()
    here.call()
    assert len(Line.made) - before == 2, "none is kept"
    here.clock.advance(15.0)
    for _ in range(2):
        here.call()
    assert Line.made[-1].calls == 2, "the trial has worked"
    before = len(Line.made)
    for _ in range(4):
        here.call()
    assert len(Line.made) - before == 1


# the rule


def keep_alive() -> tuple[KeepAlive, ManualClock]:
    clock = ManualClock(datetime(2013, 12, 7, tzinfo=UTC), monotonic=1000.0)
    return KeepAlive(cast(Any, clock)), clock


def test_one_that_was_dead_is_no_sign() -> None:
    rule, _ = keep_alive()
    rule.died()
    assert rule.may_keep()
    rule.worked()
    rule.died()
    assert rule.may_keep(), "not in a row"


def test_one_is_tried_every_fifteen_seconds() -> None:
    rule, clock = keep_alive()
    rule.died()
    rule.died()
    assert not rule.may_keep()
    clock.advance(14.9)
    assert not rule.may_keep()
    clock.advance(0.1)
    assert [rule.may_keep() for _ in range(2)] == [True, False]
    clock.advance(14.9)
    assert not rule.may_keep()
    clock.advance(0.1)
    assert rule.may_keep()
    rule.died()
    clock.advance(14.9)
    assert not rule.may_keep(), "the trial was dead, too"
    rule.worked()
    assert [rule.may_keep() for _ in range(2)] == [True, True]
