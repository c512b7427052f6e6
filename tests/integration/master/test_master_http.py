"""The reference master over a real socket, row by row of the upload contract."""

import gzip
import json
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from resultsq.domain.errors import SettingsError
from resultsq.domain.sheet import digest
from resultsq.master.app import TokenRule, create_app
from resultsq.master.database import open_engine
from resultsq.master.ledger import Ledger
from resultsq.master.serve import serve
from tests.support import services
from tests.support.processes import Process
from tests.support.waiting import wait_until

DATE = "2013-12-07"
PROGRAM = "import json, sys; from resultsq.master.serve import serve; serve(**json.loads(sys.argv[1]))"


class Master:
    """A running master, and how a node talks to it."""

    def __init__(self, process: Process, url: str) -> None:
        self.process = process
        self.url = url

    def get(self, path: str, token: str | None = "relay-secret", **query: str) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return requests.get(self.url + path, query, headers=headers, timeout=10)

    def put(
        self,
        event: str,
        body: bytes | None = None,
        submission: str | None = None,
        *,
        on: str | None = None,
        date: str = DATE,
        headers: Mapping[str, str | None] | None = None,
    ) -> requests.Response:
        """A PUT as a node sends it; `headers` overrule, None leaves one out."""
        body = sheet(event) if body is None else body
        sent: dict[str, str | None] = {
            "Authorization": "Bearer relay-secret",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Idempotency-Key": f'"{submission or uuid.uuid4()}"',
            **({"If-None-Match": "*"} if on is None else {"If-Match": f'"{on}"'}),
            **(headers or {}),
        }
        return requests.put(
            f"{self.url}/v1/events/{event}/results/{date}",
            gzip.compress(body) if sent["Content-Encoding"] == "gzip" else body,
            headers={name: value for name, value in sent.items() if value is not None},
            timeout=20,
        )


@contextmanager
def running(database_url: str, **options: Any) -> Iterator[Master]:
    port = services.free_port()
    arguments = {"database_url": database_url, "port": port, "tokens": TOKENS, **options}
    with Process(json.dumps(arguments), program=(sys.executable, "-c", PROGRAM)) as process:
        master = Master(process, f"http://127.0.0.1:{port}")
        wait_until(lambda: master.get("/v1/health", None).ok, 60, f"the master: {process}")
        yield master


