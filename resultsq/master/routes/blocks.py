"""Blocks of athlete numbers: leased, and returned."""

from typing import Annotated, TypeVar

from flask import Flask, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resultsq.domain.invalid import is_no_json, listed
from resultsq.master import parsing
from resultsq.master.answers import json_answer, refused, utc
from resultsq.master.blocks import MOST_NUMBERS, AthleteBlock
from resultsq.master.context import MasterContext

_Body = TypeVar("_Body", bound=BaseModel)


class _Lease(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    size: Annotated[int, Field(ge=1, le=MOST_NUMBERS)]


class _Return(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    used_up_to: int


def add_routes(app: Flask, context: MasterContext) -> None:
    blocks = context.ledger.blocks

    @app.post("/v1/athlete-blocks")
    def lease() -> Response:
        node, key = context.credentials.of_request().node, parsing.idempotency_key()
        size = _read(_Lease, context).size
        block = blocks.lease(size, key, node, context.clock.now())
        if block is None:
            raise refused(409, "This key leased a block of another size before. Nothing was leased.", code="id-reused")
        return json_answer(_content(block), 201)

    @app.delete("/v1/athlete-blocks/<block>")
    def give_back(block: str) -> Response:
        node = context.credentials.of_request().node
        found = blocks.find(block, node)
        if found is None:
            raise refused(404, "These credentials leased no such block.")
        used_up_to = _read(_Return, context).used_up_to
        if not found.first - 1 <= used_up_to <= found.last:
            errors = [{"pointer": "/used_up_to", "detail": "It is the last number used, or the one before the first."}]
            raise refused(422, "This number is not of this block.", errors=errors)
        if blocks.give_back(found, used_up_to, node) != used_up_to:
            raise refused(409, "This block was returned before, with another number. Nothing was changed.")
        return Response(status=204)


def _read(model: type[_Body], context: MasterContext) -> _Body:
    try:
        return model.model_validate_json(parsing.body(context.max_body_bytes))
    except ValidationError as error:
        if is_no_json(error):
            raise refused(400, "The body is not JSON in UTF-8.") from None
        errors = [{"pointer": f.pointer, "detail": "This is not as the contract has it."} for f in listed(error)]
        raise refused(422, "The body is not as the contract has it.", errors=errors) from None


def _content(block: AthleteBlock) -> dict[str, object]:
    return {"block": block.name, "first": block.first, "last": block.last, "expires_at": utc(block.expires_at)}
