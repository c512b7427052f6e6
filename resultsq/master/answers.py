"""Answers of the reference master: JSON, receipts, and problem details (RFC 9457) for every error."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from resultsq import logs
from resultsq.domain.outcome import Receipt
from resultsq.master.database import UNAVAILABLE

log = logs.get("master")

TOO_LONG = "The sheet is longer than this master takes."

_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address is not used in this way.",
    413: TOO_LONG,
    500: "The master failed, and its log says how. Nothing is lost: send it again.",
}


def json_answer(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Response(json.dumps(content), status, headers, mimetype="application/problem+json")


def refused(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> HTTPException:
    """A problem to raise: it ends the request."""
    return HTTPException(response=problem(status, detail, headers, **more))


def receipt_content(receipt: Receipt) -> dict[str, object]:
    """A receipt as it travels."""
    if receipt.kind:
        named = {"kind": receipt.kind, "submission": receipt.submission, "digest": receipt.digest}
        number = {"athlete": receipt.athlete} if receipt.athlete else {}
        return {**named, "received_at": utc(receipt.received_at), **number}
    return {
        "submission": receipt.submission,
        "event": receipt.event,
        "date": receipt.date,
        "revision": receipt.revision,
        "digest": receipt.digest,
        "received_at": utc(receipt.received_at),
    }


def utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def add_error_handlers(app: Flask) -> None:
    """Make every error of `app` a problem."""
    app.register_error_handler(HTTPException, _http_error)
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, _unavailable)


def _http_error(error: HTTPException) -> Response:
    if isinstance(error.response, Response):
        return error.response
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return problem(status, _SENTENCES.get(status, "The master cannot answer this."), headers)


def _unavailable(error: Exception) -> Response:
    # the class alone: a database's message may quote a row
    log.error("master.database_error", error=type(error).__name__)
    return problem(503, "The master's database did not answer. Nothing is lost: send it again.")
