"""The HTTP face of the reference master: upload contract, version 1, over one `Ledger`.

It is written from the contract alone and shares no wire code with the node's HTTP adapter, so that a mistake
cannot be made the same way on both sides. Every error is a problem detail (RFC 9457).
"""

import hashlib
import json
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import NoReturn
from uuid import UUID

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from resultsq import logs
from resultsq.clock import Clock, SystemClock
from resultsq.domain.errors import InputRefused
from resultsq.domain.outcome import Receipt
from resultsq.master.database import UNAVAILABLE
from resultsq.master.ledger import Committed, HeadIs, IdReused, Invalid, Ledger, Unreadable

log = logs.get("master")

MAX_BODY_BYTES = 8 * 2**20
MAX_RECEIPTS = 1000

_EVENT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_QUOTED = re.compile(r'"([\x21\x23-\x7e]+)"')
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address is not used in this way.",
    413: "The sheet is longer than this master takes.",
    500: "The master failed, and its log says how. Nothing is lost: send it again.",
}


@dataclass(frozen=True, slots=True)
class TokenRule:
    """Whose credentials a token is (`node`), and for which events it is good (None: for every one)."""

    node: str
    events: frozenset[str] | None = None

    def covers(self, event: str) -> bool:
        return self.events is None or event in self.events


def create_app(
    ledger: Ledger,
    *,
    tokens: Mapping[str, TokenRule],
    events: Collection[str] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    clock: Clock | None = None,
) -> Flask:
    """The WSGI application. `events` None takes any event; `max_body_bytes` bounds a sheet before and after
    decompression. The ledger's tables must be there."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    time = clock or SystemClock()
    # Looked up by hash: the time it takes then says nothing of a token that is nearly right.
    rules = {_hash(token): rule for token, rule in tokens.items()}

    def credentials() -> TokenRule:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        rule = rules.get(_hash(token.strip())) if scheme.lower() == "bearer" else None
        if rule is None:
            _refuse(
                401,
                "This master does not know these credentials. Check the token in the node's settings.",
                headers={"WWW-Authenticate": 'Bearer realm="results-master"'},
            )
        return rule

    def allowed(event: str, day: str) -> TokenRule:
        """The caller's rule, where it covers an event that is here and a date that is one."""
        rule = credentials()
        if not rule.covers(event):
            _refuse(403, "These credentials do not cover this event. Ask the master's operators.")
        if not _EVENT.fullmatch(event) or (events is not None and event not in events):
            _refuse(404, "There is no such event at this master.")
        if not _is_date(day):
            _refuse(404, "The address ends in a date, YYYY-MM-DD.")
        return rule

    @app.get("/v1/health")
    def health() -> Response:
        latest = ledger.latest()
        newest = None if latest.received_at is None else _utc(latest.received_at)
        return _json(
            {"service": "results-master", "contract": "1.1", "latest": {"received_at": newest, "count": latest.count}}
        )

    @app.put("/v1/events/<event>/results/<day>")
    def publish(event: str, day: str) -> Response:
        rule = allowed(event, day)
        submission = _idempotency_key()
        precondition = _precondition()
        body = _body(max_body_bytes)
        match ledger.publish(body, submission, event, day, precondition, rule.node, time.now()):
            case Committed(receipt, new):
                return _json(_receipt(receipt), 201 if new else 200)
            case IdReused():
                _refuse(409, "This id was committed before with another sheet. Nothing was changed.")
            case HeadIs(head, revision):
                there = None if head is None else {"submission": head, "revision": revision}
                _refuse(412, "Another sheet is published there than the one that was named.", head=there)
            case Invalid(reasons):
                errors = [{"pointer": reason.pointer, "detail": reason.detail} for reason in reasons]
                _refuse(422, "The sheet cannot be published as it is.", errors=errors)
            case Unreadable(detail):
                _refuse(400, detail)

    @app.get("/v1/events/<event>/results/<day>")
    def published(event: str, day: str) -> Response:
        allowed(event, day)
        head = ledger.head(event, day)
        if head is None:
            _refuse(404, "Nothing is published for this event and date so far.")
        answer = Response(head.body, mimetype="application/json")
        answer.set_etag(head.submission)
        return answer

    @app.get("/v1/submissions/<uuid:submission>")
    def receipt(submission: UUID) -> Response:
        rule = credentials()
        found = ledger.receipt(str(submission))
        if found is None or not rule.covers(found.event):
            _refuse(404, "This submission was not committed here so far.")
        return _json(_receipt(found))

    @app.get("/v1/receipts")
    def receipts() -> Response:
        rule = credentials()
        try:
            page = ledger.receipts(
                rule.node, _moment("since"), _moment("until"), request.args.get("cursor"), _limit(), rule.events
            )
        except InputRefused as refused:
            _refuse(400, str(refused))
        return _json({"receipts": [_receipt(each) for each in page.receipts], "next": page.next_cursor})

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if isinstance(error.response, Response):
            return error.response
        status = error.code or 500
        headers = {name: value for name, value in error.get_headers() if name == "Allow"}
        return _problem(status, _SENTENCES.get(status, "The master cannot answer this."), headers)

    def unavailable(error: Exception) -> Response:
        # the class alone: a database's message may quote a row
        log.error("master.database_error", error=type(error).__name__)
        return _problem(503, "The master's database did not answer. Nothing is lost: send it again.")

    for kind in UNAVAILABLE:
        app.register_error_handler(kind, unavailable)
    return app


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Response(json.dumps(content), status, headers, mimetype="application/problem+json")


