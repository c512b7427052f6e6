"""How the master reads a wish for a reminder."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from resultsq.domain.invalid import is_no_json, listed
from resultsq.domain.outcome import Reason
from resultsq.master.body import Body
from resultsq.master.rules import MAX_REASONS, Invalid, UnreadableSheet


class _Reminder(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: Literal["resultsq.reminder/1"] = Field(alias="schema")
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$")]
    submitted_at: datetime
    expires_at: AwareDatetime
    salt: str | None = Field(default=None, max_length=64)


def read(body: bytes) -> Body | Invalid | UnreadableSheet:
    """Until when it may be taken, or why it cannot be. No reason quotes the address."""
    try:
        return Body("", expires_at=_Reminder.model_validate_json(body).expires_at)
    except ValidationError as error:
        if is_no_json(error):
            return UnreadableSheet("The body is not JSON in UTF-8.")
        faults = listed(error)[:MAX_REASONS]
        return Invalid(tuple(Reason("This is not as the contract has it.", fault.pointer) for fault in faults))
