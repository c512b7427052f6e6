"""The web process as it is run: sockets, signals, and a broker that is no help."""

import http.client
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from resultsq.domain.role import Role
from resultsq.store.admin import tokens
from resultsq.store.engine.session import Database
from tests.integration.web.site import Sheet
from tests.support.days import DAY, weeks_before
from tests.support.nodes import NOW, StoreNode, migrated
from tests.support.processes import Process
from tests.support.waiting import wait_until

Make = Callable[..., Sheet]
HOST = "127.0.0.1"
THREADS = 2


@dataclass
class Web:
    """A web process, its address, and a team's token."""

    process: Process
    port: int
    token: str
    database: Database

    def connect(self, timeout_s: float = 10.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)

    def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            named.setdefault("Authorization", f"Bearer {self.token}")
            data = json.dumps(body).encode() if isinstance(body, dict) else body
            if isinstance(body, dict):
                named["Content-Type"] = "application/json"
            connection.request(method, path, data, named)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()


Start = Callable[..., Web]


@pytest.fixture
def sheet(sheet: Make) -> Make:
    """Sheets of last Saturday: the server goes by the machine's own clock."""
    return lambda rows=3, date=DAY, **more: sheet(rows, date=date, **more)


@pytest.fixture
def start(tmp_path: Path, start_process: Callable[..., Process]) -> Iterator[Start]:
    """Starts the web process of a node with one event."""
    with ExitStack() as stack:

        def start(**settings: str) -> Web:
            database = migrated(f"sqlite:///{tmp_path / 'resultsq.db'}")
            stack.callback(database.close)
            node = StoreNode(database)
            bushy = node.events["bushy"]
            token = database.write(lambda conn: tokens.issue(conn, NOW, "laptop", Role.TEAM, bushy))
            env = {
                "RESULTSQ_DATA_DIR": str(tmp_path),
                "RESULTSQ_LOG_FORMAT": "json",
                "RESULTSQ_WEB_THREADS": str(THREADS),
                **{f"RESULTSQ_{name.upper()}": value for name, value in settings.items()},
            }
            process = start_process("web", "--port", "0", env=env)
            process.wait_for("web.ready", 30)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stderr)
            assert found is not None
            return Web(process, int(found[1]), token, database)

        yield start


def test_a_free_port_is_taken_and_told_when_port_0_is_asked_for(start: Start) -> None:
    web = start()
    assert web.port > 0
    assert web.call("GET", "/healthz")[0] == 200
    assert web.process.terminate() == 0


