"""A kind that is a package, a line and a template walks the whole way, in real processes on real parts."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from resultsq.delivery.bundle import new_key
from resultsq.domain.role import Role
from resultsq.store.admin import accounts, tokens
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from tests.integration.deploy import site as sites
from tests.integration.deploy.site import NOW, PASSWORD, Browser, Site
from tests.integration.deploy.test_logs import FILES
from tests.support.nodes import migrated
from tests.support.passwords import hashed
from tests.support.processes import Process
from tests.support.services import HOST
from tests.support.toy.plug import ENVIRONMENT, RESULTSQ
from tests.support.waiting import wait_until

TOKEN = "token-of-this-node"


@dataclass
class Walk:
    """A node and its master, which know the toy kind; no worker runs yet."""

    site: Site
    master: str
    operator: str
    env: dict[str, str]

    def post(self, value: object, token: str = "", id_: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or self.operator}"}
        if id_ is not None:
            headers["Idempotency-Key"] = f'"{id_}"'
        return requests.post(f"{self.site.url}/api/v1/kites", json=value, headers=headers, timeout=20)

    def accepted(self, *colours: str) -> str:
        answer = self.post({"colours": colours})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def state(self, id_: str) -> str:
        with self.site.database.read() as conn:
            return conn.execute(select(Submission.state).where(Submission.id == id_)).scalar_one()

    def at_master(self, id_: str) -> requests.Response:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        return requests.get(f"{self.master}/v1/submissions/{id_}", headers=bearer, timeout=20)

    def desk(self) -> Browser:
        """The operator's browser."""
        browser = Browser(self.site.url, {})
        assert browser.fill("/login", "/login", {"name": "op", "password": PASSWORD}).status_code == 303
        return browser


@pytest.fixture
def walk(tmp_path: Path, start_process: Callable[..., Process]) -> Iterator[Walk]:
    far = start_process("master", "--port", "0", "--token", TOKEN, program=RESULTSQ, env=_at(tmp_path / "far"))
    far.wait_for("master.ready", 60)
    port = re.search(r"127\.0\.0\.1:(\d+)|port\W+(\d+)", far.stderr)
    assert port is not None, far
    master = f"http://{HOST}:{port[1] or port[2]}"
    here = {"master_url": master, "master_token": TOKEN, "bundle_keys": new_key()}
    with sites.raised(tmp_path, RESULTSQ, **here) as site:
        stored = hashed(PASSWORD)
        site.database.write(lambda conn: accounts.add(conn, NOW, "op", stored, Role.OPERATOR, []))
        operator = site.database.write(lambda conn: tokens.issue(conn, NOW, "desk", Role.OPERATOR, None))
        env = {f"RESULTSQ_{name.upper()}": value for name, value in here.items()} | _at(tmp_path)
        yield Walk(site, master, operator, env)


def _at(folder: Path) -> dict[str, str]:
    return {"RESULTSQ_DATA_DIR": str(folder), "RESULTSQ_LOG_FORMAT": "json"} | ENVIRONMENT


def test_a_new_kind_goes_from_acceptance_to_the_masters_receipt(
    walk: Walk, start_process: Callable[..., Process]
) -> None:
    kite, odd = walk.accepted("red", "blue"), walk.accepted("a", "b", "c", "d")
    results = walk.site.browser("bushy").submit("bushy", FILES)
    start_process("worker", program=RESULTSQ, env=walk.env).wait_for("worker.starting", 60)
    wait_until(lambda: walk.state(kite) == walk.state(results) == "published", 60, "both kinds are published")
    receipt = walk.at_master(kite).json()
    assert (receipt["kind"], receipt["submission"]) == ("kites", kite)
    wait_until(lambda: walk.state(odd) == "rejected", 30, "the master refuses the other")
    desk = walk.desk()
    page = desk.get(f"/admin/submissions/{kite}").text
    assert "A kite of 2 colours" in page
    assert re.search(r'<ul class="kite"><li>red</li><li>blue</li></ul>', page), page
    assert "No kite has so many colours." in desk.get(f"/admin/submissions/{odd}").text
    listed = {kind: desk.get(f"/admin/submissions?kinds={kind}").text for kind in ("kites", "results")}
    assert [kite in listed[kind] for kind in listed] == [True, False]
    assert [results in listed[kind] for kind in listed] == [False, True]


def test_a_new_kind_is_accepted_once_and_refused_with_its_reason(walk: Walk) -> None:
    id_ = str(uuid.uuid4())
    first, again = (walk.post({"colours": ["red"]}, id_=id_) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"] == id_
    assert walk.post({"colours": ["blue"]}, id_=id_).status_code == 422
    bad = walk.post({"colours": "red"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["pointer"] == "/colours"
    assert walk.post({"colours": ["red"]}, walk.site.tokens["bushy"]).status_code == 403
    nowhere = requests.post(
        f"{walk.site.url}/api/v1/boats", json={}, headers={"Authorization": f"Bearer {walk.operator}"}, timeout=20
    )
    assert nowhere.status_code == 404
    looked = requests.get(
        f"{walk.site.url}/api/v1/submissions/{id_}", headers={"Authorization": f"Bearer {walk.operator}"}, timeout=20
    )
    assert (looked.status_code, looked.json()["state"]) == (200, "queued")


def test_a_new_kind_travels_in_a_bundle_to_another_node_and_to_the_master(
    walk: Walk, tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    kite = walk.accepted("red", "blue")
    bundle = tmp_path / "bundle"

    def run(*arguments: str | Path, env: dict[str, str]) -> Any:
        ran = start_process(*arguments, program=RESULTSQ, env=env)
        assert ran.wait(60) == 0, str(ran)
        return json.loads(ran.stdout) if "--json" in arguments else ran.stdout

    run("export", bundle, env=walk.env)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other: Database = migrated(f"sqlite:///{elsewhere / 'resultsq.db'}")
    run("import", bundle, env=walk.env | _at(elsewhere))
    with other.read() as conn:
        row = conn.execute(select(Submission.id, Submission.kind, Submission.event_id, Submission.in_doubt)).one()
    assert tuple(row) == (kite, "kites", 0, True)
    other.close()
    run("import", "--to-master", bundle, env=walk.env)
    assert walk.at_master(kite).status_code == 200
    start_process("worker", program=RESULTSQ, env=walk.env).wait_for("worker.starting", 60)
    wait_until(lambda: walk.state(kite) == "published", 60, "it is published here by the same receipt")
