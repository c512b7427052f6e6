"""This node as a relay: the calls of the upload contract by which other nodes hand submissions to it (its section 9).

Each node has a token of its own. The answer to a PUT leaves after the COMMIT, and never before.
"""

import re
import zlib
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, current_app, json, request

from resultsq.app import custody
from resultsq.app.custody import HandedOver, RoundInCircle
from resultsq.app.intake import KIND
from resultsq.domain.errors import KnownOtherwise
from resultsq.domain.outcome import Receipt
from resultsq.domain.role import Role
from resultsq.domain.submission import GONE, State
from resultsq.store.outbox.custody import HeldHere
from resultsq.web.auth import bearer, rule
from resultsq.web.bounds import JSON, bound
from resultsq.web.errors import ApiProblem, problem
from resultsq.web.node import node

blueprint = Blueprint("relay", __name__, url_prefix="/v1")

_QUOTED = re.compile(r'"([\x21\x23-\x7e]{1,36})"')
_REJECTIONS = frozenset({400, 404, 409, 410, 413, 415, 422})


@blueprint.put("/events/<event>/results/<day>")
@rule.bearer(Role.NODE)
@bound.entry
def keep_results(event: str, day: str) -> Response:
    """Keep a sheet for the node that accepted it, and publish it when the master can be reached."""
    return _keep(HandedOver(KIND, _key(), event, day, _precondition(), _body(), _via()))


@blueprint.put("/<kind:kind>/<uuid:submission>")
@rule.bearer(Role.NODE)
@bound.entry
def keep_of_kind(kind: str, submission: UUID) -> Response:
    """The same for a kind without versions."""
    if kind == KIND or _key() != str(submission):
        raise ApiProblem(400, "The Idempotency-Key must be the id that the address ends in. Nothing was stored.")
    return _keep(HandedOver(kind, _key(), "", "", None, _body(), _via()))


@blueprint.get("/submissions/<uuid:submission>")
@rule.bearer(Role.NODE)
def look(submission: UUID) -> Response:
    """How a submission stands that was handed to this node."""
    found = custody.look(node(), bearer(), str(submission))
    if found is None:
        raise ApiProblem(404, "This submission is not known here. Send it again.")
    return _standing(*found)


def _keep(given: HandedOver) -> Response:
    try:
        return _standing(*custody.take(node(), bearer(), given))
    except RoundInCircle as circle:
        return problem(508, str(circle))
    except KnownOtherwise as other:
        return problem(409, str(other), code="id-reused")


def _standing(name: str, held: HeldHere) -> Response:
    """What the contract answers for a submission in this state."""
    if held.receipt is not None and held.receipt.submission == held.id:
        return _json(200, _receipt(held.receipt))
    if held.receipt is not None:  # the master had equal rows, by another id
        head = {"submission": held.receipt.submission, "revision": held.receipt.revision}
        return problem(412, "Equal rows are published there, under another id.", head=head, same_rows=True)
    match held.state:
        case State.CONFLICT:
            there = None if held.head is None else {"submission": held.head, "revision": held.head_revision}
            return problem(412, "The master has another sheet than the one that was named.", head=there)
        case State.REJECTED:
            status = held.status if held.status in _REJECTIONS else HTTPStatus.UNPROCESSABLE_ENTITY
            errors = [{key: value for key, value in one.items() if value is not None} for one in held.reasons]
            return problem(status, held.detail or "The master does not take it.", errors=errors)
        case state if state in GONE:
            return problem(410, "It was withdrawn here, or a newer version took its place.", code=str(state))
        case _:
            pass  # it waits
    content = {"custody": name, "submission": held.id, "digest": held.digest, "received_at": _utc(held.received_at)}
    return _json(202, content)


def _receipt(receipt: Receipt) -> dict[str, object]:
    known = {"submission": receipt.submission, "digest": receipt.digest, "received_at": _utc(receipt.received_at)}
    if receipt.kind:
        return {"kind": receipt.kind, **known, **({"athlete": receipt.athlete} if receipt.athlete else {})}
    return {**known, "event": receipt.event, "date": receipt.date, "revision": receipt.revision}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _json(status: int, content: object) -> Response:
    return Response(json.dumps(content), status, mimetype=JSON)


# the request


def _key() -> str:
    quoted = _QUOTED.fullmatch(request.headers.get("Idempotency-Key", ""))
    if quoted is None:
        raise ApiProblem(400, 'The header Idempotency-Key must be the submission\'s UUID in quotes ("…").')
    return quoted[1]


def _precondition() -> str | None:
    """The version that the sheet corrects; None: it is the first."""
    nothing, named = request.headers.get("If-None-Match"), request.headers.get("If-Match")
    if nothing == "*" and named is None:
        return None
    if nothing is None and (quoted := _QUOTED.fullmatch(named or "")):
        return quoted[1]
    raise ApiProblem(400, 'One header is needed: If-None-Match: *, or If-Match: "<submission id>". Never both.')


def _via() -> tuple[str, ...]:
    """The names of the nodes and proxies that it came through: `1.1 name`, with commas between them."""
    given = request.headers.get("Via", "").split(",")
    return tuple(parts[1] for one in given if len(parts := one.split()) > 1)


def _body() -> bytes:
    """The body, unpacked no further than the node's largest: a small bomb must not fill the memory."""
    if request.mimetype != JSON:
        raise ApiProblem(415, "A sheet is application/json. Nothing was stored.", headers={"Accept": JSON})
    coding = request.headers.get("Content-Encoding", "identity").lower()
    received, most = request.get_data(cache=False), int(current_app.config["MAX_CONTENT_LENGTH"])
    if coding == "identity":
        return received
    if coding != "gzip":
        raise ApiProblem(415, "A sheet comes as it is or as gzip.", headers={"Accept-Encoding": "gzip, identity"})
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(received, most + 1)
    except zlib.error:
        raise ApiProblem(400, "The body is not gzip, though Content-Encoding says so.") from None
    if len(unpacked) > most:
        raise ApiProblem(413, "This is more than this node accepts at once. Nothing was stored.")
    if not unpacker.eof or unpacker.unused_data:
        raise ApiProblem(400, "The gzip body is cut off, or goes on after its end. Nothing was stored.")
    return unpacked
