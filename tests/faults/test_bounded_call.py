"""A call to the master ends in time and says truly what happened, whatever a network does: real sockets."""

import gc
import gzip
import os
import random
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters.dial import Address
from resultsq.delivery.masters.http import HttpMaster
from resultsq.delivery.masters.timeouts import CallTimeouts
from resultsq.domain.outcome import Accepted, Cause, Deferred, Outcome
from tests.support.certificates import write as write_certificates
from tests.support.far_side import (
    Talk,
    answer,
    far_side,
    good,
    hear,
    over_tls,
    parcel,
    receipt_for,
    reset,
    says,
    silent,
)
from tests.support.services import HOST
from tests.support.waiting import wait_until

QUICK = CallTimeouts(probe_s=1.0, receipt_s=1.0, send_s=2.0, slowest_bytes_per_s=1e6)
UNHURRIED = CallTimeouts(probe_s=20.0, receipt_s=20.0, send_s=20.0, slowest_bytes_per_s=1e6)
"""For what ends without a limit: a busy machine's far side is not taken for a silent one."""
AT_ONCE_S = 10.0  # none of these was waited for
LATE_S = 8.0  # what a busy machine may add to a limit; what has no end takes for ever
PORTAL = b"<html><body>Tick the box to use our guest Wi-Fi.</body></html>"

T = TypeVar("T")


