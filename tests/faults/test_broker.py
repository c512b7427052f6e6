"""The broker is killed, frozen, flushed and started late: posts are accepted in ordinary time, everything is
published, and nobody restarts anything."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import requests

from tests.support.nodes import finishers
from tests.support.processes import Process
from tests.support.relays import DAYS, Relay
from tests.support.services import Valkey
from tests.support.waiting import wait_until

Start = Callable[..., Process]

BUSY_S = 4.0
"""What a busy machine may add; after ten seconds a host kills what has not stopped."""


class Team:
    """Posts first versions, each of another day, and takes the time."""

    def __init__(self, port: int, token: str) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/submissions"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["As-Given"] = "already-here, day-long-ago"  # the same finishers each day
        self._days = iter(DAYS)
        self.ids: list[str] = []

    def post(self, count: int) -> list[float]:
        """Seconds that each took."""
        times = []
        for day in (next(self._days) for _ in range(count)):
            lines = [one.model_dump() for one in finishers(20)]
            sheet = {"event": "bushy", "date": day, "finishers": lines, "volunteers": []}
            began = time.monotonic()
            answer = self._session.post(self._url, json=sheet, timeout=10)
            times.append(time.monotonic() - began)
            assert answer.status_code == 201, answer.text
            self.ids.append(answer.json()["id"])
        return times

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def node(
    sqlite_relay: Relay, valkey: Valkey, start_process: Start, tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[Team]:
    """Web and worker of a node with a broker; sweeps are so rare that one can tell them from rings."""
    relay = sqlite_relay
    port = free_port()
    environment = relay.environment(DATA_DIR=tmp_path, BROKER_URL=valkey.url, SWEEP_S="5")
    start_process("worker", env=environment)
    web = start_process("web", "--port", str(port), env=environment)
    web.wait_for("web.ready", 60)
    relay.wait_for_link("up", 60)
    team = Team(port, relay.token("bushy"))
    yield team
    team.close()


def kill(valkey: Valkey) -> None:
    valkey.kill()


TROUBLES: dict[str, Callable[[Valkey], None]] = {"killed": kill, "frozen": Valkey.freeze, "flushed": Valkey.flush}


def mend(valkey: Valkey, trouble: str) -> None:
    if trouble == "killed":
        valkey.start()
    valkey.thaw()


@pytest.mark.parametrize("trouble", TROUBLES)
def test_posts_are_taken_and_published_when_the_broker_is_in_trouble_during_an_outage_and_the_drain(
    sqlite_relay: Relay, valkey: Valkey, node: Team, trouble: str
) -> None:
    relay = sqlite_relay
    healthy = node.post(20)
    relay.wait_until_published(20, 30)
    assert node.post(1)
    assert relay.wait_until_published(21, 30) < 3, "a ring shortens the wait for the sweep"

    relay.proxy.refuse()
    node.post(1)  # finds the link down
    relay.wait_for_link("down")
    TROUBLES[trouble](valkey)
    slowest = max(node.post(20))
    assert slowest < max(1.5, 10 * statistics.median(healthy)), "nobody waits for the bell"

    relay.proxy.restore()
    assert relay.wait_until_published(22) < 5, "the returned link wakes the worker, not the broker"
    node.post(5)
    relay.wait_until_published(47)

    mend(valkey, trouble)
    node.post(5)
    relay.wait_until_published(52)
    relay.assert_all_there_once(node.ids)

    def rung() -> bool:
        node.post(1)
        began = time.monotonic()
        relay.wait_until_published(len(node.ids))
        return time.monotonic() - began < 1

    wait_until(rung, 60, "a ring that is heard again", every_s=0.1)
    relay.assert_all_there_once(node.ids)


def test_a_worker_delivers_that_was_started_without_its_broker_and_hears_it_when_it_comes(
    sqlite_relay: Relay, valkey: Valkey, start_process: Start, tmp_path: Path
) -> None:
    relay = sqlite_relay
    valkey.kill()
    ids = relay.accept(3)
    worker = start_process("worker", env=relay.environment(DATA_DIR=tmp_path, BROKER_URL=valkey.url))
    relay.wait_until_published(3, 60)
    valkey.start()
    with redis.Redis(host="127.0.0.1", port=valkey.port) as client:
        wait_until(lambda: any(one.get("cmd") == "brpop" for one in client.client_list()), 40, "a worker that listens")
    ids += relay.accept(3)
    relay.wait_until_published(6)
    relay.assert_all_there_once(ids)
    assert worker.terminate() == 0


@pytest.mark.parametrize("trouble", ["none", "killed", "frozen"])
def test_a_worker_stops_in_good_order_within_five_seconds(
    sqlite_relay: Relay, valkey: Valkey, start_process: Start, tmp_path: Path, trouble: str
) -> None:
    relay = sqlite_relay
    worker = start_process("worker", env=relay.environment(DATA_DIR=tmp_path, BROKER_URL=valkey.url))
    relay.wait_for_link("up", 60)
    if trouble != "none":
        TROUBLES[trouble](valkey)
    began = time.monotonic()
    assert worker.terminate() == 0, worker
    assert time.monotonic() - began < 5 + BUSY_S
    assert relay.node.link().prober is None, "its lease was handed back"
