"""The OpenAPI document says what the API does: no route is missing, and what it promises is kept."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.serving import make_server

from resultsq.domain.outcome import Cause
from resultsq.domain.role import Role
from resultsq.web import examples, openapi
from tests.conftest import give_up
from tests.integration.web.site import Site
from tests.support.processes import ROOT
from tests.support.services import Missing

SAMPLES = ROOT / "tests" / "samples"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A node on which every call of the API is open."""
    return make_site(registration=True)


def operations(site: Site) -> dict[tuple[str, str], dict[str, Any]]:
    document = site.open("GET", "/api/openapi.json").json
    assert document["openapi"] == "3.1.0"
    return {(method.upper(), path): one for path, ways in document["paths"].items() for method, one in ways.items()}


def test_every_route_of_the_api_is_described_and_nothing_else(site: Site) -> None:
    described = operations(site)
    assert set(described) == set(openapi.OPERATIONS)
    there = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.rule))
        for route in site.app.url_map.iter_rules()
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
        if route.rule.startswith("/api/v")
    }
    assert there <= set(described)
    cut = [where for where, one in described.items() if not one["summary"].endswith(".")]
    assert cut == [], "whole sentences"


def test_every_header_is_explained_to_programs_and_people(site: Site) -> None:
    page = site.open("GET", "/api/docs").text
    headers = [one for way in operations(site).values() for one in way["parameters"] if one["in"] == "header"]
    assert {one["name"] for one in headers} == {"Idempotency-Key", "If-Match", "As-Given"}
    assert all(one["description"].partition(":")[0] in page for one in headers)
    assert "already-here" in page


def test_a_check_takes_the_event_and_the_date_that_a_submission_needs(site: Site) -> None:
    paths = site.open("GET", "/api/openapi.json").json["paths"]
    checked, sent = (
        paths[f"/api/v1/{path}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        for path in ("check", "submissions")
    )
    assert set(checked["properties"]) == set(sent["properties"]) == {"event", "date"}
    assert ("required" in checked, sent["required"]) == (False, ["event", "date"])


def test_every_reference_leads_somewhere_when_the_document_is_read(site: Site) -> None:
    text = site.open("GET", "/api/openapi.json").text
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named
    assert named <= set(site.open("GET", "/api/openapi.json").json["components"]["schemas"])


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(site: Site) -> None:
    page = site.open("GET", "/api/docs").text
    for method, path in operations(site):
        assert f"{method} {path}</code>" in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_submitting_comes_before_what_operators_do_when_the_page_is_read(site: Site) -> None:
    shown = re.findall(r"<code class=\"text-break\">(\w+ /\S+)</code></h2>", site.open("GET", "/api/docs").text)
    assert shown[:3] == ["POST /api/v1/check", "POST /api/v1/submissions", "GET /api/v1/submissions"]
    assert len(shown) == len(openapi.OPERATIONS)
    described = [f"{method} {path}" for method, path in operations(site)]
    assert described.index("POST /api/v1/submissions") < described.index("POST /api/v1/holds")


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """The site behind a socket."""
    server = make_server("127.0.0.1", 0, site.app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_example_does_what_it_shows_when_it_is_pasted_into_a_shell(site: Site, address: str) -> None:
    if shutil.which("curl") is None:
        give_up(Missing("No curl here: install Debian's package of that name."))
    site.node.probe(Cause.TIMEOUT)
    site.node.pass_time(600)
    site.node.probe()
    ids = {"ID": site.node.accept("bushy", date="2013-11-30").id, "OUTAGE": "1", "NOTICE": "1"}
    ids["REGISTRATION"] = "7f2c3f4e-0d7b-4c58-9a3b-2f6f1f6f0c11"
    retry = {"verb": "retry", "filter": {"events": ["bushy"]}}
    ids["ACTION"] = site.call("POST", "/actions", Role.OPERATOR, json=retry).json["id"]
    for (method, path), operation in openapi.OPERATIONS.items():
        if (method, path) == ("DELETE", "/api/v1/holds/{hold}"):
            ids["HOLD"] = str(site.call("GET", "/holds", Role.ADMIN).json["holds"][0]["id"])
        token = site.tokens["bushy" if path.endswith(("submissions", "{submission}", "check")) else Role.ADMIN]
        line = examples.command(method, path, guarded=True).replace("2026-03-14", "2013-12-07")
        env = {"PATH": os.environ["PATH"], "NODE": address, "TOKEN": token, **ids}
        shown = ["sh", "-c", f"{line} -s -o /dev/null -w '%{{http_code}}'"]
        done = subprocess.run(shown, cwd=SAMPLES, env=env, capture_output=True, text=True, timeout=30)
        assert int(done.stdout) in operation.answers, (line, done)


@pytest.mark.parametrize(("method", "path"), sorted(openapi.OPERATIONS))
def test_it_keeps_its_word_when_anything_at_all_is_sent(site: Site, method: str, path: str) -> None:
    site.node.accept()
    operation = schemathesis.openapi.from_wsgi("/api/openapi.json", site.app)[path][method]
    headers = {"Authorization": f"Bearer {site.tokens['admin']}"}

    @settings(max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=strategies.data(), mode=strategies.sampled_from(GenerationMode))
    def ask(data: strategies.DataObject, mode: GenerationMode) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    ask()


def test_the_api_names_the_other_nodes(make_site: Callable[..., Site]) -> None:
    others = make_site(other_nodes="https://second.example.org/, https://third.example.org/results")
    servers = others.open("GET", "/api/openapi.json").json["servers"]
    urls = ["/", "https://second.example.org", "https://third.example.org/results"]
    assert [one["url"] for one in servers] == urls
    page = others.open("GET", "/api/docs").text
    assert "https://second.example.org" in page
    assert "published once" in page
    alone = make_site()
    assert "servers" not in alone.open("GET", "/api/openapi.json").json
    assert "published once" not in alone.open("GET", "/api/docs").text
