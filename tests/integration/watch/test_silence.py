"""Somebody notices when a part of the node falls silent: the other part, a dead-man service, a command of one's own."""

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from resultsq.settings import Settings
from resultsq.store.admin import alerts, web_processes
from resultsq.store.engine.session import Database
from resultsq.store.outbox import workers
from resultsq.watch import heartbeat, messenger
from tests.integration.watch.servers import webhook
from tests.support.manual_clock import ManualClock
from tests.support.nodes import StoreNode, migrated
from tests.support.processes import Process
from tests.support.waiting import wait_until

SILENT = timedelta(seconds=31)


class Quiet:
    """A node whose alerts are evaluated by hand."""

    def __init__(self, node: StoreNode, settings: Settings) -> None:
        self.node = node
        self.settings = settings

    @property
    def clock(self) -> ManualClock:
        return ManualClock(self.node.now)

    def standing(self) -> list[str]:
        """What holds after a look; messages are sent."""
        messenger.evaluate_alerts(self.settings, self.node.database, self.clock)
        messenger.send_waiting(self.settings, self.node.database, self.clock)
        with self.node.database.read() as conn:
            return [one.rule for one in alerts.standing(conn) if one.ended_at is None]

    def seen(self, work: Callable[..., None], name: str) -> None:
        self.node.database.write(lambda conn: work(conn, self.node.now, name))


@pytest.fixture
def quiet(store: Database, tmp_path: Path) -> Quiet:
    node = StoreNode(store)
    node.probe()
    return Quiet(node, Settings(data_dir=tmp_path))


@pytest.mark.parametrize(("part", "rule"), [(workers, "worker-silent"), (web_processes, "web-silent")])
def test_a_part_that_died_is_missed_until_one_like_it_is_back(quiet: Quiet, part: object, rule: str) -> None:
    assert quiet.standing() == []
    quiet.seen(part.alive, "first")  # type: ignore[attr-defined]
    quiet.node.pass_time(29)
    assert quiet.standing() == []
    quiet.node.pass_time(2)
    assert quiet.standing() == [rule]
    quiet.seen(part.alive, "second")  # type: ignore[attr-defined]
    assert quiet.standing() == [], "one of them is enough"


@pytest.mark.parametrize("part", [workers, web_processes])
def test_a_part_that_ended_in_good_order_is_not_missed(quiet: Quiet, part: object) -> None:
    quiet.seen(part.alive, "first")  # type: ignore[attr-defined]
    quiet.node.database.write(lambda conn: part.gone(conn, "first"))  # type: ignore[attr-defined]
    quiet.node.pass_time(3600)
    assert quiet.standing() == []


def test_web_processes_that_died_are_forgotten_after_a_day(quiet: Quiet) -> None:
    quiet.seen(web_processes.alive, "first")
    quiet.node.pass_time(25 * 3600)
    quiet.seen(web_processes.alive, "second")
    with quiet.node.database.read() as conn:
        assert conn.exec_driver_sql("SELECT name FROM web_processes").scalars().all() == ["second"]


# a dead-man service