class Opened(Protocol):
    def __call__(self, port: int, **options: Any) -> HttpMaster: ...


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens masters at a port, with quick limits; all are closed with the test."""
    with ExitStack() as stack:

        def at(port: int, *, scheme: str = "http", host: str = HOST, **options: Any) -> HttpMaster:
            master = HttpMaster(
                f"{scheme}://{host}:{port}", "secret", **{"clock": SystemClock(), "limits": QUICK, **options}
            )
            stack.callback(master.close)
            return master

        yield at


def drip(start: bytes, piece: bytes) -> Talk:
    """Hears a request and answers for ever, a little at a time."""

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(0.03)

    return talk


def flood(start: bytes, piece: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return talk


def deaf(connection: socket.socket) -> None:
    """Takes a connection and never reads from it."""
    time.sleep(60)


def timed(act: Callable[[], T]) -> tuple[T, float]:
    began = time.monotonic()
    return act(), time.monotonic() - began


CHUNKED = b"HTTP/1.1 200 Said\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 Said\r\nContent-Type: application/json\r\n"
BOMB = gzip.compress(b" " * 4_000_000)

WITHOUT_END: dict[str, Talk] = {
    "silent after accept": silent,
    "silent after the request": says(then=silent),
    "deaf": deaf,
    "status line drips": drip(b"HTTP/1.1 2", b"0"),
    "headers drip": drip(ENDLESS + b"X: ", b"x"),
    "continue for ever": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body drips": drip(ENDLESS + b"Content-Length: 100000\r\n\r\n", b" "),
    "body drips until close": drip(ENDLESS + b"Connection: close\r\n\r\n", b" "),
    "chunks drip": drip(CHUNKED, b"1\r\n \r\n"),
    "stops in the head": says(ENDLESS, then=silent),
    "stops in the body": says(ENDLESS + b"Content-Length: 9\r\n\r\n{", then=silent),
}


@pytest.mark.parametrize("fault", WITHOUT_END)
def test_a_call_ends_in_time_when_the_answer_has_no_end(fault: str, opened: Opened) -> None:
    with far_side(WITHOUT_END[fault]) as port, ThreadPoolExecutor(3) as together:
        master = opened(port)
        sent = together.submit(timed, lambda: master.send(parcel(), patience_s=60))
        asked = together.submit(timed, lambda: master.receipt("x"))
        probe = master.probe()
        assert probe.cause is Cause.NO_ANSWER
        assert probe.duration_s < QUICK.probe_s + LATE_S
        for call, limit_s in ((sent, QUICK.send_s), (asked, QUICK.receipt_s)):
            outcome, took_s = call.result()
            assert isinstance(outcome, Deferred)
            assert (outcome.cause, outcome.in_doubt) == (Cause.NO_ANSWER, True)
            assert took_s < limit_s + LATE_S


def test_a_call_ends_in_time_when_the_far_side_never_reads_a_large_sheet(opened: Opened) -> None:
    limits = replace(QUICK, slowest_bytes_per_s=100e6)
    large = replace(parcel(), body=random.Random(0).randbytes(6_000_000))  # more than a kernel keeps for us
    with far_side(deaf, receive_buffer=4096) as port:
        outcome, took_s = timed(lambda: opened(port, limits=limits).send(large, patience_s=60))
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.NO_ANSWER, True)
    assert took_s < limits.send_s + LATE_S


BROKEN: dict[str, tuple[Talk, Cause]] = {
    "closed without a word": (says(), Cause.RESET),
    "reset": (says(then=reset), Cause.RESET),
    "reset in the head": (says(ENDLESS, every_s=0.05, then=reset), Cause.RESET),
    "reset in the body": (says(ENDLESS + b"Content-Length: 9\r\n\r\n{", every_s=0.05, then=reset), Cause.RESET),
    "cut in the head": (says(ENDLESS), Cause.NOT_OUR_MASTER),
    "truncated": (says(answer(201, PORTAL)[:-9]), Cause.NOT_OUR_MASTER),
    "truncated chunks": (says(CHUNKED, b"5\r\n{"), Cause.NOT_OUR_MASTER),
    "chunks that are none": (says(CHUNKED, b"hello\r\n"), Cause.NOT_OUR_MASTER),
    "empty": (says(answer(200, b"")), Cause.NOT_OUR_MASTER),
    "two lengths": (says(ENDLESS + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}  "), Cause.NOT_OUR_MASTER),
    "another protocol": (says(b"SSH-2.0-OpenSSH_9.2p1\r\n"), Cause.NOT_OUR_MASTER),
    "too many headers": (flood(ENDLESS, b"X-Y: z\r\n"), Cause.NOT_OUR_MASTER),
    "a header without end": (flood(ENDLESS + b"X: ", b"x" * 1000), Cause.NOT_OUR_MASTER),
    "no gzip": (says(answer(200, b"{}", "application/json", "Content-Encoding: gzip")), Cause.NOT_OUR_MASTER),
    "a body without end": (flood(ENDLESS + b"\r\n", b" " * 1000), Cause.NOT_OUR_MASTER),
    "a bomb": (says(answer(200, BOMB, "application/json", "Content-Encoding: gzip")), Cause.NOT_OUR_MASTER),
    "a portal's page": (says(answer(200, PORTAL, "text/html")), Cause.NOT_OUR_MASTER),
    "a proxy's page": (says(answer(502, PORTAL, "text/html")), Cause.MASTER_DOWN),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_call_names_the_fault_when_the_answer_is_broken(fault: str, opened: Opened) -> None:
    talk, cause = BROKEN[fault]
    with far_side(talk) as port:
        master = opened(port, limits=UNHURRIED)
        outcome, took_s = timed(lambda: master.send(parcel()))
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.in_doubt) == (cause, True)
        assert took_s < AT_ONCE_S, "a broken answer is no reason to wait"
        assert master.probe().cause is cause


def test_a_redirect_is_not_followed_when_a_portal_sends_one(opened: Opened) -> None:
    heard: list[str] = []

    def portal(connection: socket.socket) -> None:
        while True:
            head, _ = hear(connection)
            heard.append(head.split("\r\n")[0])
            connection.sendall(answer(302, PORTAL, "text/html", f"Location: http://{HOST}:{port}/login"))

    with far_side(portal) as port:
        outcome = opened(port).send(parcel())
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.NOT_OUR_MASTER
    assert len(heard) == 1
    assert heard[0].startswith("PUT ")


def never_sent(master: HttpMaster, cause: Cause, within_s: float = QUICK.send_s + LATE_S) -> Deferred:
    """Send a sheet that cannot leave: the outcome says so."""
    outcome, took_s = timed(lambda: master.send(parcel(), patience_s=60))
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (cause, False), outcome.detail
    assert took_s < within_s
    assert master.probe().cause is cause
    return outcome


@contextmanager
def dropped_syn() -> Iterator[int]:
    """A port whose queue is full: the kernel drops what knocks."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_nothing_was_sent_when_nothing_listens(opened: Opened, free_port: Callable[[], int]) -> None:
    never_sent(opened(free_port(), limits=UNHURRIED), Cause.REFUSED, within_s=AT_ONCE_S)