def test_a_node_says_so_when_its_port_is_taken(
    start: Start, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    web = start()
    second = start_process("web", "--port", str(web.port), env={"RESULTSQ_DATA_DIR": str(tmp_path)})
    assert second.wait(30) != 0
    assert f"cannot listen on 127.0.0.1:{web.port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_post_is_finished_when_sigterm_comes_in_the_middle(start: Start, sheet: Make) -> None:
    web = start()
    web.call("GET", "/api/v1/status")  # the token is known, so that only the write waits
    answers: list[int] = []
    with web.database.alone():  # another process holds the store for a while
        post = threading.Thread(target=lambda: answers.append(web.call("POST", "/api/v1/submissions", sheet())[0]))
        post.start()
        time.sleep(1.0)  # nobody tells when it has arrived
        web.process.send(signal.SIGTERM)
        time.sleep(0.5)
        assert web.process.running
    post.join(10)
    assert answers == [201]
    assert web.process.wait() == 0


def test_others_are_answered_when_uploads_stall(start: Start, sheet: Make) -> None:
    web = start()
    with ExitStack() as stack:
        for _ in range(20 * THREADS):
            stalled = stack.enter_context(socket.create_connection((HOST, web.port), timeout=5))
            head = f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {web.token}\r\n"
            stalled.sendall(head.encode() + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{")
        began = time.monotonic()
        assert web.call("POST", "/api/v1/submissions", sheet())[0] == 201
        assert time.monotonic() - began < 8, "a stalled upload is given longer"


def test_a_large_body_is_refused_as_a_problem_when_it_comes_over_a_socket(start: Start) -> None:
    web = start(max_body_bytes="100000")
    for size in (100_001, 300_000):
        status, body, headers = web.call("POST", "/api/v1/submissions", b"x" * size, Content_Type="application/json")
        assert (status, headers["Content-Type"]) == (413, "application/problem+json")
        assert json.loads(body)["status"] == 413


def test_a_browser_gets_a_page_where_the_server_refuses_a_large_body(start: Start) -> None:
    web = start(max_body_bytes="100000")
    accepts = "text/html,application/xhtml+xml,*/*;q=0.8"
    status, body, headers = web.call("POST", "/submit/bushy/files", b"x" * 100_001, Accept=accepts)
    assert (status, headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert b"<h1>Too large" in body
    assert b"Leave a file out and send the rest." in body
    asks = {"Accept": accepts, "Accept-Language": "de", "Cookie": "language=ar"}
    for lacks, tag in (("", '<html lang="ar" dir="rtl">'), ("Cookie", '<html lang="de" dir="ltr">')):
        sent = {name: value for name, value in asks.items() if name != lacks}
        body = web.call("POST", "/submit/bushy/files", b"x" * 100_001, **sent)[1]
        assert tag in body.decode()
        assert b"Leave a file out" not in body


REFUSED_BY_THE_SERVER = [
    (b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
    (b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", 431),
    (b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400),
    (b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
]


def test_a_request_is_refused_as_a_problem_when_the_server_cannot_take_it(start: Start) -> None:
    web = start()
    for raw, status in REFUSED_BY_THE_SERVER:
        with socket.create_connection((HOST, web.port), timeout=10) as connection:
            connection.sendall(raw)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.getheader("Content-Type")) == (status, "application/problem+json")
            assert json.loads(answer.read())["status"] == status


def test_posts_are_answered_in_ordinary_time_when_the_broker_never_says_a_word(start: Start, sheet: Make) -> None:
    with socket.create_server((HOST, 0), backlog=64) as black_hole:
        web = start(broker_url=f"redis://{HOST}:{black_hole.getsockname()[1]}/0")
        took = []
        for day in range(1, 21):
            began = time.monotonic()
            assert web.call("POST", "/api/v1/submissions", sheet(date=weeks_before(day)))[0] == 201
            took.append(time.monotonic() - began)
    assert min(took) < 0.2, "a ring that is waited for takes that long each time"


def test_the_log_has_one_line_a_request_and_nothing_of_anybody_when_one_is_answered(start: Start, sheet: Make) -> None:
    web = start()
    boundary = "----b"
    upload = (
        f"--{boundary}\r\nContent-Disposition: form-data; name=a; filename=JoeBLOGGS.csv\r\n\r\n"
        f"A7654321,P0001,\n\r\n--{boundary}--\r\n"
    ).encode()
    web.call("GET", f"/password/{'s' * 20}?name=JoeBLOGGS")
    web.call("POST", "/api/v1/submissions", sheet(), X_Request_ID="known-by")
    web.call("POST", "/api/v1/check", upload, Content_Type=f"multipart/form-data; boundary={boundary}")
    web.call("GET", "/api/v1/status", Authorization="Bearer rq_secret")

    def lines() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in web.process.stderr.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == "web.request"]

    wait_until(lambda: len(lines()) >= 4)
    assert [(line["route"], line["status"]) for line in lines()] == [
        ("/password/<secret>", 404),
        ("/api/v1/submissions", 201),
        ("/api/v1/check", 200),
        ("/api/v1/status", 401),
    ]
    assert lines()[1]["request_id"] == "known-by"
    text = web.process.stderr + web.process.stdout
    assert not [word for word in ("JoeBLOGGS", "A7654321", "A1001", "rq_", "ssss") if word in text]