def _refuse(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> NoReturn:
    abort(_problem(status, detail, headers, **more))


def _receipt(receipt: Receipt) -> dict[str, object]:
    return {
        "submission": receipt.submission,
        "event": receipt.event,
        "date": receipt.date,
        "revision": receipt.revision,
        "digest": receipt.digest,
        "received_at": _utc(receipt.received_at),
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _idempotency_key() -> str:
    quoted = _QUOTED.fullmatch(request.headers.get("Idempotency-Key", ""))
    # One UUID has one spelling here: two spellings would be two ids and could publish a sheet twice.
    if quoted is None or not _is_canonical_uuid(quoted[1]):
        _refuse(400, 'The header Idempotency-Key must be the submission\'s UUID, lower case, in quotes ("…").')
    return quoted[1]


def _is_canonical_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _precondition() -> str | None:
    """The submission id that must be published there now, or None where nothing may be."""
    nothing, named = request.headers.get("If-None-Match"), request.headers.get("If-Match")
    if nothing == "*" and named is None:
        return None
    if nothing is None and (quoted := _QUOTED.fullmatch(named or "")):
        return quoted[1]
    _refuse(400, 'One header is needed: If-None-Match: *, or If-Match: "<submission id>". Never both.')


def _body(max_bytes: int) -> bytes:
    if request.mimetype != "application/json":
        _refuse(415, "A sheet is application/json.")
    coding = request.headers.get("Content-Encoding", "identity").lower()
    if coding not in ("identity", "gzip"):
        _refuse(415, "A sheet comes as it is or as gzip.", headers={"Accept-Encoding": "gzip, identity"})
    body = request.get_data(cache=False)  # over the limit it is a 413
    return body if coding == "identity" else _gunzip(body, max_bytes)


def _gunzip(packed: bytes, max_bytes: int) -> bytes:
    """The body, unpacked no further than the limit: a small bomb must not fill the memory."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error:
        _refuse(400, "The body is not gzip, though Content-Encoding says so.")
    if len(body) > max_bytes:
        _refuse(413, _SENTENCES[413])
    if not unpacker.eof or unpacker.unused_data:
        _refuse(400, "The gzip body is cut off, or goes on after its end.")
    return body


def _moment(name: str) -> datetime | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # told below, like a moment without its zone
    _refuse(400, f"The parameter {name} is a moment with its zone: 2013-12-07T10:42:11Z.")


def _limit() -> int:
    text = request.args.get("limit", "500")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_RECEIPTS):
        _refuse(400, f"The parameter limit is a number from 1 to {MAX_RECEIPTS}.")
    return int(text)
