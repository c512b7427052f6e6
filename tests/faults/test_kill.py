"""kill -9 of a worker at each step of a delivery, and of the web process while it accepts: nothing is lost, and
nothing is at the master twice."""

import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import func, select, text, update

from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.engine.tables import Payload, Submission
from tests.support.nodes import finishers
from tests.support.processes import Process
from tests.support.relays import DAYS, Relay
from tests.support.waiting import wait_until

BOMB = """
import os, signal, sys
from resultsq.delivery import sender, dispatch
from resultsq.store.outbox import cycle

step = sys.argv.pop(1)

def arm(module, name, before, go_off):
    real = getattr(module, name)
    def armed(*arguments, **named):
        if before and go_off(None, arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*arguments, **named)
        if not before and go_off(answer, arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    setattr(module, name, armed)

match step:
    case "before the lease is committed":
        arm(cycle, "run_cycle", False, lambda taken, _: taken.leases)
    case "after the lease":
        arm(sender, "deliver", True, lambda *_: True)
    case "after the answer":
        arm(sender, "deliver", False, lambda *_: True)
    case "before the settlement is committed":
        arm(cycle, "run_cycle", False, lambda taken, _: taken.settled)
    case "after the settlement":
        arm(sender, "log_line", True, lambda *_: True)

from resultsq.cli import main
sys.argv[0] = "resultsq"
main()
"""
"""A worker that kills itself, as a power cut would, at the step that it is told."""

STEPS = (
    "before the lease is committed",
    "after the lease",
    "after the answer",
    "before the settlement is committed",
    "after the settlement",
)

Start = Callable[..., Process]


def start_bomb(start_process: Start, step: str, environment: dict[str, str]) -> Process:
    program = (sys.executable, "-c", BOMB, step)
    return start_process("worker", "--name", "w1", env=environment, program=program)


def test_a_sheet_is_at_the_master_once_when_five_workers_died_on_it_each_at_another_step(
    sqlite_relay: Relay, start_process: Start, tmp_path: Path
) -> None:
    relay = sqlite_relay
    (first,) = relay.accept()
    seen = []
    for step in STEPS:
        dead = start_bomb(start_process, step, relay.environment(DATA_DIR=tmp_path))
        assert dead.wait(30) == -signal.SIGKILL, str(dead)
        tries = [one.outcome for one in relay.node.attempts(first)]
        seen.append((tries, relay.node.state(first), first in relay.master.receipts()))
    assert seen == [
        ([], State.QUEUED, False),
        ([None], State.SENDING, False),
        (["unknown", None], State.SENDING, True),
        (["unknown", "unknown", None], State.SENDING, True),
        (["unknown", "unknown", "unknown", "accepted"], State.PUBLISHED, True),
    ]
    relay.assert_all_there_once([first])
    assert len(relay.puts()) == 1, "the master was asked for its receipt before anything was sent again"


def test_a_sheet_is_published_once_when_its_worker_is_killed_during_the_upload(
    relay: Relay, start_process: Start, tmp_path: Path
) -> None:
    relay.master.settings(delay=15.0)
    environment = relay.environment(DATA_DIR=tmp_path)
    ids = relay.accept(4)
    worker = start_process("worker", "--name", "w1", env=environment)
    wait_until(lambda: len(relay.puts()) == 2, 60)
    worker.kill()
    assert relay.node.count(state=State.SENDING) == 2
    relay.master.settings(delay=0.0)
    start_process("worker", "--name", "w1", env=environment)
    relay.wait_until_published(4, 30)
    relay.assert_all_there_once(ids)
    assert len(relay.puts()) <= 6, "one more at most for each that was on its way"


def test_another_worker_takes_over_when_one_is_gone_for_good_and_its_leases_run_out(
    sqlite_relay: Relay, start_process: Start, tmp_path: Path
) -> None:
    relay = sqlite_relay
    environment = relay.environment(DATA_DIR=tmp_path)
    ids = relay.accept(2)
    dead = start_bomb(start_process, "after the lease", environment)
    assert dead.wait(30) == -signal.SIGKILL, str(dead)
    start_process("worker", "--name", "w2", env=environment)
    folder = (tmp_path / "worker-folder").read_text()
    wait_until(lambda: relay.node.link().prober == f"w2-{folder}", 30)
    assert relay.node.count(state=State.SENDING) == 2, "nobody takes them while they may still be on their way"
    until = relay.node.row(ids[0]).lease_until
    relay.node.database.write(  # as if 23 of their 25 s had passed
        lambda conn: conn.execute(update(Submission).values(lease_until=until - timedelta(seconds=23)))
    )
    relay.wait_until_published(2)
    relay.assert_all_there_once(ids)
    for submission in ids:
        tries = [(one.worker, one.outcome, one.cause) for one in relay.node.attempts(submission)]
        assert tries == [(f"w1-{folder}", "unknown", Cause.WORKER_GONE), (f"w2-{folder}", "accepted", None)]


def sheet_of(number: int, day: str) -> dict[str, Any]:
    return {
        "event": "bushy",
        "date": day,
        "finishers": [one.model_dump() for one in finishers(number % 40 + 1)],
        "volunteers": [],
    }


class Team:
    """Posts sheets one after the other, each until it is acknowledged."""

    def __init__(self, url: str, token: str, days: list[str]) -> None:
        self._url, self._token, self._days = url, token, days
        self.acknowledged: dict[str, tuple[str, str]] = {}  # day → id and digest
        self.strange: list[str] = []
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        for number, day in enumerate(self._days):
            while day not in self.acknowledged:
                try:
                    answer = requests.post(
                        f"{self._url}/api/v1/submissions",
                        json=sheet_of(number, day),
                        headers={
                            "Authorization": f"Bearer {self._token}",
                            "Idempotency-Key": day,
                            "As-Given": "already-here, day-long-ago",  # the same finishers on some days
                        },
                        timeout=10,
                    )
                except requests.RequestException:
                    time.sleep(0.05)
                    continue
                if answer.status_code in (200, 201):
                    self.acknowledged[day] = (answer.json()["id"], answer.json()["digest"])
                else:
                    self.strange.append(f"{answer.status_code} {answer.text}")
                    time.sleep(0.05)


def test_every_acknowledged_sheet_is_there_once_when_the_web_process_is_killed_at_random(
    sqlite_relay: Relay, start_process: Start, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    relay = sqlite_relay
    port, token = free_port(), relay.token("bushy")
    environment = relay.environment(DATA_DIR=tmp_path)
    chance = random.Random(7)

    def start() -> Process:
        process = start_process("web", "--port", str(port), env=environment)
        process.wait_for("web.ready", 30)
        return process

    teams = [Team(f"http://127.0.0.1:{port}", token, DAYS[number * 50 : number * 50 + 50]) for number in range(4)]
    web = start()
    for team in teams:
        team.start()
    acknowledged = 0
    for _ in range(3):
        acknowledged += chance.randrange(25, 60)
        wait_until(lambda: sum(len(team.acknowledged) for team in teams) >= acknowledged, 30)  # noqa: B023
        web.kill()
        web = start()
    for team in teams:
        team.join()

    assert not [one for team in teams for one in team.strange]
    told = {day: kept for team in teams for day, kept in team.acknowledged.items()}
    assert len(told) == 200 == len({submission for submission, _ in told.values()}) == relay.node.count()
    for day, (submission, digest) in told.items():
        row = relay.node.row(submission)
        assert (row.date, row.digest) == (day, digest)
    with relay.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(Payload)).scalar_one() == 200
        assert conn.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
