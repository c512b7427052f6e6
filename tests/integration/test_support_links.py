"""A link with a switch really breaks in the way that each of its positions says."""

import gc
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.support.netns import MASTER_ADDRESS, Cable
from tests.support.processes import OtherMaster, Process
from tests.support.proxy import Proxy
from tests.support.services import HOST
from tests.support.waiting import wait_until

BIG = "x" * 100_000


@pytest.fixture
def link(other_master: OtherMaster) -> Iterator[Proxy]:
    with Proxy(other_master.port) as proxy:
        yield proxy


def _probe(link: Proxy, session: requests.Session | None = None, timeout_s: float = 0.5) -> requests.Response:
    ask = session.get if session else requests.get
    return ask(f"http://{HOST}:{link.port}/v1/health", timeout=timeout_s, allow_redirects=False)


def _put(link: Proxy, body: str = "{}", timeout_s: float = 5) -> requests.Response:
    address = f"http://{HOST}:{link.port}/v1/events/bushy/results/2013-12-07"
    return requests.put(address, data=body, timeout=timeout_s, allow_redirects=False)


def _probes(master: OtherMaster) -> int:
    return int(master.report()["probes"])


def test_everything_arrives_when_it_passes(link: Proxy, other_master: OtherMaster) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert _probe(link, session).json()["service"] == "results-master"
        assert link.open_connections == 1
    assert _put(link, BIG).status_code == 401
    assert link.connections == 2
    assert link.bytes_up > len(BIG)
    assert link.bytes_down > 300
    wait_until(lambda: link.open_connections == 0, what="the end of both connections")


def test_an_answer_takes_twice_the_delay_when_it_is_delayed(link: Proxy) -> None:
    link.delay(0.15)
    started = time.monotonic()
    _probe(link, timeout_s=5)
    assert time.monotonic() - started >= 0.3


def test_all_connections_share_the_line_when_it_is_narrow(link: Proxy) -> None:
    link.rate(100_000)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        assert [answer.status_code for answer in pool.map(lambda _: _put(link, BIG[:25_000]), range(2))] == [401, 401]
    assert time.monotonic() - started >= 0.5


def test_nobody_listens_when_it_refuses_and_somebody_when_it_is_restored(link: Proxy) -> None:
    with requests.Session() as session:
        _probe(link, session)
        link.refuse()
        with pytest.raises(requests.ConnectionError, match="refused"):
            _probe(link)
        with pytest.raises(requests.ConnectionError):
            _probe(link, session)
        link.restore()
        assert _probe(link, session).ok
    assert link.connections == 2


def test_connections_are_cut_when_it_resets_so_often_as_it_was_told(link: Proxy) -> None:
    with requests.Session() as session:
        _probe(link, session)
        link.reset(times=2)
        for _ in range(2):
            with pytest.raises(requests.ConnectionError, match=r"reset|aborted"):
                _probe(link)
        assert _probe(link).ok


def test_a_request_arrives_late_when_its_hole_is_closed(link: Proxy, other_master: OtherMaster) -> None:
    link.hole()
    with pytest.raises(requests.ReadTimeout):
        _probe(link, timeout_s=0.2)
    assert _probes(other_master) == 0
    link.restore()
    wait_until(lambda: _probes(other_master) == 1, what="the request that was on its way")


def test_an_answer_is_silent_when_the_hole_opens_between(link: Proxy, other_master: OtherMaster) -> None:
    other_master.script({"on": "probe", "delay": 1.0, "commit": True, "times": 1})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_probe, link, None, 5)
        wait_until(lambda: _probes(other_master) == 1, what="the request")
        link.hole()
        time.sleep(1.3)
        assert not asked.done()
        link.restore()
        assert asked.result().ok


def test_a_request_is_swallowed_for_good_when_it_hangs(link: Proxy, other_master: OtherMaster) -> None:
    with requests.Session() as session:
        _probe(link, session)
        link.hang()
        for caller in (session, None):
            with pytest.raises(requests.ReadTimeout):
                _probe(link, caller, timeout_s=0.2)
        with socket.create_connection((HOST, link.port), timeout=1) as old:
            old.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.1)
            link.restore()
            old.settimeout(0.2)
            old.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                old.recv(1)
    assert _probe(link).ok
    assert _probes(other_master) == 2


def test_the_target_is_asked_and_the_caller_learns_nothing_when_the_answer_is_dropped(
    link: Proxy, other_master: OtherMaster
) -> None:
    link.drop_answer(times=1)
    with pytest.raises(requests.ConnectionError):
        _probe(link)
    assert _probes(other_master) == 1
    assert link.bytes_down == 0
    assert _probe(link).ok


def test_so_many_bytes_arrive_in_order_when_an_answer_is_cut(link: Proxy, other_master: OtherMaster) -> None:
    other_master.script({"on": "probe", "status": 200, "body": BIG, "times": None})
    link.cut_at(50_000)
    for _ in range(2):
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            _probe(link)
    assert link.bytes_down == 100_000
    link.restore()
    assert _probe(link).text == BIG


def test_old_connections_are_silent_and_new_ones_pass_when_it_is_half_open(link: Proxy) -> None:
    with requests.Session() as session:
        _probe(link, session)
        link.half_open()
        with pytest.raises(requests.ReadTimeout):
            _probe(link, session, timeout_s=0.2)
        assert _probe(link, session).ok  # on a connection of its own


