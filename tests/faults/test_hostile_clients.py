"""A real web process, and clients who mean it no good or know no better."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from resultsq.store.engine.tables import Original, Submission
from tests.integration.deploy import site as sites
from tests.integration.deploy.site import SCANNER, STOPWATCH, Site
from tests.support.days import DAY, weeks_before
from tests.support.services import HOST

THREADS = 2
LIMIT = 200_000
SOON_S = 5.0
"""An honest call takes some milliseconds; on a busy machine, less than this."""

GOOD = {"event": "bushy", "date": DAY, "finishers": [{"position": 1, "athlete": None, "time": "00:17:31"}]}
SCRIPT = "<script>alert(1)</script>"
EVIL_NAMES = [
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/cron.d/results",
    "a\r\nX-Injected: yes\r\n\r\n<h1>.csv",
    f"{SCRIPT}.csv",
    '"><img src=x onerror=alert(1)>.csv',
    "times\u202evsc.exe",
    "x" * 5_000 + ".csv",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hostile") / "data"
    folder.mkdir()
    with sites.raised(folder, web_threads=str(THREADS), max_body_bytes=str(LIMIT)) as raised:
        yield raised


@pytest.fixture(autouse=True)
def _well_afterwards(site: Site) -> Iterator[None]:
    """Whatever came, the process lives, answers soon and has said nothing of a fault of its own."""
    yield
    began = time.monotonic()
    assert requests.get(f"{site.url}/readyz", timeout=10).status_code == 200
    assert time.monotonic() - began < SOON_S
    assert "web.failed" not in site.web.stderr
    assert "Traceback" not in site.web.stderr


def _bearer(site: Site, team: str = "bushy") -> dict[str, str]:
    return {"Authorization": f"Bearer {site.tokens[team]}"}


def _count(site: Site) -> int:
    with site.database.read() as conn:
        return int(conn.execute(select(func.count()).select_from(Submission)).scalar_one())


def _say(site: Site, raw: bytes, limit_s: float = 10.0) -> bytes:
    """Everything that is answered to these bytes until the server closes, or says nothing for a second."""
    with socket.create_connection((HOST, site.port), timeout=limit_s) as connection:
        connection.sendall(raw)
        answer = b""
        try:
            while piece := connection.recv(65_536):
                answer += piece
                connection.settimeout(1)
        except (TimeoutError, ConnectionResetError):
            return answer
        return answer


def _statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.\d (\d{3}) ", answer)]


# slow ones


def test_others_are_served_soon_when_clients_drip_their_headers(site: Site) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((HOST, site.port), timeout=5)) for _ in range(60)]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for drop in range(5):
            for connection in slow:
                connection.sendall(b"X-%d: y\r\n" % drop)
            began = time.monotonic()
            answer = requests.post(f"{site.url}/api/v1/check", files={"f": SCANNER}, headers=_bearer(site), timeout=10)
            assert answer.status_code == 200
            assert time.monotonic() - began < SOON_S


def test_a_submission_is_taken_soon_when_uploads_stall(site: Site) -> None:
    head = f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.tokens['bushy']}\r\n"
    with ExitStack() as stack:
        for number in range(10 * THREADS):
            stalled = stack.enter_context(socket.create_connection((HOST, site.port), timeout=5))
            length = b"Content-Length: 5000\r\n\r\n{" if number % 2 else b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"
            stalled.sendall(head.encode() + b"Content-Type: application/json\r\n" + length)
        began = time.monotonic()
        answer = requests.post(f"{site.url}/api/v1/submissions", json=GOOD, headers=_bearer(site), timeout=10)
        assert answer.status_code in (200, 201)
        assert time.monotonic() - began < SOON_S


def test_others_are_served_soon_when_clients_do_not_read_their_answers(site: Site) -> None:
    ask = b"GET /static/vendor/htmx/htmx.js HTTP/1.1\r\nHost: x\r\n\r\n" * 50
    with ExitStack() as stack:
        for _ in range(5 * THREADS):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect((HOST, site.port))
            deaf.sendall(ask)
        began = time.monotonic()
        assert requests.get(f"{site.url}/healthz", timeout=10).status_code == 200
        assert time.monotonic() - began < SOON_S


# large ones


@pytest.mark.parametrize("size", [LIMIT + 1, 3 * LIMIT, 6 * LIMIT])
def test_a_body_is_refused_and_nothing_is_stored_when_it_is_too_large(site: Site, size: int) -> None:
    before = _count(site)
    head = f"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.tokens['bushy']}\r\n"
    body = f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode() + b" " * min(size, 4 * LIMIT)
    assert _statuses(_say(site, head.encode() + body)) == [413]
    assert _count(site) == before


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"X-Large: " + b"y" * 300_000, 431),
        (b"".join(b"X-%d: y\r\n" % number for number in range(40_000)), 431),
    ],
    ids=["one header", "many headers"],
)
def test_headers_are_refused_when_they_are_too_large(site: Site, head: bytes, status: int) -> None:
    assert _statuses(_say(site, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")) == [status]


def test_a_long_address_is_refused_or_not_there_when_it_is_asked_for(site: Site) -> None:
    [status] = _statuses(_say(site, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert 400 <= status < 500


def test_deep_json_is_refused_when_it_comes(site: Site) -> None:
    headers = {**_bearer(site), "Content-Type": "application/json"}
    for deep in ("[" * 90_000, '{"event":' * 20_000, '{"finishers":' + "[" * 50_000 + "]" * 50_000 + "}"):
        answer = requests.post(f"{site.url}/api/v1/submissions", data=deep, headers=headers, timeout=20)
        assert 400 <= answer.status_code < 500


# two requests in one


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLING = {
    "both, CL short": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "both, CL long": b"Content-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "two lengths": b"Content-Length: 0\r\nContent-Length: 38\r\n\r\n" + SMUGGLED,
    "a length with a sign": b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a blank before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: 38\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a TE that is none": b"Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk of a strange size": b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n" + SMUGGLED,
    "a bare line feed": b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_no_second_request_is_found_in_a_first_when_its_length_is_told_twice_or_oddly(site: Site, name: str) -> None:
    raw = b"POST /api/v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + SMUGGLING[name]
    answer = _say(site, raw)
    assert len(_statuses(answer)) == 1, answer
    assert b"smuggled" not in answer


# names and paths


PATHS = [
    "/static/../../settings.py", "/static/..%2f..%2fsettings.py", "/static/%2e%2e/auth.py", "/static//etc/passwd",
    "/static/vendor/htmx/..%5c..%5cx", "/..%2f..%2fetc/passwd", "/static/\x00", "/static/%00",
    "/results/bushy/..%2f..%2fetc",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_file_is_shown_when_a_path_leads_out_of_its_folder(site: Site, path: str) -> None:
    answer = _say(site, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    [status] = _statuses(answer)
    assert status in (400, 404), answer[:300]
    assert b"root:" not in answer
    assert b"import " not in answer


@pytest.mark.parametrize("number", range(len(EVIL_NAMES)))
def test_a_file_name_is_only_a_word_when_it_is_meant_as_more(site: Site, number: int) -> None:
    name, day = EVIL_NAMES[number], weeks_before(number + 1)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode()
    parts = [(b'name="event"', b"bushy"), (b'name="date"', day.encode()),
             (b'name="files"; filename="' + quoted + b'"', STOPWATCH)]  # fmt: skip
    body = b"".join(b"--b\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"
                    for head, content in parts) + b"--b--\r\n"  # fmt: skip
    headers = {**_bearer(site), "Content-Type": "multipart/form-data; boundary=b"}
    answer = requests.post(f"{site.url}/api/v1/submissions", data=body, headers=headers, timeout=20)
    assert answer.status_code in (201, 400, 413, 422), answer.text
    assert "X-Injected" not in answer.headers
    assert not Path("/etc/cron.d/results").exists()
    if answer.status_code != 201:
        return
    team = site.browser("bushy")
    submission = answer.json()["id"]
    page = team.get(f"/submissions/{submission}")
    assert page.status_code == 200
    assert not re.search(r"<(script>alert|img src=x)", page.text)
    with site.database.read() as conn:
        query = select(Original.id, Original.name).join(Submission, Submission.seq == Original.seq)
        [(file, kept)] = conn.execute(query.where(Submission.id == submission)).all()
    assert len(kept) <= 255
    download = team.get(f"/submissions/{submission}/files/{file}")
    assert (download.status_code, download.content) == (200, STOPWATCH)
    assert "X-Injected" not in download.headers
    assert download.headers["Content-Disposition"].startswith("attachment")
    assert download.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("given", ["a b", "x" * 65, SCRIPT, "a%0d%0aSet-Cookie:%20x=y", "ä"])
def test_an_id_of_a_request_is_not_taken_over_when_it_is_no_plain_word(site: Site, given: str) -> None:
    answer = requests.get(f"{site.url}/healthz", headers={"X-Request-ID": given.encode()}, timeout=10)
    assert answer.headers["X-Request-ID"] != given
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])
    assert "Set-Cookie" not in answer.headers
    assert given not in site.web.stderr


def test_what_somebody_wrote_is_text_when_it_is_shown(site: Site) -> None:
    team = site.browser("richmond")
    named = [(f"{SCRIPT}.csv", SCRIPT.encode())]
    page = team.fill("/submit/richmond", "/submit/richmond/files", {}, named)
    shown = team.get("/submit/richmond")
    assert page.status_code == 303
    assert SCRIPT not in shown.text
    assert (
        "script-src" in shown.headers["Content-Security-Policy"]
        or "default-src 'self'" in (shown.headers["Content-Security-Policy"])
    )
    answer = requests.get(f"{site.url}/results/{SCRIPT}/{DAY}", timeout=10)
    assert (answer.status_code, SCRIPT in answer.text) == (404, False)


# somebody else's


def test_nothing_is_changed_when_a_form_comes_without_its_token(site: Site) -> None:
    team, before = site.browser("bushy"), _count(site)
    team.fill("/submit/bushy", "/submit/bushy/files", {}, [("times.csv", STOPWATCH)])
    fields = team.hidden("/submit/bushy", "/submit/bushy/send")
    for token in (None, "", "IjEi.x.y", site.browser("richmond").hidden("/submit/richmond", "/logout")["csrf_token"]):
        forged = {key: value for key, value in fields.items() if key != "csrf_token"}
        forged |= {} if token is None else {"csrf_token": token}
        assert team.post("/submit/bushy/send", forged).status_code == 400
    assert _count(site) == before


def test_another_teams_results_are_not_there_when_their_id_is_known(site: Site) -> None:
    sheet = {**GOOD, "date": weeks_before(40)}
    sent = requests.post(f"{site.url}/api/v1/submissions", json=sheet, headers=_bearer(site), timeout=10).json()["id"]
    stranger = site.browser("richmond")
    theirs = [f"/submissions/{sent}", f"/submissions/{sent}/live", f"/submissions/{sent}/results.csv"]
    assert [stranger.get(path).status_code for path in theirs] == [404, 404, 404]
    for method in ("GET", "DELETE"):
        where = f"{site.url}/api/v1/submissions/{sent}"
        answer = requests.request(method, where, headers=_bearer(site, "richmond"), timeout=10)
        assert answer.status_code == 404
        assert json.loads(answer.text)["detail"] == "There is no such submission here."
    answer = requests.post(f"{site.url}/api/v1/submissions", json=sheet, headers=_bearer(site, "richmond"), timeout=10)
    assert answer.status_code == 403
    for path in ("/admin", "/admin/submissions", "/admin/people"):
        assert stranger.get(path).status_code in (302, 303, 403, 404)