TOKENS = ["relay:relay-secret", "other:other-secret", "team:bushy,fulham:team-secret", "relay:bushy:relay-bushy-secret"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def master(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('master') / 'master.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgresql").database())
        yield stack.enter_context(running(url))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """A master that knows one event and takes sheets of 2,000 bytes."""
    url = f"sqlite:///{tmp_path_factory.mktemp('small') / 'master.db'}"
    with running(url, events=["bushy"], max_body_bytes=2000) as master:
        yield master


@pytest.fixture
def event() -> str:
    """An event of the test's own."""
    return f"e-{uuid.uuid4()}"


def sheet(event: str, count: int = 3, /, **changes: object) -> bytes:
    """Not in the form that resultsq itself writes: the bytes count, not the form."""
    content = {
        "submitted_at": "2013-12-07T10:42:11Z",
        "submitted_by": "bushy",
        "schema": "resultsq.results/1",
        "event": event,
        "date": DATE,
        "finishers": [{"time": "00:17:31", "athlete": f"A{1234567 + n}", "position": n + 1} for n in range(count)],
        "volunteers": [],
        **changes,
    }
    return json.dumps(content, indent=2).encode()


def check_problem(answer: requests.Response, status: int) -> dict[str, Any]:
    """A problem detail that says something and quotes no results."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["status"] == status
    assert content["title"]
    assert content["detail"].endswith((".", '"…").'))
    assert "A1234567" not in answer.text
    return content


def test_the_probe_is_answered_without_credentials_when_the_master_is_up(master: Master) -> None:
    answer = master.get("/v1/health", token=None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json()["service"] == "results-master"
    assert answer.json()["contract"] == "1.1"


def test_the_probe_says_how_much_there_is_and_since_when(master: Master, event: str) -> None:
    before = master.get("/v1/health", token=None).json()["latest"]["count"]
    received_at = master.put(event, sheet(event), str(uuid.uuid4())).json()["received_at"]
    assert master.get("/v1/health", token=None).json()["latest"] == {"received_at": received_at, "count": before + 1}


def test_a_receipt_is_given_when_a_sheet_is_committed(master: Master, event: str) -> None:
    submission, body = str(uuid.uuid4()), sheet(event)
    answer = master.put(event, body, submission)
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/json")
    receipt = answer.json()
    received_at = receipt.pop("received_at")
    assert received_at.endswith("Z")
    assert datetime.fromisoformat(received_at).tzinfo is not None
    assert receipt == {
        "submission": submission,
        "event": event,
        "date": DATE,
        "revision": 1,
        "digest": digest(body),
    }


def test_the_same_receipt_is_given_when_a_sheet_is_repeated_by_whatever_road(master: Master, event: str) -> None:
    submission, body = str(uuid.uuid4()), sheet(event)
    first = master.put(event, body, submission)
    roads: list[dict[str, Any]] = [
        {},
        {"on": str(uuid.uuid4())},
        {"headers": {"Content-Encoding": "identity"}},
        {"headers": {"Content-Encoding": None, "Content-Type": "application/json; charset=utf-8"}},
        {"headers": {"Authorization": "bearer other-secret"}},
    ]
    for road in roads:
        again = master.put(event, body, submission, **road)
        assert (again.status_code, again.json()) == (200, first.json())
    looked_up = master.get(f"/v1/submissions/{submission}")
    assert (looked_up.status_code, looked_up.json()) == (200, first.json())


def test_the_committed_bytes_are_given_when_the_sheet_is_asked_for(master: Master, event: str) -> None:
    path = f"/v1/events/{event}/results/{DATE}"
    check_problem(master.get(path), 404)
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    master.put(event, sheet(event), first)
    correction = sheet(event, 4)
    answer = master.put(event, correction, second, on=first)
    assert (answer.status_code, answer.json()["revision"]) == (201, 2)
    published = master.get(path)
    assert (published.status_code, published.headers["ETag"]) == (200, f'"{second}"')
    assert published.headers["Content-Type"] == "application/json"
    assert published.content == correction


def test_an_id_is_refused_when_it_was_committed_with_another_digest(master: Master, event: str) -> None:
    submission = str(uuid.uuid4())
    master.put(event, sheet(event), submission)
    check_problem(master.put(event, sheet(event, 4), submission), 409)
    # whatever the precondition says, and whether or not the other sheet is one at all
    check_problem(master.put(event, b"{}", submission, on=str(uuid.uuid4())), 409)


def test_the_head_is_told_when_the_precondition_names_another(master: Master, event: str) -> None:
    submission = str(uuid.uuid4())
    assert check_problem(master.put(event, on=submission), 412)["head"] is None
    master.put(event, submission=submission)
    for precondition in (None, str(uuid.uuid4())):
        content = check_problem(master.put(event, on=precondition), 412)
        assert content["head"] == {"submission": submission, "revision": 1}


ID = "0b0e3a5e-5f0e-4f5c-9d5e-0d6b8e2f6a11"
REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "broken JSON": (400, {"body": b'{"schema": '}),
    "no body": (400, {"body": b""}),
    "no key": (400, {"headers": {"Idempotency-Key": None}}),
    "key without quotes": (400, {"headers": {"Idempotency-Key": ID}}),
    "key that is no UUID": (400, {"headers": {"Idempotency-Key": '"7"'}}),
    "key in another spelling": (400, {"headers": {"Idempotency-Key": f'"{ID.upper()}"'}}),
    "no precondition": (400, {"headers": {"If-None-Match": None}}),
    "both preconditions": (400, {"headers": {"If-Match": f'"{ID}"'}}),
    "If-None-Match of an id": (400, {"headers": {"If-None-Match": f'"{ID}"'}}),
    "If-Match of anything": (400, {"headers": {"If-None-Match": None, "If-Match": "*"}}),
    "If-Match of several": (400, {"headers": {"If-None-Match": None, "If-Match": f'"{ID}", "{ID}"'}}),
    "weak If-Match": (400, {"headers": {"If-None-Match": None, "If-Match": f'W/"{ID}"'}}),
    "no credentials": (401, {"headers": {"Authorization": None}}),
    "other token": (401, {"headers": {"Authorization": "Bearer relay-secre"}}),
    "other scheme": (401, {"headers": {"Authorization": "Basic relay-secret"}}),
    "empty token": (401, {"headers": {"Authorization": "Bearer "}}),
    "not this event": (403, {"headers": {"Authorization": "Bearer team-secret"}}),
    "no date": (404, {"date": "yesterday"}),
    "other form of date": (404, {"date": "20131207"}),
    "no such day": (404, {"date": "2013-02-30"}),
    "other type": (415, {"headers": {"Content-Type": "text/csv"}}),
    "no type": (415, {"headers": {"Content-Type": None}}),
    "other coding": (415, {"headers": {"Content-Encoding": "br"}}),
}


@pytest.mark.parametrize(("status", "request_"), REFUSED.values(), ids=REFUSED.keys())
def test_nothing_is_published_when_a_request_is_refused(
    master: Master, event: str, status: int, request_: dict[str, Any]
) -> None:
    answer = master.put(event, **request_)
    check_problem(answer, status)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert master.get(f"/v1/events/{event}/results/{DATE}").status_code == 404


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "other event": ({"event": "nonsuch"}, "/event"),
    "other date": ({"date": "2013-12-14"}, "/date"),
    "hole": ({"finishers": [{"position": 2, "athlete": None, "time": None}]}, "/finishers/0/position"),
    "no time": ({"finishers": [{"position": 1, "athlete": None, "time": "17:31"}]}, "/finishers/0/time"),
    "no athlete": ({"finishers": [{"position": 1, "athlete": "1", "time": None}]}, "/finishers/0/athlete"),
    "NUL": ({"submitted_by": "a\0"}, "/submitted_by"),
}


@pytest.mark.parametrize(("changes", "pointer"), INVALID.values(), ids=INVALID.keys())
def test_reasons_with_places_are_given_when_a_sheet_is_invalid(
    master: Master, event: str, changes: dict[str, Any], pointer: str
) -> None:
    content = check_problem(master.put(event, sheet(event, **changes)), 422)
    assert [error["pointer"] for error in content["errors"]] == [pointer]
    assert all(error["detail"] for error in content["errors"])
    assert master.get(f"/v1/events/{event}/results/{DATE}").status_code == 404


PACKED = gzip.compress(sheet("bushy"))


@pytest.mark.parametrize(
    "body", [sheet("bushy"), PACKED[:-9], PACKED + b"more", b""], ids=["plain", "cut", "longer", "empty"]
)
def test_a_body_is_refused_when_it_is_not_the_gzip_it_claims_to_be(small: Master, body: bytes) -> None:
    # put() packs only where it says gzip in small letters; to a server the coding's case makes no difference
    check_problem(small.put("bushy", body, headers={"Content-Encoding": "GZIP"}), 400)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_sheet_is_refused_when_it_is_longer_than_the_limit(small: Master, coding: str) -> None:
    long = sheet("bushy", 60)
    assert len(gzip.compress(long)) < 2000 < len(long)
    check_problem(small.put("bushy", long, headers={"Content-Encoding": coding}), 413)


def test_memory_stays_small_when_a_small_body_unpacks_to_a_huge_one(master: Master) -> None:
    def peak_kb() -> int:
        status = Path(f"/proc/{master.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    before = peak_kb()
    check_problem(master.put("bushy", bytes(96 * 2**20)), 413)
    assert peak_kb() - before < 48 * 1024


def test_an_event_is_unknown_when_the_master_was_given_a_list_without_it(small: Master) -> None:
    check_problem(small.put("nonsuch"), 404)
    check_problem(small.get(f"/v1/events/nonsuch/results/{DATE}"), 404)
    assert small.put("bushy").status_code in (201, 412)


def test_a_token_of_two_events_is_good_for_those_when_it_is_used(master: Master) -> None:
    team = {"Authorization": "Bearer team-secret"}
    path = f"/v1/events/fulham/results/{DATE}"
    submission = str(uuid.uuid4())
    assert master.put("fulham", submission=submission, headers=team).status_code == 201
    assert master.get(path, "team-secret").status_code == 200
    assert master.get(f"/v1/submissions/{submission}", "team-secret").status_code == 200


def test_other_events_are_not_shown_when_a_token_does_not_cover_them(master: Master, event: str) -> None:
    submission = str(uuid.uuid4())
    assert master.put(event, submission=submission).status_code == 201
    check_problem(master.get(f"/v1/events/{event}/results/{DATE}", "team-secret"), 403)
    check_problem(master.get(f"/v1/submissions/{submission}", "team-secret"), 404)


@pytest.mark.parametrize(
    "path", ["/", "/v1/submissions/7", f"/v1/submissions/{ID}", "/v1/events/B%00/results/2013-12-07"]
)
def test_nothing_is_there_when_the_address_names_nothing(master: Master, path: str) -> None:
    check_problem(master.get(path), 404)


def test_a_method_is_refused_when_the_contract_has_no_such_call(master: Master, event: str) -> None:
    url = f"{master.url}/v1/events/{event}/results/{DATE}"
    answer = requests.delete(url, headers={"Authorization": "Bearer relay-secret"}, timeout=10)
    check_problem(answer, 405)
    assert "PUT" in answer.headers["Allow"]


@pytest.mark.parametrize("path", [f"/v1/submissions/{ID}", "/v1/receipts", f"/v1/events/a/results/{DATE}"])
def test_nothing_is_told_when_credentials_are_missing(master: Master, path: str) -> None:
    check_problem(master.get(path, token=None), 401)
    check_problem(master.get(path, token="stranger"), 401)


def test_a_node_sees_its_own_receipts_when_it_reconciles(master: Master, event: str) -> None:
    events = [f"{event}-{n}" for n in range(5)]
    receipts = [master.put(each).json() for each in events]
    master.put(f"{event}-other", headers={"Authorization": "Bearer other-secret"})
    since, until = receipts[1]["received_at"], receipts[4]["received_at"]
    seen: list[object] = []
    cursor: dict[str, str] = {}
    while True:
        page = master.get("/v1/receipts", since=since, until=until, limit="2", **cursor).json()
        assert len(page["receipts"]) <= 2
        seen += page["receipts"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == receipts[1:4]
    everything = master.get("/v1/receipts", limit="1000").json()["receipts"]
    assert {receipt["event"] for receipt in everything}.isdisjoint({f"{event}-other"})


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2013-12-07T10:42:11"},
        {"until": "soon"},
        {"since": "0001-01-01T00:00:00+12:00"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "²"},
        {"cursor": "7"},
    ],
)
def test_receipts_are_refused_when_a_parameter_makes_no_sense(master: Master, query: dict[str, str]) -> None:
    check_problem(master.get("/v1/receipts", **query), 400)


def at_once(*calls: Callable[[], requests.Response]) -> list[requests.Response]:
    start = threading.Barrier(len(calls))

    def call(work: Callable[[], requests.Response]) -> requests.Response:
        start.wait(60)
        return work()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def test_a_sheet_is_committed_once_when_it_comes_eight_times_at_once(master: Master, event: str) -> None:
    submission = str(uuid.uuid4())
    answers = at_once(*[lambda: master.put(event, submission=submission)] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.text for answer in answers}) == 1


def test_one_is_published_when_eight_come_for_the_same_event_at_once(master: Master, event: str) -> None:
    answers = at_once(*[lambda: master.put(event)] * 8)
    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 7
    [winner] = [answer.json() for answer in answers if answer.status_code == 201]
    heads = [answer.json()["head"] for answer in answers if answer.status_code == 412]
    assert heads == [{"submission": winner["submission"], "revision": 1}] * 7


def test_it_is_told_to_come_later_when_the_database_does_not_answer(store_url: str, event: str) -> None:
    holder, impatient = open_engine(store_url), open_engine(store_url, statement_timeout_s=0.2)
    Ledger(holder).create_tables()
    client = create_app(Ledger(impatient), tokens={"secret": TokenRule("relay")}).test_client()
    with holder.begin() as connection:  # on SQLite this is the lock already
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE master_sheets IN ACCESS EXCLUSIVE MODE")
        answer = client.put(
            f"/v1/events/{event}/results/{DATE}",
            data=sheet(event),
            headers={"Authorization": "Bearer secret", "Idempotency-Key": f'"{ID}"', "If-None-Match": "*"},
            content_type="application/json",
        )
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    holder.dispose()
    impatient.dispose()


def test_every_answered_sheet_is_there_and_whole_when_the_master_is_killed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'master.db'}"
    answered: dict[str, dict[str, Any]] = {}
    sent = {f"e-{n}": (str(uuid.uuid4()), sheet(f"e-{n}", 200)) for n in range(400)}

    def send(master: Master, event: str) -> None:
        submission, body = sent[event]
        try:
            answer = master.put(event, body, submission)
        except requests.RequestException:
            return
        assert answer.status_code == 201
        answered[event] = answer.json()

    with running(url) as master, ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(send, master, event) for event in sent]
        wait_until(lambda: len(answered) > 40, 60, "forty receipts", every_s=0.001)
        master.process.kill()
        for each in sending:
            each.result()
    assert 40 < len(answered) < len(sent)
    with running(url) as master:
        for event, receipt in answered.items():
            submission, body = sent[event]
            assert master.get(f"/v1/submissions/{submission}").json() == receipt
            assert master.get(f"/v1/events/{event}/results/{DATE}").content == body
    engine = open_engine(url)
    with engine.connect() as connection:
        counts = connection.exec_driver_sql(
            "SELECT count(f.position) FROM master_sheets s LEFT JOIN master_finishers f ON f.sheet = s.number"
            " GROUP BY s.number"
        )
        assert {count for (count,) in counts} == {200}
    engine.dispose()


def test_a_sheet_in_flight_is_answered_when_the_master_is_told_to_end(tmp_path: Path) -> None:
    with running(f"sqlite:///{tmp_path / 'master.db'}", delay_s=1.5) as master, ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        answer = pool.submit(master.put, "bushy")
        time.sleep(1.0)  # nobody tells when it has arrived
        assert master.process.terminate() == 0
        assert answer.result().status_code == 201
        assert time.monotonic() - began > 1.5


def test_the_master_does_not_start_when_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments = {"database_url": f"sqlite:///{tmp_path / 'master.db'}", "port": taken.getsockname()[1]}
        with Process(json.dumps({**arguments, "tokens": TOKENS}), program=(sys.executable, "-c", PROGRAM)) as process:
            assert process.wait() == 1
            assert "SettingsError: The master cannot listen on 127.0.0.1:" in process.stderr


def test_the_master_does_not_start_when_its_database_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be opened"):
        serve(database_url=f"sqlite:///{tmp_path / 'missing' / 'master.db'}", tokens=TOKENS)


def test_a_put_is_told_when_to_come_back_when_all_slots_are_taken(tmp_path: Path) -> None:
    with running(f"sqlite:///{tmp_path / 'master.db'}", delay_s=1.5, slots=2) as master:
        answers = at_once(*[lambda event=f"e-{n}": master.put(event) for n in range(5)])
        assert sorted(answer.status_code for answer in answers) == [201, 201, 503, 503, 503]
        for answer in answers:
            if answer.status_code == 503:
                check_problem(answer, 503)
                assert timedelta(seconds=int(answer.headers["Retry-After"])) == timedelta(seconds=1)
        assert master.put("later").status_code == 201  # the slots are given back


def test_a_token_of_some_events_is_told_the_receipts_of_no_others(master: Master) -> None:
    ids = {event: str(uuid.uuid4()) for event in ("bushy", "fulham")}
    for event, submission in ids.items():
        assert master.put(event, sheet(event, 3, date="2013-11-30"), submission, date="2013-11-30").status_code == 201

    def told(token: str) -> set[str]:
        answer = master.get("/v1/receipts", token, limit="500")
        assert answer.status_code == 200
        return {one["submission"] for one in answer.json()["receipts"]}

    assert set(ids.values()) <= told("relay-secret")
    assert ids["bushy"] in told("relay-bushy-secret")
    assert ids["fulham"] not in told("relay-bushy-secret")
    assert not told("other-secret") & set(ids.values())
