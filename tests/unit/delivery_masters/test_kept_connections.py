"""Which connections are kept between calls, for how long, and when a request is repeated on a new one."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import pytest
import requests

from resultsq.delivery.masters.connections import KeepAlive, MasterConnections
from resultsq.delivery.masters.dial import Address
from resultsq.delivery.masters.watch import Call, Failed
from tests.support.far_side import far_side
from tests.support.manual_clock import ManualClock
from tests.support.services import HOST
from tests.support.waiting import wait_until

REQUEST = requests.Request("GET", "http://master.test/").prepare()
OK, TIRED = (f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode() for status in (200, 408))
LAST = b"HTTP/1.1 200 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
STRANGE = b"SSH-2.0-server\r\n"
CUT = b""


class FarSide:
    """`then` says what becomes of each request: its answer, or none, and the connection ends; afterwards all is well.
    `calls`: how many each connection carried."""

    def __init__(self) -> None:
        self.then: list[bytes] = []
        self.calls: list[int] = []
        self.open = 0
        self.before_an_answer: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def __call__(self, connection: socket.socket) -> None:
        with self._lock:
            number = len(self.calls)
            self.calls.append(0)
            self.open += 1
        try:
            with connection.makefile("rb") as lines:
                while self._has_asked(lines):
                    self.calls[number] += 1
                    self.before_an_answer()
                    answer = self.then.pop(0) if self.then else OK
                    connection.sendall(answer)
                    if answer in (CUT, LAST):
                        break
        finally:
            with self._lock:
                self.open -= 1

    @staticmethod
    def _has_asked(lines: BinaryIO) -> bool:
        while (line := lines.readline()) != b"\r\n":
            if not line:
                return False
        return True


class Here:
    """The connections to a master, on a clock that stands still."""

    def __init__(self, far: FarSide, port: int) -> None:
        self.far, self.at = far, cast(Address, (socket.AF_INET, (HOST, port)))
        self.clock = ManualClock(datetime(2013, 12, 7, tzinfo=UTC), monotonic=1000.0)
        self.lines = MasterConnections("http://master.test", clock=self.clock, lookup=lambda *_: [self.at])

    def call(self, **options: Any) -> Call:
        call = Call(self.clock, 60.0, None)
        self.lines.fetch(call, REQUEST, 100, **options)
        return call

    @property
    def calls(self) -> list[int]:
        return self.far.calls

    def wait_for_open(self, count: int) -> None:
        """Until so many connections are open."""
        wait_until(lambda: self.far.open == count, 10, "the end of a connection")


@pytest.fixture
def here() -> Iterator[Here]:
    far = FarSide()
    with far_side(far) as port:
        made = Here(far, port)
        yield made
        made.lines.refresh()


def test_a_connection_carries_one_call_after_the_other(here: Here) -> None:
    for _ in range(3):
        here.call()
    assert here.calls == [3]
    here.wait_for_open(1)


def test_a_new_one_is_made_where_it_is_wanted_and_the_old_one_stays(here: Here) -> None:
    here.call()
    here.call(fresh=True)
    assert here.calls == [1, 1]
    here.call(keep=False)
    assert here.calls == [1, 2], "the one that rested last"
    here.wait_for_open(1)


@pytest.mark.parametrize(("rest_s", "calls"), [(14.9, [2]), (15.0, [1, 1])])
def test_one_that_rested_for_long_is_not_used_again(here: Here, rest_s: float, calls: list[int]) -> None:
    here.call()
    here.clock.advance(rest_s)
    here.call()
    assert here.calls == calls
    here.wait_for_open(1)


def test_one_that_is_not_good_for_another_call_is_closed(here: Here) -> None:
    here.far.then = [OK, LAST]
    here.call()
    here.call()
    assert here.calls == [2]
    here.wait_for_open(0)


def test_no_more_than_sixteen_rest(here: Here) -> None:
    here.far.before_an_answer = threading.Barrier(17, timeout=30).wait
    with ThreadPoolExecutor(17) as senders:
        assert len([*senders.map(lambda _: here.call(), range(17))]) == 17
    assert here.calls == [1] * 17
    here.wait_for_open(16)


def test_those_of_before_are_closed_when_it_is_told_also_when_they_come_back_later(here: Here) -> None:
    here.call()
    go = threading.Event()
    here.far.before_an_answer = lambda: go.wait(30)
    busy = threading.Thread(target=here.call, kwargs={"fresh": True})
    busy.start()
    wait_until(lambda: here.calls == [1, 1], 10, "the second call")
    here.lines.refresh()
    here.wait_for_open(1)
    go.set()
    busy.join(10)
    here.wait_for_open(0)
    here.call()
    assert here.calls == [1, 1, 1]


# repeated on a new one


@pytest.mark.parametrize("then", [CUT, TIRED], ids=["cut", "tired"])
def test_a_kept_one_that_was_dead_is_replaced_at_once(here: Here, then: bytes) -> None:
    here.call()
    here.far.then = [then, OK]
    here.call()
    assert here.calls == [2, 1]


def test_a_new_one_that_fails_is_not_replaced(here: Here) -> None:
    here.far.then = [CUT]
    with pytest.raises(Failed):
        here.call()
    here.far.then = [TIRED]
    here.call()
    assert here.calls == [1, 1]


def test_a_kept_one_that_fails_for_another_reason_is_not_replaced(here: Here) -> None:
    here.call()
    here.far.then = [STRANGE]
    with pytest.raises(Failed):
        here.call()
    assert here.calls == [2]


def test_a_call_whose_repeat_fails_may_have_got_there_the_first_time(here: Here) -> None:
    here.call()
    here.far.then = [CUT]
    call = Call(here.clock, 60.0, None)
    with socket.socket() as dead:
        dead.bind((HOST, 0))
        here.at = (socket.AF_INET, dead.getsockname())
        with pytest.raises(Failed):
            here.lines.fetch(call, REQUEST, 100)
    assert call.sent
    here.wait_for_open(0)


def test_none_is_kept_after_two_that_were_dead_until_one_has_worked(here: Here) -> None:
    here.call()
    for _ in range(2):
        here.far.then = [CUT, OK]
        here.call()
    before = len(here.calls)
    here.call()
    here.call()
    assert len(here.calls) - before == 2, "none is kept"
    here.clock.advance(15.0)
    for _ in range(2):
        here.call()
    assert here.calls[-1] == 2, "the trial has worked"
    before = len(here.calls)
    for _ in range(4):
        here.call()
    assert len(here.calls) - before == 1


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
