"""What the processes of a node write about a submission: enough to follow it, and nothing of anybody."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from resultsq.domain.submission import State
from resultsq.store.views import queries
from tests.integration.deploy import site as sites
from tests.integration.deploy.site import PASSWORD, SCANNER, STOPWATCH, Site
from tests.support.days import DAY
from tests.support.processes import OtherMaster, Process
from tests.support.waiting import wait_until

FILES = [("JoeBLOGGS-times.csv", STOPWATCH), ("JaneDOE-scans.txt", SCANNER)]
MASTER_TOKEN = "m4ster-s3cret"
PLANTED = ["BLOGGS", "JaneDOE", "A7654321", "A7654322", "00:17:31", PASSWORD, MASTER_TOKEN, "rq_"]


@dataclass(frozen=True)
class Node:
    """A site with a worker and a master that shares no code with either."""

    site: Site
    worker: Process
    master: OtherMaster

    def lines(self, process: Process, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in process.stderr.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"].startswith(event)]

    def settled(self, submission: str) -> State:
        def state() -> State | None:
            with self.site.database.read() as conn:
                found = queries.submission(conn, submission)
            assert found is not None
            return None if found.state in (State.QUEUED, State.SENDING) else found.state

        return wait_until(state, 30, "the end of the submission") or State.QUEUED


@pytest.fixture
def node(tmp_path: Path, other_master: OtherMaster) -> Iterator[Node]:
    env = {
        "RESULTSQ_DATA_DIR": str(tmp_path),
        "RESULTSQ_LOG_FORMAT": "json",
        "RESULTSQ_MASTER_URL": other_master.url,
        "RESULTSQ_MASTER_TOKEN": MASTER_TOKEN,
    }
    with sites.raised(tmp_path) as site, Process("worker", env=env) as worker:
        worker.wait_for("worker.starting", 60)
        yield Node(site, worker, other_master)
        print(worker)


def test_one_id_leads_from_a_request_to_its_attempt_and_nobody_is_named_when_results_pass(node: Node) -> None:
    site = node.site
    team = site.browser("bushy", **{"X-Request-ID": "from-the-form"})
    by_form = team.submit("bushy", FILES)
    bearer = {"Authorization": f"Bearer {site.tokens['richmond']}", "X-Request-ID": "from-the-api"}
    where = f"{site.url}/api/v1/submissions"
    parts = [("files", file) for file in FILES]
    body = {"event": "richmond", "date": DAY}
    said = [{"pointer": "/finishers/0/athlete", "detail": "A7654321 is JoeBLOGGS of nowhere"}]
    refusal = {"title": "JoeBLOGGS", "status": 422, "errors": said}
    node.master.script({"event": "richmond", "status": 422, "body": refusal,
                        "headers": {"Content-Type": "application/problem+json"}})  # fmt: skip
    sent = requests.post(where, body, files=parts, headers=bearer, timeout=20)
    assert (sent.status_code, sent.headers["X-Request-ID"]) == (201, "from-the-api")
    requests.post(where, body, headers={"Authorization": "Bearer rq_wrong"}, timeout=20)
    requests.get(f"{site.url}/results/JoeBLOGGS/A7654321?q=A7654321", timeout=20)
    ends = {"from-the-form": node.settled(by_form), "from-the-api": node.settled(sent.json()["id"])}
    assert ends == {"from-the-form": State.PUBLISHED, "from-the-api": State.REJECTED}

    wait_until(lambda: len(node.lines(node.worker, "attempt.")) >= 2, what="a line of each attempt")
    attempts = node.lines(node.worker, "attempt.")
    assert {line["request_id"]: line["submission"] for line in attempts} == {
        "from-the-form": by_form,
        "from-the-api": sent.json()["id"],
    }
    assert len(attempts) == 2
    for line in attempts:
        assert {"slug", "attempt", "status", "duration_s", "state", "timestamp", "level"} <= line.keys()
    asked = {(line["request_id"], line["route"]) for line in node.lines(site.web, "web.request")}
    assert {("from-the-form", "/submit/<slug>/send"), ("from-the-api", "/api/v1/submissions")} <= asked
    written = site.web.stdout + site.web.stderr + node.worker.stdout + node.worker.stderr
    assert [word for word in PLANTED if word in written] == []


def test_every_line_is_json_when_programs_read_the_log(node: Node) -> None:
    team = node.site.browser("bushy")
    node.settled(team.submit("bushy", FILES))
    node.worker.terminate()
    node.site.web.terminate()
    for line in (node.site.web.stderr + node.worker.stderr).splitlines():
        assert {"event", "level", "timestamp"} <= json.loads(line).keys()
