"""A name is resolved and its addresses are tried within the time of the call, whatever hangs."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters import dial
from resultsq.delivery.masters.dial import Address, Resolver, connect
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Cause
from tests.support.manual_clock import ManualClock
from tests.support.waiting import wait_until

HOST = "127.0.0.1"
FOUND: list[Address] = [(socket.AF_INET, (HOST, 1))]
IMPOSSIBLE: Address = (socket.AF_INET, ("255.255.255.255", 1))
"""A connection to all has no meaning: the system refuses to begin it."""


def call(limit_s: float = 20.0, patience_s: float | None = None) -> Call:
    return Call(SystemClock(), limit_s, patience_s)


class Names:
    """A resolver that hangs until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = threading.Event()

    def lookup(self, _host: str, _port: int) -> Sequence[Address]:
        self.asked += 1
        self.go.wait(30)
        return FOUND


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.go.set()


@pytest.mark.parametrize(("host", "family"), [("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6)])
def test_an_address_needs_no_lookup(names: Names, host: str, family: int) -> None:
    assert Resolver(host, 443, names.lookup).addresses(call()) == [(family, (host, 443))]
    assert names.asked == 0


def test_a_name_is_looked_up_for_each_call(names: Names) -> None:
    names.go.set()
    resolver = Resolver("master.test", 443, names.lookup)
    assert resolver.addresses(call()) == FOUND
    assert resolver.addresses(call()) == FOUND
    assert names.asked == 2


def test_a_nameserver_that_hangs_is_told_of_at_the_calls_end(names: Names) -> None:
    resolver = Resolver("master.test", 443, names.lookup)
    for patience_s in (None, 1.0):
        with pytest.raises(Failed, match="The nameserver did not answer in time") as late:
            resolver.addresses(call(0.3, patience_s))
        assert late.value.cause is Cause.DNS


def test_a_call_that_was_given_up_waits_for_no_name(names: Names) -> None:
    resolver, silent = Resolver("master.test", 443, names.lookup), call(patience_s=1.0)
    threading.Timer(0.1, silent.end, (Cause.SILENT,)).start()
    began = time.monotonic()
    with pytest.raises(Failed) as given_up:
        resolver.addresses(silent)
    assert given_up.value.cause is Cause.SILENT
    assert time.monotonic() - began < 10.0


def test_a_few_lookups_at_most_hang_side_by_side_and_later_calls_share_the_last(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "_LOOKUPS_AT_ONCE", 3)
    resolver = Resolver("master.test", 443, names.lookup)
    for _ in range(5):
        with pytest.raises(Failed):
            resolver.addresses(call(0.05))
    wait_until(lambda: names.asked == 3, 10, "lookups")
    time.sleep(0.1)
    assert names.asked == 3
    names.go.set()
    wait_until(lambda: not resolver._pending, 10, "their end")
    assert resolver.addresses(call()) == FOUND
    assert names.asked == 4


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "no"), UnicodeError("a label too long")])
def test_a_name_that_there_is_not_has_no_address(error: Exception) -> None:
    def lookup(_host: str, _port: int) -> Sequence[Address]:
        raise error

    with pytest.raises(socket.gaierror):
        Resolver("master.test", 443, lookup).addresses(call())


# connections


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        yield server


def at(server: socket.socket) -> Address:
    return socket.AF_INET, server.getsockname()


@pytest.fixture
def dead() -> Iterator[Address]:
    """An address at which nothing listens, and which nothing else can take meanwhile."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        yield at(sock)


@pytest.fixture
def hanging() -> Iterator[Address]:
    """An address whose connection is never made: the system drops what comes to a full queue."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((HOST, 0), backlog=0))
        stack.enter_context(socket.create_connection(server.getsockname()))
        yield at(server)


def begun_to(address: Address) -> int:
    """How many connections to it are begun and not made, as the kernel lists them."""
    far = f":{address[1][1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(far) and line[3] == "02" for line in lines)


def test_the_first_that_takes_a_connection_is_used(listening: socket.socket) -> None:
    with socket.create_server((HOST, 0)) as other, connect([at(listening), at(other)], call()) as sock:
        assert sock.getpeername() == listening.getsockname()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_dead_address_costs_the_next_one_a_moment(listening: socket.socket, dead: Address) -> None:
    with connect([dead, at(listening)], call()) as sock:
        assert sock.getpeername() == listening.getsockname()


def test_an_address_that_cannot_be_tried_is_passed_over(listening: socket.socket) -> None:
    with connect([IMPOSSIBLE, at(listening)], call()) as sock:
        assert sock.getpeername() == listening.getsockname()


def test_the_error_is_that_of_the_first(dead: Address) -> None:
    with pytest.raises(ConnectionRefusedError):
        connect([dead, IMPOSSIBLE], call())
    with pytest.raises(OSError, match=r"^\[Errno") as impossible:
        connect([IMPOSSIBLE, dead], call())
    assert not isinstance(impossible.value, ConnectionRefusedError)


def test_a_name_without_an_address_says_so() -> None:
    with pytest.raises(socket.gaierror, match="has no address"):
        connect([], call())


def test_an_address_that_hangs_is_left_at_the_calls_end_and_nothing_stays_open(hanging: Address) -> None:
    began = time.monotonic()
    with pytest.raises(Failed) as late:
        connect([hanging, hanging], call(0.7))
    assert time.monotonic() - began < 10.0
    assert begun_to(hanging) == 0
    assert late.value.cause is Cause.TIMEOUT, "kept so long: its frames would hold what is open"


def test_an_address_that_hangs_gives_way_to_the_next(listening: socket.socket, hanging: Address) -> None:
    with connect([hanging, at(listening)], call()) as sock:
        assert sock.getpeername() == listening.getsockname()


def test_a_wait_is_cut_short_for_a_call_that_may_be_given_up() -> None:
    clock = ManualClock(datetime(2013, 12, 7, tzinfo=UTC))
    patient, silent = Call(clock, 5.0, None), Call(clock, 5.0, 1.0)
    assert dial._slice_s(patient) == 5.0
    assert 0.0 < dial._slice_s(silent) < 1.0
    clock.advance(4.9)
    assert dial._slice_s(silent) == pytest.approx(0.1)
