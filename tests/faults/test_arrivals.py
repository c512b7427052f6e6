"""A server of its own in the open: connections that do nothing, heads and bodies that never end."""

import re
import resource
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from resultsq.web import arrivals
from resultsq.web.serve import TEMPORARY_BODIES
from tests.integration.deploy import site as sites
from tests.integration.deploy.site import STOPWATCH, Site
from tests.support.days import DAY
from tests.support.services import HOST
from tests.support.waiting import wait_until

LIMIT = 200_000
GOOD = {"event": "bushy", "date": DAY, "finishers": [{"position": 1, "athlete": None, "time": "00:17:31"}]}
FRIEND, STRANGER = "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("arrivals") / "data"
    folder.mkdir()
    with sites.raised(folder, web_threads="2", max_body_bytes=str(LIMIT)) as raised:
        yield raised
        assert "Traceback" not in raised.web.stderr
        assert "web.failed" not in raised.web.stderr


def _connect(site: Site, stack: ExitStack, address: str = STRANGER) -> socket.socket:
    connection = socket.create_connection((HOST, site.port), timeout=10, source_address=(address, 0))
    return stack.enter_context(connection)


def _post(site: Site, address: str = FRIEND) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", _From(address))
        headers = {"Authorization": f"Bearer {site.tokens['bushy']}"}
        return session.post(f"{site.url}/api/v1/submissions", json=GOOD, headers=headers, timeout=20)


class _From(requests.adapters.HTTPAdapter):
    """Calls from an address of this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)


def _temporary_bytes(pid: int) -> int:
    """What the process keeps in files that have no name any more, its output apart."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            status = link.stat()
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and link.name not in "012":
                found += status.st_size
    return found


def _answer(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(TimeoutError, ConnectionResetError):
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def _statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.\d (\d{3}) ", answer)]


def test_everybody_is_served_when_one_address_opens_more_connections_than_there_may_be(site: Site) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    with ExitStack() as stack:
        idle = [_connect(site, stack) for _ in range(arrivals.CONNECTIONS + 5)]
        assert _post(site, FRIEND).status_code in (200, 201)
        assert _post(site, STRANGER).status_code in (200, 201), "who shares the address has room as well"
        closed = 0
        for one in idle:
            one.setblocking(False)
            with suppress(BlockingIOError, ConnectionResetError):
                closed += one.recv(1) == b""
        assert closed >= arrivals.CONNECTIONS + 5 - 300, "the idle ones make room"


@pytest.mark.parametrize("path", ["/nowhere", "/login", "/healthz", "/api/v1/holds"])
def test_nothing_is_kept_of_bodies_that_no_route_takes(site: Site, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        for number in range(12):
            size = 4 * LIMIT - 1000
            length = f"Content-Length: {size}" if number % 2 else "Transfer-Encoding: chunked"
            one = _connect(site, stack)
            one.sendall(f"{head}{length}\r\n\r\n".encode())
            one.sendall(b"x" * (size - 1) if number % 2 else b"%x\r\n" % size + b"x" * (size - 1))
        assert _post(site).status_code in (200, 201)
        assert _temporary_bytes(site.web.pid) <= 12 * 64 * 1024


def test_a_body_is_refused_at_once_when_its_client_asks_before_it_sends_it(site: Site) -> None:
    with ExitStack() as stack:
        one = _connect(site, stack)
        one.sendall(
            b"POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (2 * LIMIT)
        )
        assert _statuses(_answer(one)) == [413]


def test_unfinished_bodies_keep_no_more_than_their_ceiling_and_are_told_to_come_again(site: Site) -> None:
    def kept() -> int:
        return _temporary_bytes(site.web.pid)

    head = f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.tokens['bushy']}\r\n"
    head += f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {LIMIT}\r\n\r\n"
    with ExitStack() as stack:
        unfinished = [_connect(site, stack) for _ in range(TEMPORARY_BODIES + 8)]
        for one in unfinished:
            one.sendall(head.encode() + b" " * (LIMIT - 10))
        wait_until(lambda: kept() > (TEMPORARY_BODIES - 2) * LIMIT)
        assert kept() <= TEMPORARY_BODIES * LIMIT
        # the bodies arrive side by side, so which of them found no room is not known
        for one in unfinished:
            with suppress(ConnectionResetError, BrokenPipeError):
                one.sendall(b" " * 10)
        answers = [_answer(one) for one in unfinished]
        refused = [answer for answer in answers if _statuses(answer) == [503]]
        assert refused, "one body more than there is room for"
        assert all(b"Retry-After: 5" in answer for answer in refused)
        assert all(_statuses(answer) in ([400], [503]) for answer in answers), "blanks are no JSON"
    wait_until(lambda: kept() == 0, 20)
    assert _post(site).status_code in (200, 201), "there is room again"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /?" + b"a&" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    ],
    ids=["a length of 5,000 digits", "an address that is none", "a query without end"],
)
def test_a_head_is_refused_when_no_number_or_address_can_be_made_of_it(site: Site, head: bytes, status: int) -> None:
    with ExitStack() as stack:
        one = _connect(site, stack)
        one.sendall(head)
        assert _statuses(_answer(one)) == [status]


