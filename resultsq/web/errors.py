"""Every refusal and failure as an answer: problem details (RFC 9457) for programs, a page for people.

A message of ours is a sentence for people and is shown; a message of a library or of the database may quote a
row, so it is neither shown nor logged: its class and the places it came through are.
"""

import json
import traceback
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from resultsq import logs
from resultsq.domain.errors import (
    BodyDamaged,
    Conflicting,
    HeadMoved,
    InputRefused,
    KeyReused,
    NotAllowed,
    NotJson,
    NotThere,
    QuotaReached,
    ResultsqError,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.problem import Problem, Where

log = logs.get("web")

RETRY_AFTER_S = 5

PROGRAMS = ("/api", "/v1/")
"""Addresses below these are for programs: no page is answered there, and no cookie counts."""

_PLACES = 100
"""Most places that one answer names."""

_STATUS: dict[type[ResultsqError], int] = {
    StoreFull: 507,
    StoreUnavailable: 503,
    TooLarge: 413,
    KeyReused: 422,
    NotJson: 400,
    BodyDamaged: 400,
    InputRefused: 422,
    Conflicting: 409,
    NotAllowed: 403,
    QuotaReached: 429,
    NotThere: 404,
}
"""The first that fits; what fits none is a failure of ours (500)."""

_SENTENCES = {
    400: gettext_noop("This request cannot be read. Nothing was stored."),
    401: gettext_noop("Log in first."),
    403: gettext_noop("You may not do this here."),
    404: gettext_noop("There is nothing at this address. Check its spelling."),
    405: gettext_noop("This address does not take this kind of request."),
    408: gettext_noop("The request took too long to arrive. Nothing was stored; send it again."),
    413: gettext_noop("This is more than this node accepts at once. Nothing was stored. Send less at once."),
    415: gettext_noop("This type of content is not accepted here. Nothing was stored."),
    500: gettext_noop("This node failed at this, and its log says where. What was accepted before is safe; try again."),
}
_ELSE = gettext_noop("This cannot be answered.")

_TITLES = {
    401: gettext_noop("Not logged in"),
    403: gettext_noop("Not allowed"),
    404: gettext_noop("Not found"),
    409: gettext_noop("Not possible now"),
    413: gettext_noop("Too large"),
    422: gettext_noop("Not accepted"),
    429: gettext_noop("Too often: wait a moment"),
    500: gettext_noop("This node failed"),
    503: gettext_noop("Not available just now"),
    507: gettext_noop("No room left"),
}
"""What a page of an error is called."""

_OTHER_TITLE = gettext_noop("This did not work")

_NOT_FROM_OUR_PAGE = gettext_noop(
    "The page that this came from is too old: it was open before you logged in or out, or the browser keeps no "
    "cookies. Nothing was changed. Load the page again and repeat it there."
)


class ApiProblem(Exception):
    """An answer to a program that is a refusal. `errors` are places with a `detail` and a `pointer` or `line`."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[Mapping[str, object]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = errors
        self.headers = headers


def install(app: Flask) -> None:
    """Answer every error of `app` in the manner above."""
    app.register_error_handler(ApiProblem, _api_problem)
    app.register_error_handler(ResultsqError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _surprise)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    """Problem details; members of `more` that are empty are left out."""
    content = {"title": _phrase(status), "status": status, "detail": detail}
    content |= {key: value for key, value in more.items() if value not in ((), [])}
    return Response(json.dumps(content), status, headers, content_type="application/problem+json")


def problems_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Problems as the API shows them; empty members are left out."""
    return [one.model_dump(mode="json", exclude_defaults=True) for one in problems]


def places(problems: Iterable[Problem]) -> list[dict[str, object]]:
    """The places of problems as RFC 9457 readers know them: a detail, and a pointer or a file's line."""
    found: list[dict[str, object]] = []
    for one in problems:
        for where in one.where[:_PLACES] or (Where(),):
            place = (
                {"line": where.line}
                if where.line is not None
                else {"pointer": "/finishers" if where.pointer is None else where.pointer}
            )
            found.append({"detail": one.message, **place})
    return found[:_PLACES]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _answer(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    if request.path.startswith(PROGRAMS) or not request.accept_mimetypes.accept_html:
        return problem(status, detail, headers, **more)
    title = gettext(_TITLES.get(status, _OTHER_TITLE))
    page = render_template("error.html", status=status, title=title, detail=detail, back=_page_before())
    return Response(page, status, headers, mimetype="text/html")


def _page_before() -> str | None:
    """The page of ours whose form was sent; None: no form was, or none of ours."""
    before = urlsplit(request.referrer or "")
    if request.method != "POST" or before.netloc != request.host or not before.path.startswith("/"):
        return None
    return before.path.replace("//", "/") + (f"?{before.query}" if before.query else "")


def _api_problem(error: ApiProblem) -> Response:
    return problem(error.status, str(error), error.headers, errors=error.errors)


def _ours(error: ResultsqError) -> Response:
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    if status == 500:
        return _surprise(error)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, StoreUnavailable) else None
    match error:
        case QuotaReached():
            return _answer(status, str(error), {"Retry-After": str(error.wait_s)})
        case HeadMoved():
            return _answer(status, str(error), headers, head=error.head)
        case NotJson():
            return _answer(status, str(error), errors=[_end_of_json(error)])
        case InputRefused():
            return _answer(
                status, str(error), headers, errors=places(error.problems), problems=problems_json(error.problems)
            )
        case _:
            return _answer(status, str(error), headers)


def _end_of_json(error: NotJson) -> dict[str, object]:
    place = {"pointer": error.pointer, "line": error.line, "column": error.column}
    return {
        "detail": "Up to here it is JSON.",
        **{name: value for name, value in place.items() if value is not None},
    }


def _http(error: HTTPException) -> Response:
    if isinstance(error.response, Response):
        return error.response
    status = error.code or 500
    if status < 400 and isinstance(answer := error.get_response(), Response):
        return answer  # the router's redirects
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    if isinstance(error, CSRFError):
        return _answer(status, gettext(_NOT_FROM_OUR_PAGE))
    own_words = error.description if type(error).description != error.description else None
    return _answer(status, own_words or gettext(_SENTENCES.get(status, _ELSE)), headers)


def _surprise(error: Exception) -> Response:
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    log.error("web.failed", error=type(error).__name__, through=frames[-8:])
    return _answer(500, gettext(_SENTENCES[500]))
