"""Where another node copies the accounts, events and tokens of this one. Password hashes leave here, so the call has a
token of a role of its own, which is good for nothing else."""

import gzip

from flask import Blueprint, Response, request

from resultsq.app import people_copies
from resultsq.domain.role import Role
from resultsq.web.auth import rule
from resultsq.web.bounds import JSON
from resultsq.web.node import node

blueprint = Blueprint("people_copies", __name__, url_prefix="/v1")


@blueprint.get("/people")
@rule.bearer(Role.COPY)
def people() -> Response:
    """All that may be used at this node now; 304 where the caller has it already."""
    ctx = node()
    found, etag = people_copies.listed(ctx.database, ctx.clock.now())
    if request.headers.get("If-None-Match") == etag:
        return Response(status=304, headers={"ETag": etag})
    body = found.model_dump_json().encode()
    headers = {"ETag": etag, "Vary": "Accept-Encoding"}
    if request.accept_encodings["gzip"]:
        body, headers["Content-Encoding"] = gzip.compress(body, 5, mtime=0), "gzip"
    return Response(body, headers=headers, mimetype=JSON)
