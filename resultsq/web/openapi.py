"""The API described for programs, /api/openapi.json, and for people, /api/docs. Made of the shapes and the routes.

The description of an operation is its view's docstring; its request and answers are in the table here, which a
test holds against the routes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Flask, Response, current_app, json, render_template
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from resultsq.domain.filter import Filter
from resultsq.domain.relay import node_addresses
from resultsq.domain.submission import State
from resultsq.kinds.registrations.kind import RegistrationDetails
from resultsq.kinds.results.check import Report
from resultsq.kinds.results.corrections_files import AS_GIVEN
from resultsq.kinds.results.kind import ResultsPayload
from resultsq.web import auth, examples, schemas
from resultsq.web.auth import AccessRule, Audience, rule

blueprint = Blueprint("openapi", __name__, url_prefix="/api")

OTHER_NODE = "Another node, for the time when this one does not answer. Results that reach two are published once."
_SCHEMA = "#/components/schemas/{model}"
_CONVERTERS = {"int": {"type": "integer", "minimum": 0}, "uuid": {"type": "string", "format": "uuid"}}
_FILES = {
    "type": "object",
    "description": "The team's own files, each a part with a file name; `volunteers` are JSON rows, or a CSV file.",
}
_CHECKED = _FILES | {"properties": {"event": {"type": "string"}, "date": {"type": "string", "format": "date"}}}
_RESULTS = _CHECKED | {"required": ["event", "date"]}

_HEADERS = {
    "Idempotency-Key": "A name that you give these results: sent again with it, they are taken once.",
    "If-Match": "The id of the version that these results correct. Without it they are the first for their date.",
    "As-Given": "After a person has looked: codes of problems that shall not block any more, with commas between them. "
    f"These can be taken as given: {', '.join(sorted(AS_GIVEN))}.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`answers` are the good ones, by status; `refusals` are problem details."""

    answers: Mapping[int, type[BaseModel] | str]
    refusals: tuple[int, ...] = ()
    body: type[BaseModel] | None = None
    files: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    headers: tuple[str, ...] = ()


_PAGE: Mapping[str, Any] = {
    "size": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
    "after": {"type": "string", "description": "The `next` of the page before."},
}
_OF_REGISTRATIONS: Mapping[str, Any] = {"state": {"type": "string", "enum": [one.value for one in State]}, **_PAGE}


def _parameters_of_filter() -> dict[str, Any]:
    found: dict[str, Any] = Filter.model_json_schema(ref_template=_SCHEMA)["properties"]
    return found | {
        "sort": {"type": "string", "description": "accepted, published or attempts, with a - for the other way."},
        **_PAGE,
    }


# in the order in which a program meets them: look, submit, follow, then what operators do
OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/api/v1/check"): Operation({200: Report}, (400, 413, 415, 422), files=_CHECKED),
    ("POST", "/api/v1/submissions"): Operation(
        {200: schemas.SubmissionResponse, 201: schemas.SubmissionResponse},
        (400, 403, 409, 413, 415, 422, 429),
        body=ResultsPayload,
        files=_RESULTS,
        headers=("Idempotency-Key", "If-Match", "As-Given"),
    ),
    ("POST", "/api/v1/{kind}"): Operation(
        {200: schemas.SubmissionResponse, 201: schemas.SubmissionResponse},
        (400, 403, 404, 405, 409, 413, 415, 422, 429),  # 405: another address of the API has this name
        body=schemas.OfAnyKind,
        headers=("Idempotency-Key",),
    ),
    ("POST", "/api/v1/registrations"): Operation(
        {200: schemas.RegisteredResponse, 201: schemas.RegisteredResponse},
        (400, 404, 413, 415, 422, 429),
        body=RegistrationDetails,
        headers=("Idempotency-Key",),
    ),
    ("GET", "/api/v1/submissions/{submission}"): Operation({200: schemas.SubmissionResponse}, (404,)),
    ("DELETE", "/api/v1/submissions/{submission}"): Operation({200: schemas.SubmissionResponse}, (404, 409)),
    ("GET", "/api/v1/submissions"): Operation(
        {200: schemas.SubmissionsResponse}, (422,), query=_parameters_of_filter()
    ),
    ("GET", "/api/v1/registrations/{registration}"): Operation({200: schemas.RegistrationResponse}, (404,)),
    ("GET", "/api/v1/registrations"): Operation({200: schemas.RegistrationsResponse}, (422,), query=_OF_REGISTRATIONS),
    ("GET", "/api/v1/status"): Operation({200: schemas.StatusResponse}),
    ("POST", "/api/v1/actions"): Operation(
        {200: schemas.ActionCountResponse, 201: schemas.ActionResponse},
        (400, 404, 413, 415, 422),
        body=schemas.ActionRequest,
    ),
    ("GET", "/api/v1/actions/{action}"): Operation({200: schemas.ActionResponse}, (404,)),
    ("DELETE", "/api/v1/actions/{action}"): Operation({200: schemas.ActionResponse}, (404,)),
    ("GET", "/api/v1/holds"): Operation({200: schemas.HoldsResponse}),
    ("POST", "/api/v1/holds"): Operation(
        {201: schemas.HoldResponse}, (400, 404, 413, 415, 422), body=schemas.HoldRequest
    ),
    ("DELETE", "/api/v1/holds/{hold}"): Operation({200: schemas.HoldReleasedResponse}, (404,)),
    ("GET", "/api/v1/notices"): Operation({200: schemas.NoticesResponse}),
    ("POST", "/api/v1/notices"): Operation(
        {201: schemas.NoticePostedResponse}, (400, 404, 413, 415, 422), body=schemas.NoticeRequest
    ),
    ("DELETE", "/api/v1/notices/{notice}"): Operation({200: schemas.NoticePostedResponse}, (404,)),
    ("GET", "/api/v1/outages"): Operation({200: schemas.OutagesResponse}),
    ("GET", "/api/v1/outages/{outage}"): Operation({200: schemas.IncidentResponse}, (404,)),
    ("GET", "/alerts"): Operation(
        {200: schemas.AlertsResponse, 503: schemas.AlertsResponse},
        (422,),
        query={"fail": {"type": "string", "enum": ["0", "1"], "description": "1: answer 503 while any stands."}},
    ),
    ("GET", "/healthz"): Operation({200: schemas.AliveResponse}),
    ("GET", "/readyz"): Operation({200: schemas.ReadyResponse, 503: schemas.ReadyResponse}),
    ("GET", "/metrics"): Operation({200: "text/plain"}),
}


