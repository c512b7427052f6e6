"""What a proxy says before the way to the master is open, byte for byte."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest

from resultsq.delivery.masters.tunnel import open_through
from resultsq.delivery.masters.watch import Call, Failed
from resultsq.domain.outcome import Cause
from resultsq.domain.proxy import Proxy
from tests.support.manual_clock import ManualClock

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"
OPEN = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"
PROXY = cast(Proxy, Proxy.parse("http://me:word@proxy.test:1"))
LONGEST = 16 * 1024


class ProxySide:
    """A proxy that has said all that it will say, and the node's end of the connection to it."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()

    def open(self, answer: bytes, host: str = "master.test", limit_s: float = 5.0) -> None:
        self.far.sendall(answer)
        clock = ManualClock(datetime(2013, 12, 7, tzinfo=UTC))
        open_through(self.near, PROXY, host, 443, Call(clock, limit_s, None))

    def asked(self) -> list[str]:
        return self.far.recv(4096).decode().split("\r\n")

    def refuses(self, answer: bytes) -> Failed:
        with pytest.raises(Failed) as refused:
            self.open(answer)
        return refused.value


@pytest.fixture
def proxy() -> Iterator[ProxySide]:
    made = ProxySide()
    with made.near, made.far:
        yield made


def test_nothing_of_what_the_master_says_is_read(proxy: ProxySide) -> None:
    proxy.open(OPEN + b"the master's")
    assert proxy.near.recv(100) == b"the master's"
    first, *headers, end, rest = proxy.asked()
    assert first == "CONNECT master.test:443 HTTP/1.1"
    assert headers[:2] == ["Host: master.test:443", "User-Agent: resultsq"]
    assert [one for one in headers if one.startswith("Proxy-Authorization: Basic ")]
    assert (end, rest) == ("", "")


def test_an_address_of_the_sixth_version_is_named_in_brackets(proxy: ProxySide) -> None:
    proxy.open(OPEN, host="2001:db8::1")
    assert proxy.asked()[0] == "CONNECT [2001:db8::1]:443 HTTP/1.1"


@pytest.mark.parametrize("status", [200, 204, 299])
def test_the_way_is_open_by_any_status_that_says_so(proxy: ProxySide, status: int) -> None:
    proxy.open(f"HTTP/1.0 {status} \r\n\r\n".encode())


@pytest.mark.parametrize(("status", "said"), [(300, "(300 Elsewhere)"), (502, "(502 Elsewhere)"), (407, "(407)")])
def test_the_way_is_closed_by_any_other(proxy: ProxySide, status: int, said: str) -> None:
    failed = proxy.refuses(f"HTTP/1.1 {status} Elsewhere\r\n\r\n".encode())
    assert failed.cause is Cause.UNREACHABLE
    assert said in failed.detail


def test_interim_answers_are_passed_over_as_long_as_they_come_to_an_end(proxy: ProxySide) -> None:
    proxy.open(INTERIM * 19 + OPEN)
    failed = proxy.refuses(INTERIM * 20 + OPEN)
    assert failed.detail == "The proxy opens no way to the master (0 no end of interim answers)."


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 2\u00b20 OK\r\n\r\n".encode("latin-1"),
        b"HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_what_is_no_status_line_is_no_proxys(proxy: ProxySide, head: bytes) -> None:
    failed = proxy.refuses(head)
    assert failed.cause is Cause.UNREACHABLE
    assert "does not speak like a proxy" in failed.detail


@pytest.mark.parametrize(("more", "is_good"), [(0, True), (1, False)])
def test_a_head_has_a_longest_length(proxy: ProxySide, more: int, is_good: bool) -> None:
    frame = b"HTTP/1.1 200 OK\r\nX: \r\n\r\n"
    head = frame.replace(b"X: ", b"X: " + b"x" * (LONGEST - len(frame) + more))
    if is_good:
        proxy.open(head)
    else:
        assert "does not speak like a proxy" in proxy.refuses(head).detail


def test_a_reason_is_told_in_part(proxy: ProxySide) -> None:
    failed = proxy.refuses(b"HTTP/1.1 502  " + b"x" * 500 + b"\r\n\r\n")
    assert failed.detail == f"The proxy opens no way to the master (502 {'x' * 100})."


def test_a_proxy_that_hangs_up_has_cut_the_connection(proxy: ProxySide) -> None:
    proxy.far.sendall(b"HTTP/1.1 200 OK\r\n")
    proxy.far.shutdown(socket.SHUT_WR)
    clock = ManualClock(datetime(2013, 12, 7, tzinfo=UTC))
    with pytest.raises(Failed) as cut:
        open_through(proxy.near, PROXY, "master.test", 443, Call(clock, 5.0, None))
    assert cut.value.cause is Cause.RESET