@pytest.mark.parametrize(("status", "where"), [(200, None), (302, "http://portal.invalid/welcome")])
def test_a_portal_answers_when_it_is_in_the_way(
    link: Proxy, other_master: OtherMaster, status: int, where: str | None
) -> None:
    with requests.Session() as session:
        _probe(link, session)
        link.portal(status)
        answers = [_probe(link, session), _probe(link), _put(link, BIG)]
    assert [(answer.status_code, answer.headers.get("Location")) for answer in answers] == [(status, where)] * 3
    assert all("Wi-Fi" in answer.text for answer in answers)
    assert _probes(other_master) == 1
    link.restore()
    assert _probe(link).json()["service"] == "results-master"


def test_a_caller_is_reset_when_the_target_is_gone(link: Proxy, other_master: OtherMaster) -> None:
    other_master.kill()
    with pytest.raises(requests.ConnectionError):
        _probe(link)
    other_master.start()
    assert _probe(link).ok


CALL = """
import sys, time, urllib.request
address, timeout_s, *data = sys.argv[1:]
began = time.monotonic()
try:
    said = urllib.request.urlopen(address, data[0].encode() if data else None, float(timeout_s)).read().decode()
except OSError as trouble:
    said = str(getattr(trouble, "reason", trouble))
print(said)
print(time.monotonic() - began)
"""

COUNT = """
import socket
post = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
post.bind(("0.0.0.0", 8080))
print("ready")
seen = 0
while post.recv(10) != b"end":
    seen += 1
print("seen", seen)
"""

SEND = """
import socket, sys, time
post = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for word in [b"x"] * 500 + [b"end"] * 20:
    post.sendto(word, (sys.argv[1], 8080))
    time.sleep(0.0005)  # or the counter's buffer loses some more
"""


@pytest.fixture
def far_master(cable: Cable, tmp_path: Path, start_process: Callable[..., Process]) -> None:
    where = ["--host", "0.0.0.0", "--port", str(cable.port), "--state", tmp_path / "journal.jsonl"]
    start_process("-m", "tests.support.masters", *where, program=[*cable.on_master, sys.executable])
    wait_until(lambda: HEALTHY in _call(cable, "/v1/health")[0], what="the master at the other end")


HEALTHY = "results-master"


def _call(cable: Cable, path: str, *data: str, timeout_s: float = 5) -> tuple[str, float]:
    """What a call from the node comes to: the answer or the trouble, and the seconds that it took."""
    words = [*cable.on_node, sys.executable, "-c", CALL, cable.master_url + path, str(timeout_s), *data]
    said, seconds = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return said, float(seconds)


def _far_probes(cable: Cable) -> int:
    return int(json.loads(_call(cable, "/__report")[0])["probes"])


@pytest.mark.usefixtures("far_master")
def test_a_call_is_unanswered_when_packets_are_dropped(cable: Cable) -> None:
    cable.drop()
    assert _call(cable, "/v1/health", timeout_s=0.3)[0] == "timed out"
    cable.restore()
    assert HEALTHY in _call(cable, "/v1/health")[0]


@pytest.mark.usefixtures("far_master")
def test_there_is_no_way_when_the_cable_is_unplugged(cable: Cable) -> None:
    cable.unplug()
    assert "No route to host" in _call(cable, "/v1/health", timeout_s=10)[0]
    cable.restore()
    wait_until(lambda: HEALTHY in _call(cable, "/v1/health")[0], what="the link")


@pytest.mark.usefixtures("far_master")
def test_a_request_lands_when_only_answers_are_lost(cable: Cable) -> None:
    before = _far_probes(cable)
    cable.lose_answers()
    assert _call(cable, "/v1/health", timeout_s=0.5)[0] == "timed out"
    cable.restore()
    assert _far_probes(cable) == before + 1


@pytest.mark.usefixtures("far_master")
def test_an_answer_takes_its_time_when_the_line_is_slow(cable: Cable) -> None:
    _call(cable, "/__script", json.dumps([{"on": "probe", "status": 200, "body": BIG}]))
    cable.slow("1mbit")
    said, seconds = _call(cable, "/v1/health")
    assert said == BIG
    assert seconds > 0.5  # 100 kB at 125 kB/s, less what the line lends


def test_every_third_packet_is_lost_when_it_was_told_so(cable: Cable, start_process: Callable[..., Process]) -> None:
    cable.lose(0.33)
    counter = start_process("-c", COUNT, program=[*cable.on_master, sys.executable])
    counter.wait_for("ready")
    subprocess.run([*cable.on_node, sys.executable, "-c", SEND, MASTER_ADDRESS], check=True)
    counter.wait_for("seen")
    assert 250 < int(counter.stdout.split()[-1]) < 420


def test_nothing_leads_outside_when_two_machines_are_joined(cable: Cable) -> None:
    for side in (cable.on_node, cable.on_master):
        routes = subprocess.run([*side, "ip", "route"], capture_output=True, text=True, check=True).stdout
        assert routes.startswith("10.231.7.0/30 ")
        assert len(routes.splitlines()) == 1


def test_a_connection_that_comes_when_the_link_is_switched_is_closed(other_master: OtherMaster) -> None:
    ended = threading.Event()

    def come(port: int) -> None:
        while not ended.is_set():
            with suppress(OSError), socket.create_connection((HOST, port), timeout=5) as connection:
                connection.recv(1)

    with Proxy(other_master.port) as link, ThreadPoolExecutor(4) as clients:
        for _ in range(4):
            clients.submit(come, link.port)
        try:
            for _ in range(1000):
                link.refuse()
                link.restore()
        finally:
            ended.set()
            link.refuse()  # or the last of them would wait for what the master says
    gc.collect()  # warns of each that is left open
