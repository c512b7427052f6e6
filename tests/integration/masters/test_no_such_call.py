"""A master of an earlier contract has no call for a kind. Its 404 is no refusal, and a stranger's is neither."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.destinations import MAIL
from resultsq.domain.outcome import Cause, Deferred, Outcome, Redirected, Rejected
from resultsq.domain.ports import Parcel
from resultsq.kinds.registry import KINDS
from tests.integration.masters.far import parcel
from tests.support.services import HOST

NOW = datetime(2026, 3, 14, 10, tzinfo=UTC)
HEALTHY = {"service": "results-master", "contract": "1"}
PAGE = (200, "text/html", "<title>Log in to the Wi-Fi</title>")


def as_json(status: int, value: object) -> tuple[int, str, str]:
    return status, "application/json" if status < 400 else "application/problem+json", json.dumps(value)


NOT_FOUND = as_json(404, {"status": 404, "title": "There is nothing here."})


class FarSide(ThreadingHTTPServer):
    """Answers the probe with `health`, and everything else with `put`."""

    health: tuple[int, str, str] = as_json(200, HEALTHY)
    put: tuple[int, str, str] = NOT_FOUND


class _Answers(BaseHTTPRequestHandler):
    server: FarSide

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        status, media_type, body = self.server.health if self.path == "/v1/health" else self.server.put
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


@pytest.fixture
def far_side() -> Iterator[FarSide]:
    with FarSide((HOST, 0), _Answers) as server:
        loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        loop.start()
        yield server
        server.shutdown()
        loop.join(10)


@pytest.fixture
def send(far_side: FarSide) -> Iterator[Callable[..., Outcome]]:
    opened: list[HttpMaster] = []

    def ask(one: Parcel, by_mail: bool = True) -> Outcome:
        url = f"http://{HOST}:{far_side.server_address[1]}"
        opened.append(HttpMaster(url, "secret", clock=SystemClock(), by_mail=by_mail))
        return opened[-1].send(one)

    yield ask
    for master in opened:
        master.close()


def message(**more: Any) -> Parcel:
    id_ = str(uuid.uuid4())
    payload = {"event": "bushy", "subject": "A late barcode", "text": "Position 7 is A123."}
    made = KINDS["messages"].prepare(payload, submission=id_, submitted_by="team", submitted_at=NOW)
    return Parcel("messages", id_, "bushy", made.date, made.body, made.digest, None, **more)


@pytest.mark.parametrize(
    "put",
    [
        pytest.param(NOT_FOUND, id="with problem details"),
        pytest.param((404, "text/html", "<title>404</title>"), id="with a page"),
        pytest.param((405, "text/plain", "Method Not Allowed"), id="for the method"),
        pytest.param((501, "text/html", "Unsupported method"), id="of a bare server"),
    ],
)
@pytest.mark.parametrize("in_doubt", [False, True])
def test_it_goes_by_mail_when_a_master_that_is_up_has_no_such_call(
    far_side: FarSide, send: Callable[..., Outcome], put: tuple[int, str, str], in_doubt: bool
) -> None:
    far_side.put = put
    outcome = send(message(in_doubt=in_doubt))
    assert isinstance(outcome, Redirected), outcome
    assert outcome.destination == MAIL
    refused = send(message(in_doubt=in_doubt), by_mail=False)
    assert isinstance(refused, Rejected), refused
    assert refused.code == "no-such-call"


def test_it_is_a_refusal_when_the_master_says_that_it_takes_this_kind(
    far_side: FarSide, send: Callable[..., Outcome]
) -> None:
    far_side.health = as_json(200, {**HEALTHY, "kinds": ["results", "messages"]})
    outcome = send(message())
    assert isinstance(outcome, Rejected), outcome
    assert outcome.code == "not-found"


def test_nothing_is_decided_when_a_stranger_answers_the_probe_too(
    far_side: FarSide, send: Callable[..., Outcome]
) -> None:
    far_side.health, far_side.put = PAGE, (404, "text/html", "<title>404</title>")
    outcome = send(message())
    assert isinstance(outcome, Deferred), outcome
    assert outcome.cause is Cause.NOT_OUR_MASTER


def test_results_are_refused_as_before_for_every_master_takes_them(
    far_side: FarSide, send: Callable[..., Outcome]
) -> None:
    outcome = send(parcel())
    assert isinstance(outcome, Rejected), outcome
    assert outcome.code == "not-found"
