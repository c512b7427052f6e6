"""A far side that closes a connection after an answer, without saying so, costs a round trip and never a sheet."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters.connections import KeepAlive
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.outcome import Accepted, Cause, Deferred
from tests.support.certificates import write as write_certificates
from tests.support.far_side import answer, far_side, hear, over_tls, parcel, receipt_for, reset
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW
from tests.support.processes import OtherMaster
from tests.support.relays import Relay
from tests.support.services import HOST

WAITING = 24
ALL_WITHIN_S = 15.0
"""The promise; it takes about one second. Before, some were in doubt for minutes."""


@pytest.fixture
def master_process() -> Iterator[OtherMaster]:
    with OtherMaster() as server:
        yield server


@pytest.mark.parametrize("delay_ms", [0, 1, 3, 10, 30, 100, 200])
def test_all_are_published_soon_when_each_connection_dies_shortly_after_an_answer(
    delay_ms: int, master_process: OtherMaster, tmp_path: Path
) -> None:
    with Relay(f"sqlite:///{tmp_path / 'store.db'}", master_process) as relay, relay.worker():
        relay.wait_for_link("up")
        relay.proxy.drop_answer(times=2)  # so that some are in doubt, which is asked about before anything is sent
        relay.accept(2)
        relay.proxy.leave_after(delay_ms / 1000)
        relay.accept(WAITING - 2)
        assert relay.wait_until_published(WAITING) < ALL_WITHIN_S


class Counted:
    """A good master that counts connections and requests, and treats a kept connection as `then` says."""

    def __init__(self, then: Callable[[socket.socket], None] = reset, spoilt: int = 1000) -> None:
        self.connections = 0
        self.requests: list[str] = []
        self._then = then
        self._spoilt = spoilt

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        for number in range(1000):
            head, body = hear(connection)
            self.requests.append(head.partition(" ")[0])
            if number and self._spoilt:
                self._spoilt -= 1
                self._then(connection)
                return
            if head.startswith("PUT"):
                connection.sendall(answer(201, receipt_for(head, body)))
            else:
                connection.sendall(answer(404, b'{"title": "No"}', "application/problem+json"))


def tired(connection: socket.socket) -> None:
    """What some proxies say on a connection that they are about to close."""
    connection.sendall(answer(408, b"<h1>Request timeout</h1>", "text/html", "Connection: close"))


def opened(port: int) -> HttpMaster:
    return HttpMaster(f"http://{HOST}:{port}", "secret", clock=SystemClock())


@pytest.mark.parametrize("then", [reset, socket.socket.close, tired])
def test_a_sheet_is_sent_again_at_once_when_the_kept_connection_was_dead(then: Callable[[socket.socket], None]) -> None:
    talk = Counted(then)
    with far_side(talk) as port:
        master = opened(port)
        for _ in range(2):
            assert isinstance(master.send(parcel()), Accepted)
        master.close()
    assert (talk.connections, talk.requests) == (2, ["PUT"] * 3)


@pytest.mark.parametrize("then", [reset, socket.socket.close])
def test_a_sheet_is_sent_again_at_once_when_the_kept_connection_over_tls_was_dead(
    then: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    papers = write_certificates(tmp_path)
    talk = Counted(then)
    with far_side(over_tls(papers / "good.pem", talk)) as port:
        authority = str(papers / "authority.pem")
        master = HttpMaster(f"https://{HOST}:{port}", "secret", clock=SystemClock(), ca_file=authority)
        for _ in range(2):
            assert isinstance(master.send(parcel()), Accepted)
        master.close()
    assert (talk.connections, talk.requests) == (2, ["PUT"] * 3)


def test_a_sheet_is_sent_once_when_a_kept_connection_answers_nonsense() -> None:
    talk = Counted(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"))
    with far_side(talk) as port:
        master = opened(port)
        assert isinstance(master.send(parcel()), Accepted)
        outcome = master.send(parcel())
        master.close()
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, len(talk.requests)) == (Cause.NOT_OUR_MASTER, 2)


def test_a_sheet_is_sent_once_when_a_new_connection_was_cut() -> None:
    requests = []

    def cuts(connection: socket.socket) -> None:
        requests.append(hear(connection))
        reset(connection)

    with far_side(cuts) as port:
        master = opened(port)
        outcome = master.send(parcel())
        master.close()
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt, len(requests)) == (Cause.RESET, True, 1)


def test_a_sheet_is_in_doubt_when_it_may_have_arrived_and_then_nothing_listens() -> None:
    talk, gone = Counted(), threading.Event()

    def last(connection: socket.socket) -> None:
        try:
            listener.__exit__(None, None, None)
            reset(connection)
        finally:
            gone.set()

    talk._then = last
    listener = far_side(talk)
    with listener as port:
        master = opened(port)
        assert isinstance(master.send(parcel()), Accepted)
        outcome = master.send(parcel())
        master.close()
        assert gone.wait(30)  # the listener is left once, and not by two at a time
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (Cause.REFUSED, True)


def test_a_doubt_is_settled_on_new_connections_when_a_kept_one_is_there() -> None:
    talk = Counted()
    with far_side(talk) as port:
        master = opened(port)
        assert isinstance(master.send(parcel()), Accepted)
        assert isinstance(master.send(replace(parcel(), in_doubt=True)), Accepted)
        master.close()
    assert (talk.connections, talk.requests) == (3, ["PUT", "GET", "PUT"]), "none was repeated, so none was reused"


def test_no_connection_is_kept_when_two_were_dead_in_a_row() -> None:
    talk = Counted()
    with far_side(talk) as port:
        master = opened(port)
        for _ in range(7):
            assert isinstance(master.send(parcel()), Accepted)
        master.close()
    assert len(talk.requests) == 7 + 2, "two met a dead one"
    assert talk.connections == 7


def test_connections_are_kept_on_when_only_one_was_dead() -> None:
    talk = Counted(spoilt=1)
    with far_side(talk) as port:
        master = opened(port)
        for _ in range(7):
            assert isinstance(master.send(parcel()), Accepted)
        master.close()
    assert (talk.connections, len(talk.requests)) == (2, 8)


def test_one_connection_is_tried_now_and_then_until_one_worked_again() -> None:
    clock = ManualClock(NOW)
    kept = KeepAlive(clock)
    kept.died()
    kept.worked()
    kept.died()
    assert kept.may_keep(), "they were not in a row"
    kept.died()
    assert not kept.may_keep()
    clock.advance(16)
    assert [kept.may_keep() for _ in range(3)] == [True, False, False]
    kept.died()
    assert not kept.may_keep()
    clock.advance(16)
    assert kept.may_keep()
    kept.worked()
    assert [kept.may_keep() for _ in range(3)] == [True, True, True]
