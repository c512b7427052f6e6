"""A call ends by its deadline, and is taken for silent when nothing has moved for as long as its patience."""

import math
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
import structlog

from resultsq.clock import SystemClock
from resultsq.delivery.masters import watch as watch_module
from resultsq.delivery.masters.watch import Call, Failed, Watch, Wire
from resultsq.domain.outcome import Cause
from tests.support.manual_clock import ManualClock
from tests.support.waiting import wait_until

BEGAN = 100.0


class KnownWire(Wire):
    """A connection whose kernel says what the test says; `seen` None: it says nothing."""

    def __init__(self, seen: tuple[int, float] | None = (0, 0.0)) -> None:
        self.seen = seen
        self.cuts = 0

    def moved(self) -> tuple[int, float] | None:
        return self.seen

    def cut(self) -> None:
        self.cuts += 1

    def close(self) -> None:
        """It has no descriptor."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2013, 12, 7, tzinfo=UTC), monotonic=BEGAN)


@pytest.fixture
def watch(clock: ManualClock) -> Iterator[Watch]:
    made = Watch(clock, lambda: None)
    yield made
    made.close()


# one call


def test_a_call_has_its_limit_and_then_is_over(clock: ManualClock) -> None:
    call = Call(clock, 5.0, None)
    clock.advance(4.5)
    assert call.left() == 0.5
    assert call.over is None
    clock.advance(0.5)
    for _ in range(2):
        with pytest.raises(Failed, match=r"^No connection was made within 5 s\.$") as failed:
            call.left()
        assert failed.value.cause is Cause.TIMEOUT
    assert call.over is Cause.TIMEOUT


def test_a_call_that_had_a_connection_ends_for_want_of_an_answer(clock: ManualClock) -> None:
    call = Call(clock, 5.0, None)
    call.attach(KnownWire())
    clock.advance(5.0)
    with pytest.raises(Failed, match=r"^There was no whole answer within 5 s\.$") as failed:
        call.left()
    assert failed.value.cause is Cause.NO_ANSWER


def test_the_first_end_is_the_one_that_counts(clock: ManualClock) -> None:
    call, wire = Call(clock, 5.0, 1.0), KnownWire()
    call.attach(wire)
    call.end(Cause.SILENT)
    call.end(Cause.TIMEOUT)
    assert (call.over, wire.cuts) == (Cause.SILENT, 2)
    with pytest.raises(Failed, match="while a newer one worked"):
        call.left()


def test_a_call_that_was_ended_before_it_had_a_connection_takes_none(clock: ManualClock) -> None:
    call = Call(clock, 5.0, 1.0)
    call.end(Cause.SILENT)
    with pytest.raises(Failed):
        call.attach(KnownWire())


@pytest.mark.parametrize(
    ("seen", "since"),
    [
        ((7, 0.0), BEGAN),  # what the connection carried before the call is none of its
        ((8, 0.25), BEGAN + 2.75),
        ((6, 0.25), BEGAN + 2.75),
        ((8, 50.0), BEGAN),
        (None, BEGAN),
    ],
)
def test_bytes_that_moved_end_a_silence_at_the_time_of_the_last(
    clock: ManualClock, seen: tuple[int, float] | None, since: float
) -> None:
    call, wire = Call(clock, 60.0, 1.0), KnownWire((7, 0.0))
    call.attach(wire)
    clock.advance(3.0)
    wire.seen = seen
    assert call.quiet_since() == since
    clock.advance(1.0)
    assert call.quiet_since() == since, "the same bytes say nothing new"
    call.touch()
    assert call.quiet_since() == BEGAN + 4.0


def test_a_connection_of_which_nothing_is_known_began_with_nothing(clock: ManualClock) -> None:
    call, wire = Call(clock, 60.0, 1.0), KnownWire(None)
    call.attach(wire)
    clock.advance(3.0)
    wire.seen = (0, 0.0)
    assert call.quiet_since() == BEGAN
    wire.seen = (1, 0.0)
    assert call.quiet_since() == BEGAN + 3.0


def test_a_look_says_when_to_look_again_and_tells_of_each_silence_once(clock: ManualClock) -> None:
    call, wire = Call(clock, 10.0, 2.0), KnownWire()
    call.attach(wire)
    assert call.look(BEGAN + 1.5) == (BEGAN + 2.0, False)
    assert call.look(BEGAN + 2.0) == (BEGAN + 4.0, True)
    assert call.look(BEGAN + 4.0) == (BEGAN + 6.0, False)
    clock.advance(5.0)
    call.touch()
    assert call.look(BEGAN + 5.5) == (BEGAN + 7.0, False)
    assert call.look(BEGAN + 7.0) == (BEGAN + 9.0, True)
    assert call.look(BEGAN + 9.0) == (BEGAN + 10.0, False), "the deadline is nearer"
    assert wire.cuts == 0
    assert call.look(BEGAN + 10.0) == (math.inf, False)
    assert (wire.cuts, call.over) == (1, Cause.TIMEOUT)


def test_a_call_that_speaks_now_and_then_is_looked_at_by_its_deadline(clock: ManualClock) -> None:
    call = Call(clock, 3.0, 2.0)
    clock.advance(2.0)
    call.touch()
    assert call.look(BEGAN + 2.5) == (BEGAN + 3.0, False)


def test_nobody_looks_at_a_call_without_patience_before_its_deadline(clock: ManualClock) -> None:
    call = Call(clock, 10.0, None)
    assert call.look(BEGAN + 9.5) == (BEGAN + 10.0, False)


# what the kernel says


class Kernel:
    """A socket of whose connection the kernel says this, in the layout of linux/tcp.h."""

    def __init__(self, acknowledged: int, received: int, sent_ms: int, data_ms: int, ack_ms: int) -> None:
        words = [0] * 24
        words[9:13] = sent_ms, 0, data_ms, ack_ms
        self.info = struct.pack("=8B24I4Q", *[0] * 8, *words, 0, 0, acknowledged, received)

    def getsockopt(self, _level: int, _option: int, size: int) -> bytes:
        return self.info[:size]

    def close(self) -> None:
        """There is none."""


@pytest.fixture
def wire() -> Iterator[Wire]:
    with socket.socket() as sock:
        made = Wire(sock.fileno())
    made._sock.close()
    yield made
    made.close()


def test_the_kernel_tells_what_the_far_side_took_and_gave_and_when_it_was_heard_last(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_TCP_INFO", 11)
    for data_ms, ack_ms in ((4000, 1500), (1500, 4000)):
        monkeypatch.setattr(wire, "_sock", Kernel(1000, 234, 1, data_ms, ack_ms))
        assert wire.moved() == (1234, 1.5)


def test_nothing_is_known_of_a_connection_where_the_kernel_does_not_tell(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(1000, 234, 1, 2, 3)
    monkeypatch.setattr(wire, "_sock", kernel)
    monkeypatch.setattr(watch_module, "_TCP_INFO", None)
    assert wire.moved() is None
    monkeypatch.setattr(watch_module, "_TCP_INFO", 11)
    kernel.info = kernel.info[:-1]
    assert wire.moved() is None, "an old one tells less"


def test_nothing_is_known_of_a_connection_that_is_closed(wire: Wire) -> None:
    assert wire.moved() is None
    wire.cut()


# several calls


def test_only_calls_that_have_run_out_of_patience_and_are_older_are_given_up(clock: ManualClock, watch: Watch) -> None:
    wires = {name: KnownWire() for name in ("quiet", "patient", "lively", "unwatched")}
    patience = {"quiet": 2.0, "patient": 4.0, "lively": 2.0, "unwatched": None}
    with ExitStack() as stack:
        calls = {name: stack.enter_context(watch.call(60.0, most)) for name, most in patience.items()}
        for name, call in calls.items():
            call.attach(wires[name])
        clock.advance(1.5)
        calls["lively"].touch()
        clock.advance(1.0)
        assert watch.abort_stalled(clock.monotonic()) == 1
        assert [name for name, call in calls.items() if call.over] == ["quiet"]
        assert [name for name, wire in wires.items() if wire.cuts] == ["quiet"]


def test_a_call_that_moved_as_the_newer_connection_began_is_not_given_up(clock: ManualClock, watch: Watch) -> None:
    with watch.call(60.0, 2.0) as call:
        clock.advance(2.0)
        assert watch.abort_stalled(BEGAN) == 0
        assert call.over is None
        assert watch.abort_stalled(BEGAN + 0.1) == 1, "its patience has just run out"


def test_a_listener_that_fails_does_not_keep_calls_from_ending() -> None:
    told = threading.Event()

    def fail() -> None:
        told.set()
        raise KeyError("a fault of ours")

    watch, wire = Watch(SystemClock(), fail), KnownWire()
    with structlog.testing.capture_logs() as lines, watch.call(1.0, 0.1) as call:
        call.attach(wire)
        assert told.wait(10)
        wait_until(lambda: call.over is Cause.TIMEOUT, 10, "its end")
        assert wire.cuts == 1
    watch.close()
    assert {line["event"] for line in lines} == {"delivery.silence_untold"}


def test_the_thread_ends_when_it_is_closed_and_the_last_call_has_ended() -> None:
    watch = Watch(SystemClock(), lambda: None)
    with watch.call(60.0):
        thread = watch._thread
        assert thread is not None
        watch.close()
        assert thread.is_alive(), "a call is under way"
    thread.join(10)
    assert not thread.is_alive()
    wire = KnownWire()
    with watch.call(1.0) as call:
        call.attach(wire)
        wait_until(lambda: wire.cuts == 1, 10, "the end of a call that began after it was closed")
    thread = watch._thread
    assert thread is not None
    watch.close()
    assert not thread.is_alive(), "nothing was under way, so it was waited for"


def test_one_that_watched_nothing_can_be_closed(clock: ManualClock) -> None:
    Watch(clock, lambda: None).close()


def test_one_thread_serves_the_calls_that_follow_each_other(watch: Watch) -> None:
    threads = set()
    for _ in range(3):
        with watch.call(60.0):
            threads.add(id(watch._thread))
    assert len(threads) == 1
