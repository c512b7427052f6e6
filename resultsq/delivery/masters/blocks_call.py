"""The lease of a block of athlete numbers over HTTP: the request, and the meaning of the answer. Without any I/O."""

import json
from datetime import datetime
from typing import Annotated

import msgspec

from resultsq.delivery.masters.answers import Answer, no_answer, problem_of, stranger
from resultsq.domain.athlete_blocks import LeasedBlock, NoBlocks
from resultsq.domain.outcome import Outcome

PATH = "/v1/athlete-blocks"
_NONE = frozenset({404, 405, 410, 501})
_DONE = frozenset({200, 201})
_LARGEST = 10**14 - 1
"""An athlete's number has no more digits."""


class _BlockAnswer(msgspec.Struct):
    block: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    first: Annotated[int, msgspec.Meta(ge=1)]
    last: Annotated[int, msgspec.Meta(le=_LARGEST)]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]


_DECODER = msgspec.json.Decoder(_BlockAnswer)


def body(size: int) -> bytes:
    """The body of the request."""
    return json.dumps({"size": size}).encode()


def headers(key: str) -> dict[str, str]:
    """The headers of the request."""
    return {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"'}


def read(answer: Answer, size: int, now: datetime) -> LeasedBlock | NoBlocks | Outcome:
    """What the answer says."""
    if answer.status in _NONE and problem_of(answer) is not None:
        return NoBlocks()
    if answer.status not in _DONE:
        return no_answer(answer, now)
    try:
        found = _DECODER.decode(answer.body)
    except ValueError:
        return stranger(answer, "it carries no block of numbers")
    if not 0 <= found.last - found.first < size or not found.block.isprintable():
        return stranger(answer, "its block of numbers is none that was asked for")
    return LeasedBlock(found.block, found.first, found.last, found.expires_at)
