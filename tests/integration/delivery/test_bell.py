"""The bell: a ring never waits and never raises, whatever the broker does, and a lost one loses nothing."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from resultsq import wakeup
from resultsq.wakeup import QUEUE, Bell
from tests.support.services import Valkey
from tests.support.waiting import wait_until

SOCKET_S = 5.0
AT_ONCE_S = 2.0
"""What a busy machine may take for nothing. A ring that waited for a broker in trouble would take the limit above."""


@pytest.fixture
def patient_bell(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Bell]:
    """Bells whose sockets have a limit so long that a ring which waits for it can be told from a busy machine."""

    def make(url: str) -> Bell:
        with monkeypatch.context() as patched:
            patched.setattr(wakeup, "RING_TIMEOUT_S", SOCKET_S)
            return Bell(url)

    return make


def rings_waiting(valkey: Valkey) -> int:
    return int(valkey._ask(f"LLEN {QUEUE}"))


def time_of(ring: Callable[[], None], times: int = 200) -> float:
    """The longest of so many rings, in seconds."""
    longest = 0.0
    for _ in range(times):
        began = time.monotonic()
        ring()
        longest = max(longest, time.monotonic() - began)
    return longest


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A broker that takes connections and never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


def test_a_ring_arrives_when_the_broker_is_there(valkey: Valkey) -> None:
    bell = Bell(valkey.url)
    bell.ring()
    wait_until(lambda: rings_waiting(valkey) == 1)
    bell.close()


def test_rings_that_come_together_are_one_or_few(valkey: Valkey) -> None:
    bell = Bell(valkey.url)
    assert time_of(bell.ring, 2_000) < AT_ONCE_S
    wait_until(lambda: rings_waiting(valkey) >= 1)
    assert rings_waiting(valkey) < 200
    bell.close()


def test_a_busy_second_is_some_twenty_rings_and_the_last_one_is_heard(valkey: Valkey) -> None:
    bell = Bell(valkey.url)
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        bell.ring()
        time.sleep(0.001)
    wait_until(lambda: rings_waiting(valkey) >= 1)
    assert rings_waiting(valkey) <= 25
    time.sleep(0.3)
    before = rings_waiting(valkey)
    bell.ring()
    bell.ring()
    wait_until(lambda: rings_waiting(valkey) > before)
    bell.close()


@pytest.mark.parametrize("trouble", ["gone", "frozen", "black-holed", "none"])
def test_a_ring_returns_at_once_when_the_broker_is_in_trouble(
    valkey: Valkey, black_hole: str, free_port: Callable[[], int], patient_bell: Callable[[str], Bell], trouble: str
) -> None:
    if trouble == "frozen":
        valkey.freeze()
    url = {"gone": f"redis://127.0.0.1:{free_port()}/0", "frozen": valkey.url, "black-holed": black_hole, "none": ""}
    bell = patient_bell(url[trouble])
    assert time_of(bell.ring) < AT_ONCE_S
    time.sleep(0.3)
    assert time_of(bell.ring) < AT_ONCE_S
    began = time.monotonic()
    bell.close()
    assert time.monotonic() - began < SOCKET_S
    valkey.thaw()


def test_the_bell_rings_again_by_itself_when_the_broker_is_back(valkey: Valkey) -> None:
    bell = Bell(valkey.url)
    bell.ring()
    wait_until(lambda: rings_waiting(valkey) == 1)
    valkey.kill()
    bell.ring()
    time.sleep(0.5)
    valkey.start()
    before = rings_waiting(valkey)

    def rung() -> bool:
        bell.ring()
        return rings_waiting(valkey) > before

    wait_until(rung, 8, "a ring after the rest", every_s=0.2)
    bell.close()
