"""How the master reads a message to the office."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from resultsq.domain.invalid import is_no_json, listed
from resultsq.domain.outcome import Reason
from resultsq.master.body import Body
from resultsq.master.rules import MAX_REASONS, Invalid, UnreadableSheet


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: Literal["resultsq.message/1"] = Field(alias="schema")
    event: Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
    about: str | None
    subject: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=10_000)
    submitted_by: str = Field(min_length=1, max_length=100)
    submitted_at: datetime


def read(body: bytes) -> Body | Invalid | UnreadableSheet:
    """The message's event, or why it cannot be taken. No reason quotes the message."""
    try:
        return Body(_Message.model_validate_json(body).event)
    except ValidationError as error:
        if is_no_json(error):
            return UnreadableSheet("The body is not JSON in UTF-8.")
        faults = listed(error)[:MAX_REASONS]
        return Invalid(tuple(Reason("This is not as the contract has it.", fault.pointer) for fault in faults))