@blueprint.get("/openapi.json")
@rule.public
def document() -> Response:
    """This document."""
    return Response(json.dumps(_kept()), mimetype="application/json")


@blueprint.get("/docs")
@rule.public
def page() -> str:
    """The same for people."""
    return render_template("api.html", api=_kept())


def describe(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `app`.

    :raises ValueError: a route of the API is not in the table."""
    paths: dict[str, dict[str, Any]] = {}
    rules = auth.rules(app)
    in_order_of_use = list(OPERATIONS)
    for method, path, endpoint, parameters in sorted(routes(app), key=lambda one: in_order_of_use.index(one[:2])):
        operation, view = OPERATIONS[method, path], app.view_functions[endpoint]
        described = _operation(operation, endpoint, view.__doc__ or "", rules[endpoint], parameters)
        example = examples.command(method, path, guarded="security" in described)
        described["x-codeSamples"] = [{"lang": "shell", "source": example}]
        paths.setdefault(path, {})[method.lower()] = described
    others = node_addresses(app.extensions["resultsq"].settings.other_nodes)
    servers = [{"url": "/"}, *({"url": one, "description": OTHER_NODE} for one in others)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "resultsq",
            "version": version("resultsq"),
            "description": "Submit results, see what became of them, and act on what waits.",
        },
        **({"servers": servers} if others else {}),
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def routes(app: Flask) -> Iterator[tuple[str, str, str, list[dict[str, Any]]]]:
    """Method, path, endpoint and path parameters of each route that programs use."""
    for route in app.url_map.iter_rules():
        if route.endpoint.partition(".")[0] not in ("api", "registering", "control", "ops"):
            continue
        names = re.findall(r"<(?:(\w+):)?(\w+)>", route.rule)
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.rule)
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": _CONVERTERS.get(kind, {"type": "string"})}
            for kind, name in names
        ]
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, path, route.endpoint, parameters


def _operation(
    operation: Operation, endpoint: str, says: str, who: AccessRule, parameters: list[dict[str, Any]]
) -> dict[str, Any]:
    answers = {str(status): _answer(status, shape) for status, shape in operation.answers.items()}
    guarded = who.who in (Audience.PROGRAM, Audience.MACHINE)
    refusals = {*operation.refusals, 503, *((401, 403) if guarded else ())} - set(operation.answers)
    refused = _content(schemas.ProblemDetails, "application/problem+json")
    answers |= {str(status): {"description": "Refused.", "content": refused} for status in sorted(refusals)}
    asked = [{"name": name, "in": "query", **_in_query(schema)} for name, schema in (operation.query or {}).items()]
    asked += [
        {"name": name, "in": "header", "schema": {"type": "string"}, "description": _HEADERS[name]}
        for name in operation.headers
    ]
    found: dict[str, Any] = {
        "operationId": endpoint.replace(".", "_"),
        "tags": [endpoint.partition(".")[0]],
        "summary": " ".join(says.partition("\n\n")[0].split()),
        "parameters": [*parameters, *asked],
        "responses": answers,
    }
    if operation.body is not None or operation.files is not None:
        content = {} if operation.body is None else _content(operation.body)
        if operation.files is not None:
            content["multipart/form-data"] = {"schema": operation.files}
        found["requestBody"] = {"required": True, "content": content}
    if guarded:
        found["security"] = [{"token": []}]
        found["description"] = "Roles: " + ", ".join(who.roles) + "."
    return found


def _in_query(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter; what a query can leave out needs no null."""
    kept = {key: value for key, value in schema.items() if key not in ("default", "title", "description")}
    if "anyOf" in kept:
        kept = next(one for one in kept["anyOf"] if one.get("type") != "null")
    return {"schema": kept, **({"description": schema["description"]} if "description" in schema else {})}


def _answer(status: int, shape: type[BaseModel] | str) -> dict[str, Any]:
    content = {shape: {"schema": {"type": "string"}}} if isinstance(shape, str) else _content(shape)
    return {
        "description": "Created." if status == 201 else "Done." if status == 200 else "Not now.",
        "content": content,
    }


def _content(shape: Any, media_type: str = "application/json") -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": _SCHEMA.format(model=shape.__name__)}}}


def _schemas() -> dict[str, Any]:
    asked = {one.body for one in OPERATIONS.values() if one.body is not None} | {Filter}
    answered = {shape for one in OPERATIONS.values() for shape in one.answers.values() if isinstance(shape, type)}
    wanted: list[tuple[type[BaseModel], Any]] = [(one, "validation") for one in asked]
    wanted += [(one, "serialization") for one in answered | {schemas.ProblemDetails}]
    found = models_json_schema(sorted(wanted, key=lambda one: one[0].__name__), ref_template=_SCHEMA)[1]
    defined: dict[str, Any] = found["$defs"]
    return defined


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] | None = current_app.extensions.get("resultsq.openapi")
    if kept is None:
        kept = current_app.extensions["resultsq.openapi"] = describe(current_app)
    return kept