def test_an_upload_is_read_when_it_comes_in_pieces(site: Site) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="t"\r\n\r\n' + STOPWATCH + b"\r\n--b--\r\n"
    head = f"POST /api/v1/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.tokens['bushy']}\r\n"
    head += "Connection: close\r\n"
    with ExitStack() as stack:
        for length in (f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"):
            one = _connect(site, stack)
            one.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n".encode())
            for at in range(0, len(body), 60):
                piece = body[at : at + 60]
                one.sendall(piece if "Content" in length else b"%x\r\n%s\r\n" % (len(piece), piece))
                time.sleep(0.005)
            one.sendall(b"" if "Content" in length else b"0\r\n\r\n")
            answer = _answer(one)
            assert _statuses(answer) == [200], answer
            assert b'"finishers":[{"position":1' in answer


IMPATIENT = """
import runpy
from resultsq.web import arrivals
arrivals.HEAD_S, arrivals.BODY_S = 1.0, 4.0
runpy.run_module("resultsq", run_name="__main__", alter_sys=False)
"""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that gives a head a second and a request four."""
    folder = tmp_path_factory.mktemp("impatient") / "data"
    folder.mkdir()
    with sites.raised(folder, program=(sys.executable, "-c", IMPATIENT)) as raised:
        yield raised


def _open_for_s(connection: socket.socket, drip: bytes, most_s: float) -> float:
    """How long the server keeps the connection while a byte comes every now and then."""
    began = time.monotonic()
    connection.settimeout(0.2)
    while (open_s := time.monotonic() - began) < most_s:
        try:
            connection.sendall(drip)
            if connection.recv(1000) == b"":
                return open_s
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return open_s
    return most_s


@pytest.mark.parametrize(
    ("begun", "drip"),
    [(b"", b""), (b"POST /api/v1/sub", b""), (b"POST /login HTTP/1.1\r\nX: ", b"x")],
    ids=["nothing", "half a head", "a head without end"],
)
def test_a_connection_is_closed_when_its_head_takes_too_long(impatient: Site, begun: bytes, drip: bytes) -> None:
    with ExitStack() as stack:
        one = _connect(impatient, stack)
        one.sendall(begun)
        assert 0.3 <= _open_for_s(one, drip, 15) < 15


def test_a_body_has_longer_than_a_head_but_not_for_ever(impatient: Site) -> None:
    with ExitStack() as stack:
        one = _connect(impatient, stack)
        one.sendall(b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
        assert 2.5 <= _open_for_s(one, b" ", 20) < 20


def test_a_connection_that_was_of_use_is_not_closed_like_a_new_one(impatient: Site) -> None:
    with ExitStack() as stack:
        one = _connect(impatient, stack)
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in one.recv(4000)
        assert _open_for_s(one, b"", 4) == 4
