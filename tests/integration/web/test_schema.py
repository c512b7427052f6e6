"""The OpenAPI document says what the API does: no route is missing, and what it promises is kept."""

import re
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

from resultsq.web import openapi
from tests.integration.web.site import Site

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


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
    assert all(one["summary"] for one in described.values())


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