def test_nothing_was_sent_when_the_first_packet_is_dropped(opened: Opened) -> None:
    with dropped_syn() as port:
        never_sent(opened(port), Cause.TIMEOUT)


def test_nothing_was_sent_when_there_is_no_way_there(opened: Opened) -> None:
    # the kernel refuses a stream to everybody: nothing leaves this machine
    lookup = to(("255.255.255.255", 80))
    master = opened(80, host="master.test", allow_plain_http=True, lookup=lookup, limits=UNHURRIED)
    never_sent(master, Cause.UNREACHABLE, within_s=AT_ONCE_S)


def to(*addresses: tuple[str, int]) -> Callable[[str, int], Sequence[Address]]:
    """A nameserver that always says the same."""
    return lambda _host, _port: [(socket.AF_INET, address) for address in addresses]


def test_nothing_was_sent_when_the_name_is_unknown(opened: Opened) -> None:
    def unknown(_host: str, _port: int) -> Sequence[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    master = opened(80, host="master.test", allow_plain_http=True, lookup=unknown, limits=UNHURRIED)
    never_sent(master, Cause.DNS, within_s=AT_ONCE_S)


def test_nothing_was_sent_when_the_name_can_be_none(opened: Opened) -> None:
    never_sent(opened(80, host="a..b", allow_plain_http=True, limits=UNHURRIED), Cause.DNS, within_s=AT_ONCE_S)


def test_a_call_ends_in_time_when_the_nameserver_is_a_black_hole(opened: Opened) -> None:
    answered = threading.Event()

    def hangs(_host: str, _port: int) -> Sequence[Address]:
        answered.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    master = opened(80, host="master.test", allow_plain_http=True, lookup=hangs)
    never_sent(master, Cause.DNS)
    threads = [threading.Thread(target=master.probe) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(QUICK.probe_s + 2 * LATE_S)
    assert not any(thread.is_alive() for thread in threads)
    hanging = [thread for thread in threading.enumerate() if thread.name == "master-name"]
    answered.set()
    assert 1 < len(hanging) <= 32


def test_a_call_gets_through_when_the_first_addresses_are_dead(opened: Opened, free_port: Callable[[], int]) -> None:
    with dropped_syn() as hole, far_side(good) as port:
        lookup = to((HOST, hole), (HOST, free_port()), (HOST, hole), (HOST, port))
        master = opened(80, host="master.test", allow_plain_http=True, lookup=lookup)
        outcome, took_s = timed(lambda: master.send(parcel()))
    assert isinstance(outcome, Accepted)
    assert took_s < QUICK.send_s


def test_no_proxy_is_asked_when_the_environment_names_one(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{HOST}:{free_port()}")
    with far_side(good) as port:
        assert isinstance(opened(port).send(parcel()), Accepted)


# connections that are kept


def test_a_new_connection_is_made_when_the_kept_one_was_closed(opened: Opened) -> None:
    def once(connection: socket.socket) -> None:
        head, body = hear(connection)
        connection.sendall(answer(201, receipt_for(head, body)))

    with far_side(once) as port:
        master = opened(port)
        for _ in range(3):
            assert isinstance(master.send(parcel()), Accepted)
            time.sleep(0.05)  # for its end to arrive


class HalfOpen:
    """A good master whose old connections can be made to stay silent for ever, while new ones work."""

    def __init__(self) -> None:
        self.connections = 0
        self.last_dead = 0
        self.pause_s = 0.0

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        number = self.connections
        while True:
            head, body = hear(connection)
            if number <= self.last_dead:
                silent(connection)
            time.sleep(self.pause_s)
            if head.startswith("PUT"):
                connection.sendall(answer(201, receipt_for(head, body)))
            else:
                connection.sendall(answer(200, b'{"service": "results-master"}'))


def test_old_connections_are_not_used_when_the_link_has_returned(opened: Opened) -> None:
    talk = HalfOpen()
    with far_side(talk) as port:
        master = opened(port)
        assert isinstance(master.send(parcel()), Accepted)
        assert isinstance(master.send(parcel()), Accepted)
        assert talk.connections == 1
        talk.last_dead = talk.connections
        master.refresh()
        assert isinstance(master.send(parcel()), Accepted)


def test_a_connection_is_not_kept_when_the_link_returned_under_it(opened: Opened) -> None:
    talk = HalfOpen()
    with far_side(talk) as port:
        master = opened(port)
        talk.pause_s = 0.3
        caller = threading.Thread(target=lambda: master.send(parcel()))
        caller.start()
        wait_until(lambda: talk.connections, what="the connection")
        master.refresh()
        caller.join(30)
        talk.pause_s, talk.last_dead = 0.0, talk.connections
        assert isinstance(master.send(parcel()), Accepted)


def test_a_silent_call_is_given_up_when_a_newer_connection_works(opened: Opened) -> None:
    talk = HalfOpen()
    told: list[float] = []
    ends: list[tuple[Outcome, float]] = []
    with far_side(talk) as port:
        master = opened(port, limits=CallTimeouts())
        master.on_stalled = lambda: told.append(time.monotonic())
        assert isinstance(master.send(parcel()), Accepted)
        talk.last_dead = talk.connections
        before = time.monotonic()
        caller = threading.Thread(target=lambda: ends.append(timed(lambda: master.send(parcel(), patience_s=0.5))))
        caller.start()
        wait_until(lambda: told, what="word of the silence")
        assert 0.5 <= told[0] - before < 0.5 + LATE_S
        assert master.abort_stalled(before) == 0, "a probe that began before the silence says nothing"
        began = time.monotonic()
        assert master.probe().cause is None
        assert master.abort_stalled(began) == 1
        caller.join(LATE_S)
        assert not caller.is_alive()
        ((outcome, _),) = ends
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.in_doubt) == (Cause.SILENT, True)
        assert isinstance(master.send(parcel()), Accepted)


def test_a_call_is_not_given_up_when_its_patience_has_not_run_out(opened: Opened) -> None:
    told: list[float] = []

    def slow(connection: socket.socket) -> None:
        head, body = hear(connection)
        time.sleep(0.6)
        connection.sendall(answer(201, receipt_for(head, body)))

    with far_side(slow) as port:
        master = opened(port, limits=CallTimeouts())
        master.on_stalled = lambda: told.append(time.monotonic())
        ends: list[Outcome] = []
        caller = threading.Thread(target=lambda: ends.append(master.send(parcel(), patience_s=5)))
        caller.start()
        time.sleep(0.4)
        assert master.abort_stalled(time.monotonic()) == 0
        caller.join(30)
    assert isinstance(ends[0], Accepted)
    assert not told


def test_a_connection_is_given_up_when_it_is_not_even_made(opened: Opened) -> None:
    ends: list[Outcome] = []
    with dropped_syn() as port:
        master = opened(port, limits=CallTimeouts())
        caller = threading.Thread(target=lambda: ends.append(master.send(parcel(), patience_s=0.2)))
        caller.start()
        wait_until(lambda: master.abort_stalled(time.monotonic()), what="a silent call")
        caller.join(LATE_S)
        assert not caller.is_alive()
    (outcome,) = ends
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.SILENT, False)


def test_a_large_sheet_is_not_silent_when_it_moves_slowly(opened: Opened) -> None:
    told: list[float] = []

    def thin(connection: socket.socket) -> None:
        def slowly() -> bytes:
            time.sleep(0.02)
            return connection.recv(6_000)

        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += slowly()
        head, _, body = heard.partition(b"\r\n\r\n")
        length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
        while len(body) < length:
            body += slowly()
        connection.sendall(answer(201, receipt_for(head.decode(), body)))

    with far_side(thin, receive_buffer=4096) as port:
        master = opened(port, limits=CallTimeouts())
        master.on_stalled = lambda: told.append(time.monotonic())
        outcome, took_s = timed(lambda: master.send(parcel(1_000_000), patience_s=2.0))
    assert isinstance(outcome, Accepted)
    assert took_s > 2.5, "too quick to have shown anything"
    assert not told


def test_listeners_are_told_again_when_one_of_them_raised(opened: Opened) -> None:
    told = []

    def listener() -> None:
        told.append(1)
        raise RuntimeError("a listener that breaks")

    with far_side(silent) as port:
        master = opened(port)
        master.on_stalled = listener
        for _ in range(2):
            outcome, took_s = timed(lambda: master.send(parcel(), patience_s=0.2))
            assert isinstance(outcome, Deferred)
            assert outcome.cause is Cause.NO_ANSWER
            assert took_s < QUICK.send_s + LATE_S
    assert len(told) == 2


def test_nothing_is_left_behind_when_many_calls_failed(opened: Opened) -> None:
    def handles() -> int:
        return len(os.listdir("/proc/self/fd"))

    with far_side(says(then=reset)) as port:
        master = opened(port)
        master.send(parcel())
        before = handles()
        for _ in range(50):
            master.send(parcel())
            master.probe()
        wait_until(lambda: handles() <= before + 5, what="the end of its sockets")


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificates(tmp_path_factory.mktemp("tls"))


def test_a_sheet_is_published_over_tls_when_the_authority_is_named(opened: Opened, certificates: Path) -> None:
    with far_side(over_tls(certificates / "good.pem")) as port:
        master = opened(port, scheme="https", ca_file=str(certificates / "authority.pem"))
        assert master.probe().cause is None
        for _ in range(2):
            assert isinstance(master.send(parcel()), Accepted)


@pytest.mark.parametrize("certificate", ["expired.pem", "other.pem"])
def test_nothing_is_sent_when_the_certificate_is_not_the_masters(
    certificate: str, opened: Opened, certificates: Path
) -> None:
    with far_side(over_tls(certificates / certificate)) as port:
        master = opened(port, scheme="https", ca_file=str(certificates / "authority.pem"), limits=UNHURRIED)
        never_sent(master, Cause.TLS, within_s=AT_ONCE_S)


def test_nothing_is_sent_when_nobody_vouches_for_the_certificate(opened: Opened, certificates: Path) -> None:
    with far_side(over_tls(certificates / "good.pem")) as port:
        never_sent(opened(port, scheme="https", limits=UNHURRIED), Cause.TLS, within_s=AT_ONCE_S)


def _portal_without_tls(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(answer(302, PORTAL, "text/html"))


def _drips_a_handshake(connection: socket.socket) -> None:
    connection.recv(65_536)
    for byte in b"\x16\x03\x03\x40\x00" + bytes(16_384):
        connection.sendall(bytes([byte]))
        time.sleep(0.03)


def _ends_a_handshake(connection: socket.socket) -> None:
    connection.recv(65_536)


@pytest.mark.parametrize(
    ("talk", "cause"),
    [
        (_portal_without_tls, Cause.TLS),
        (silent, Cause.NO_ANSWER),
        (_drips_a_handshake, Cause.NO_ANSWER),
        (_ends_a_handshake, Cause.RESET),
        (reset, Cause.RESET),
    ],
)
def test_nothing_is_sent_when_the_handshake_comes_to_nothing(talk: Talk, cause: Cause, opened: Opened) -> None:
    with far_side(talk) as port:
        limits = QUICK if cause is Cause.NO_ANSWER else UNHURRIED
        never_sent(opened(port, scheme="https", limits=limits), cause, within_s=AT_ONCE_S)


def test_no_socket_is_left_open_when_the_far_side_is_gone_before_the_handshake(opened: Opened) -> None:
    with warnings.catch_warnings(record=True) as told, far_side(reset) as port:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(60):
            never_sent(opened(port, scheme="https", limits=UNHURRIED), Cause.RESET)
        gc.collect()
    assert not [str(one.message) for one in told]


@pytest.mark.parametrize("fault", ["body drips until close", "headers drip", "silent after the request"])
def test_a_call_over_tls_ends_in_time_when_the_answer_has_no_end(
    fault: str, opened: Opened, certificates: Path
) -> None:
    with far_side(over_tls(certificates / "good.pem", WITHOUT_END[fault])) as port:
        master = opened(port, scheme="https", ca_file=str(certificates / "authority.pem"))
        outcome, took_s = timed(lambda: master.send(parcel(), patience_s=60))
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.NO_ANSWER, True)
    assert took_s < QUICK.send_s + LATE_S