@contextmanager
def _service(status: int = 200) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on the standard error."""

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ping/uuid?x=1", asked
        server.shutdown()
        thread.join()


def test_the_service_hears_of_work_and_not_of_a_worker_whose_cycles_fail(quiet: Quiet) -> None:
    with _service() as (url, asked):
        quiet.settings = quiet.settings.model_copy(update={"heartbeat_url": Settings(heartbeat_url=url).heartbeat_url})
        quiet.seen(workers.alive, "w1")
        heartbeat.beat(quiet.settings, quiet.node.database, quiet.clock)
        quiet.node.pass_time(SILENT.total_seconds())
        heartbeat.beat(quiet.settings, quiet.node.database, quiet.clock)
    assert asked == ["/ping/uuid?x=1", "/ping/uuid/fail?x=1"]


def test_a_store_that_does_not_answer_is_a_failure_that_the_service_hears_of(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'resultsq.db'}")
    with _service() as (url, asked):
        heartbeat.beat(Settings(data_dir=tmp_path, heartbeat_url=url), database, ManualClock(datetime.now(UTC)))
    database.close()
    assert asked == ["/ping/uuid/fail?x=1"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", None], ids=["nobody listens", "it refuses"])
def test_a_service_that_cannot_be_told_harms_nothing(quiet: Quiet, url: str | None) -> None:
    with _service(500) as (refusing, _):
        settings = Settings(data_dir=quiet.settings.data_dir, heartbeat_url=url or refusing)
        heartbeat.beat(settings, quiet.node.database, quiet.clock)


# a command


def _command(folder: Path, status: int = 0) -> Path:
    path = folder / "send an sms"
    path.write_text(f'#!/bin/sh\ncat >>"{folder}/said"; env >>"{folder}/environment"; exit {status}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_command_is_given_the_alert_and_no_secret_when_it_is_set(
    quiet: Quiet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESULTSQ_MASTER_TOKEN", "do not tell")
    quiet.settings = Settings(data_dir=tmp_path, alert_command=f"'{_command(tmp_path)}' --to operator")
    quiet.seen(workers.alive, "w1")
    quiet.node.pass_time(SILENT.total_seconds())
    assert quiet.standing() == ["worker-silent"]
    said = json.loads((tmp_path / "said").read_text())
    assert said["subject"] == "resultsq: worker-silent"
    assert "nothing is published" in said["text"]
    assert "do not tell" not in (tmp_path / "environment").read_text()


def test_what_could_not_leave_waits_and_is_shown_when_the_command_fails(quiet: Quiet, tmp_path: Path) -> None:
    quiet.settings = Settings(data_dir=tmp_path, alert_command=f"'{_command(tmp_path, status=3)}'")
    quiet.seen(workers.alive, "w1")
    quiet.node.pass_time(SILENT.total_seconds())
    quiet.standing()
    with quiet.node.database.read() as conn:
        (unsent,) = alerts.unsent(conn)
    assert (unsent.channel, unsent.count, unsent.error) == ("command", 1, "The command ended with status 3.")
    _command(tmp_path)
    quiet.node.pass_time(600)
    quiet.standing()
    with quiet.node.database.read() as conn:
        assert alerts.unsent(conn) == []
    assert (tmp_path / "said").read_text().count("resultsq: worker-silent") == 2, "the one that failed, and the next"


# real processes


def test_a_web_process_tells_people_when_its_worker_has_died_and_says_that_it_lives(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    node = StoreNode(migrated(f"sqlite:///{tmp_path / 'resultsq.db'}"))
    node.now = datetime.now(UTC) - timedelta(minutes=5)
    node.probe()
    node.database.write(lambda conn: workers.alive(conn, node.now, "w1"))
    hook = free_port()
    environ = {"RESULTSQ_DATA_DIR": str(tmp_path), "RESULTSQ_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{hook}/"}

    def living() -> int:
        with node.database.read() as conn:
            return int(conn.exec_driver_sql("SELECT count(*) FROM web_processes").scalar_one())

    with webhook(hook) as told, Process("web", "--port", "0", env=environ) as process:
        wait_until(lambda: any(one["subject"] == "resultsq: worker-silent" for one in told))
        wait_until(living)
        assert process.terminate() == 0
        assert "Traceback" not in process.stderr
    assert not living(), "it ended in good order"
    node.database.close()


def test_the_service_hears_when_a_worker_starts(tmp_path: Path, free_port: Callable[[], int]) -> None:
    migrated(f"sqlite:///{tmp_path / 'resultsq.db'}").close()
    with _service() as (url, asked):
        environ = {
            "RESULTSQ_DATA_DIR": str(tmp_path),
            "RESULTSQ_HEARTBEAT_URL": url,
            "RESULTSQ_MASTER_URL": f"http://127.0.0.1:{free_port()}",
        }
        with Process("worker", env=environ):
            wait_until(lambda: "/ping/uuid/start?x=1" in asked)
