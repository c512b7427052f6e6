"""The HTTP master's own ways: what travels, what is shown, and what an answer makes it ask next."""

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from resultsq.clock import SystemClock
from resultsq.delivery.masters.http import HttpMaster
from resultsq.domain.errors import SettingsError
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Receipt, Rejected, Scope, Unauthorised
from resultsq.domain.ports import Parcel
from tests.integration.masters.far import parcel
from tests.support.processes import OtherMaster
from tests.support.proxy import Proxy
from tests.support.services import HOST

TOKEN = "the-secret-token"


@pytest.fixture(scope="module")
def server() -> Iterator[OtherMaster]:
    with OtherMaster("--token", TOKEN) as server:
        yield server


@pytest.fixture
def master(server: OtherMaster) -> Iterator[HttpMaster]:
    master = HttpMaster(server.url, TOKEN, clock=SystemClock())
    yield master
    master.close()


def fresh(**changes: Any) -> Parcel:
    """A sheet for an event of the test's own."""
    sent = parcel()
    event = f"e-{sent.submission[:8]}"
    return replace(parcel(event), **changes)


def puts(server: OtherMaster, sent: Parcel) -> list[dict[str, Any]]:
    return [put for put in server.report()["puts"] if put["submission"] == sent.submission]


def receipt_of(sent: Parcel) -> dict[str, Any]:
    return {
        "submission": sent.submission,
        "event": sent.event,
        "date": sent.date,
        "revision": 1,
        "digest": sent.digest,
        "received_at": "2026-03-14T10:00:00Z",
    }


# doubts


def test_a_sheet_is_not_sent_again_when_a_receipt_settles_the_doubt(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh()
    server.script({"submission": sent.submission, "commit": True, "cut": True})
    first = master.send(sent)
    assert isinstance(first, Deferred)
    assert (first.cause, first.in_doubt) == (Cause.RESET, True)
    assert isinstance(master.send(replace(sent, in_doubt=True)), Accepted)
    assert len(puts(server, sent)) == 1


def test_a_sheet_is_sent_again_when_the_master_knows_of_none(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh(in_doubt=True)
    assert isinstance(master.send(sent), Accepted)
    assert len(puts(server, sent)) == 1


@pytest.mark.parametrize("status", [400, 405, 410, 501])
def test_a_sheet_is_sent_again_when_the_master_does_not_know_the_question(
    status: int, server: OtherMaster, master: HttpMaster
) -> None:
    sent = fresh(in_doubt=True)
    server.script({"on": "receipt", "submission": sent.submission, "status": status})
    assert isinstance(master.send(sent), Accepted)


@pytest.mark.parametrize(
    ("step", "cause"),
    [
        ({"status": 503, "headers": {"Retry-After": "9"}}, Cause.MASTER_DOWN),
        ({"status": 200, "body": "<html></html>"}, Cause.NOT_OUR_MASTER),
        ({"cut": True}, Cause.RESET),
    ],
)
def test_a_doubt_stays_when_the_question_had_no_answer(
    step: Mapping[str, Any], cause: Cause, server: OtherMaster, master: HttpMaster
) -> None:
    sent = fresh(in_doubt=True)
    server.script({"on": "receipt", "submission": sent.submission, **step})
    outcome = master.send(sent)
    assert isinstance(outcome, Deferred)
    assert (outcome.cause, outcome.in_doubt) == (cause, True)
    assert outcome.retry_after_s == (9 if cause is Cause.MASTER_DOWN else None)
    assert not puts(server, sent)


# 412


def test_a_sheet_is_published_when_the_head_is_its_own_earlier_put(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh()
    head = {"submission": sent.submission, "revision": 1}
    server.script({"submission": sent.submission, "commit": True, "status": 412, "body": {"head": head}})
    outcome = master.send(sent)
    assert isinstance(outcome, Accepted)
    assert outcome.receipt.submission == sent.submission


def test_the_tag_names_the_head_when_it_moved_in_between(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh()
    first = parcel(sent.event, rows=7)
    assert isinstance(master.send(first), Accepted)
    old = {"submission": parcel().submission, "revision": 9}
    server.script({"submission": sent.submission, "status": 412, "body": {"head": old}})
    outcome = master.send(sent)
    assert isinstance(outcome, Conflict)
    assert (outcome.head, outcome.revision, outcome.head_sheet) == (first.submission, 1, first.body)


@pytest.mark.parametrize(
    "step", [{"cut": True, "times": 2}, {"status": 404, "body": {}}, {"status": 200, "body": "<html>"}]
)
def test_a_conflict_is_put_off_when_the_published_sheet_cannot_be_fetched(
    step: Mapping[str, Any], server: OtherMaster, master: HttpMaster
) -> None:
    sent = fresh()
    assert isinstance(master.send(parcel(sent.event, rows=7)), Accepted)
    server.script({"on": "sheet", "event": sent.event, **step})
    outcome = master.send(sent)
    assert isinstance(outcome, Deferred)
    assert not outcome.in_doubt, "the master said that it did not commit it"
    assert isinstance(master.send(sent), Conflict)


def test_a_conflict_has_no_receipt_when_it_cannot_be_had(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh()
    first = parcel(sent.event, rows=7)
    assert isinstance(master.send(first), Accepted)
    server.script({"on": "receipt", "submission": first.submission, "status": 404, "body": {}})
    outcome = master.send(sent)
    assert isinstance(outcome, Conflict)
    assert (outcome.head, outcome.revision, outcome.head_receipt) == (first.submission, 1, None)


# credentials


def test_the_credentials_are_refused_when_the_token_is_unknown(server: OtherMaster) -> None:
    master = HttpMaster(server.url, "another", clock=SystemClock())
    assert master.probe().cause is None, "a probe needs no credentials"
    outcome = master.send(fresh())
    assert isinstance(outcome, Unauthorised)
    assert outcome.scope is Scope.DESTINATION
    assert isinstance(master.receipts(None, None, None), Unauthorised)
    master.close()


def test_only_the_event_waits_when_the_master_says_403(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh()
    server.script({"submission": sent.submission, "status": 403, "body": {"title": "Not your event"}})
    outcome = master.send(sent)
    assert isinstance(outcome, Unauthorised)
    assert (outcome.scope, outcome.detail) == (Scope.EVENT, "Not your event")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"])
def test_a_token_may_travel_over_plain_http_when_it_stays_here(host: str) -> None:
    HttpMaster(f"http://{host}:1", TOKEN, clock=SystemClock()).close()


@pytest.mark.parametrize("host", ["192.0.2.7", "master.test", "localhost.test", "[2001:db8::1]"])
def test_a_token_stays_at_home_when_plain_http_would_show_it(host: str) -> None:
    with pytest.raises(SettingsError, match="everyone on the way could read"):
        HttpMaster(f"http://{host}", TOKEN, clock=SystemClock())
    HttpMaster(f"http://{host}", TOKEN, clock=SystemClock(), allow_plain_http=True).close()
    HttpMaster(f"https://{host}", TOKEN, clock=SystemClock()).close()


def test_a_ca_file_is_refused_when_it_is_none() -> None:
    for path in (__file__, "/nowhere/at/all.pem"):
        with pytest.raises(SettingsError, match="CA file"):
            HttpMaster("https://master.test", TOKEN, clock=SystemClock(), ca_file=path)


# what travels, and what is shown


@dataclass
class Heard:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


class _Ear(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    heard: list[Heard]
    answer: bytes
    status = 201
    date: str | None = None

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _hear(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.heard.append(Heard(f"{self.command} {self.path}", dict(self.headers), body))
        self.send_response(self.status)
        self.send_header("Set-Cookie", "portal=tracks-you")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.date or super().date_time_string(timestamp)

    do_PUT = do_GET = _hear


@pytest.fixture
def ear() -> Iterator[tuple[type[_Ear], int]]:
    """Hears everything; what it answers can be set."""
    kind = type("Ear", (_Ear,), {"heard": [], "answer": b"{}"})
    server = ThreadingHTTPServer((HOST, 0), kind)
    loop = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    loop.start()
    yield kind, server.server_address[1]
    server.shutdown()
    server.server_close()
    loop.join()


def test_a_sheet_travels_as_the_contract_says_when_it_is_the_first(ear: tuple[type[_Ear], int]) -> None:
    kind, port = ear
    sent = parcel()
    kind.answer = json.dumps(receipt_of(sent)).encode()
    master = HttpMaster(f"http://{HOST}:{port}/relay/", TOKEN, clock=SystemClock())
    outcome = master.send(sent)
    master.send(replace(sent, precondition="7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"))
    master.probe()
    master.close()
    first, correction, probe = kind.heard
    assert first.line == f"PUT /relay/v1/events/bushy/results/{sent.date}"
    assert gzip.decompress(first.body) == sent.body
    expected = {
        "Host": f"{HOST}:{port}",
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
        "Idempotency-Key": f'"{sent.submission}"',
        "If-None-Match": "*",
    }
    assert {name: first.headers.get(name) for name in expected} == expected
    assert "If-Match" not in first.headers
    assert "Cookie" not in correction.headers, "no cookie of anybody is kept"
    assert correction.headers["If-Match"] == '"7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"'
    assert "If-None-Match" not in correction.headers
    assert probe.line == "GET /relay/v1/health"
    assert "Authorization" not in probe.headers
    assert isinstance(outcome, Accepted)
    shown = outcome.exchange
    assert shown.status == 201
    assert shown.request_head.startswith(f"PUT /relay/v1/events/bushy/results/{sent.date} HTTP/1.1\n")
    assert f'Idempotency-Key: "{sent.submission}"' in shown.request_head
    assert json.loads(shown.answer_body) == receipt_of(sent)
    assert "Content-Type: application/json" in shown.answer_head
    assert TOKEN not in repr(shown)
    assert "tracks-you" not in repr(shown)


def test_an_answer_is_shown_in_part_when_it_is_long_or_no_text(ear: tuple[type[_Ear], int]) -> None:
    kind, port = ear
    kind.answer = b"\xff" + b"x" * 60_000
    master = HttpMaster(f"http://{HOST}:{port}", TOKEN, clock=SystemClock())
    outcome = master.send(parcel())
    master.close()
    assert isinstance(outcome, Deferred)
    assert outcome.exchange.answer_body == "\ufffd" + "x" * 4095


def test_what_was_asked_is_shown_when_nothing_was_answered(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh()
    server.script({"submission": sent.submission, "cut": True})
    outcome = master.send(sent)
    assert isinstance(outcome, Deferred)
    assert outcome.exchange.status is None
    assert outcome.exchange.request_head.startswith("PUT ")
    assert TOKEN not in repr(outcome)


def test_an_event_stays_one_part_of_the_address_when_its_name_is_odd(ear: tuple[type[_Ear], int]) -> None:
    kind, port = ear
    master = HttpMaster(f"http://{HOST}:{port}", TOKEN, clock=SystemClock())
    master.send(replace(parcel(), event="../a b?c#d"))
    master.receipt("x/../y")
    master.close()
    assert [heard.line.split(" ", 1)[1] for heard in kind.heard] == [
        f"/v1/events/..%2Fa%20b%3Fc%23d/results/{parcel().date}",
        "/v1/submissions/x%2F..%2Fy",
    ]


def test_a_connection_is_used_again_when_sheets_follow_each_other(server: OtherMaster) -> None:
    with Proxy(server.port) as link:
        master = HttpMaster(f"http://{HOST}:{link.port}", TOKEN, clock=SystemClock())
        for _ in range(5):
            assert isinstance(master.send(fresh()), Accepted)
        assert link.connections == 1
        assert master.probe().cause is None
        assert link.connections == 2, "a probe is made on a new one"
        assert isinstance(master.send(fresh()), Accepted)
        assert link.connections == 2
        master.refresh()
        assert isinstance(master.send(fresh()), Accepted)
        assert link.connections == 3
        master.close()


def test_all_sheets_are_published_when_many_couriers_share_the_master(server: OtherMaster) -> None:
    with Proxy(server.port) as link:
        master = HttpMaster(f"http://{HOST}:{link.port}", TOKEN, clock=SystemClock())
        sent = [fresh() for _ in range(80)]
        left, outcomes = iter(sent), []
        taking = threading.Lock()

        def sender() -> None:
            while True:
                with taking:
                    one = next(left, None)
                if one is None:
                    return
                outcomes.append(master.send(one))

        senders = [threading.Thread(target=sender) for _ in range(8)]
        for each in senders:
            each.start()
        for each in senders:
            each.join(30)
        master.close()
        ids = {outcome.receipt.submission for outcome in outcomes if isinstance(outcome, Accepted)}
        assert ids == {one.submission for one in sent}
        assert link.connections <= 8


def test_pages_follow_each_other_when_there_are_many_receipts(ear: tuple[type[_Ear], int]) -> None:
    kind, port = ear
    master = HttpMaster(f"http://{HOST}:{port}", TOKEN, clock=SystemClock())
    master.receipts("2026-03-14T00:00:00+00:00", None, "a/b+c")
    master.close()
    assert kind.heard[0].line == "GET /v1/receipts?since=2026-03-14T00%3A00%3A00%2B00%3A00&cursor=a%2Fb%2Bc&limit=500"


def test_the_masters_clock_is_told_when_it_is_wrong(
    ear: tuple[type[_Ear], int], server: OtherMaster, master: HttpMaster
) -> None:
    kind, port = ear
    kind.status, kind.answer, kind.date = 200, b'{"service": "results-master"}', "Sat, 14 Mar 2015 09:00:00 GMT"
    wrong = HttpMaster(f"http://{HOST}:{port}", TOKEN, clock=SystemClock())
    answer = wrong.probe()
    wrong.close()
    assert answer.cause is None
    assert answer.master_time_offset_s is not None
    assert answer.master_time_offset_s < -86_400 * 365 * 10
    assert abs(master.probe().master_time_offset_s or 99) < 2, server.url


def test_a_rejection_keeps_the_masters_reasons_when_it_gives_them(server: OtherMaster, master: HttpMaster) -> None:
    sent = fresh()
    problem = {"title": "No", "errors": [{"pointer": "/finishers/0/time", "detail": "is before the start"}]}
    server.script({"submission": sent.submission, "status": 422, "body": problem})
    outcome = master.send(sent)
    assert isinstance(outcome, Rejected)
    assert [(reason.pointer, reason.detail) for reason in outcome.reasons] == [
        ("/finishers/0/time", "is before the start")
    ]
    assert isinstance(master.send(sent), Accepted)
    assert isinstance(master.receipt(sent.submission), Receipt)


def test_a_connection_is_reset_and_no_surprise_when_it_is_cut_as_soon_as_it_is_made(server: OtherMaster) -> None:
    with Proxy(server.port) as link:
        link.reset()
        master = HttpMaster(f"http://{HOST}:{link.port}", TOKEN, clock=SystemClock())
        # where in the call the reset strikes is a matter of microseconds
        assert {master.probe().cause for _ in range(100)} == {Cause.RESET}
        master.close()
