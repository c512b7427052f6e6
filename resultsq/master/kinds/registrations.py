"""How the master reads a registration."""

from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from resultsq.domain.invalid import is_no_json, listed
from resultsq.domain.outcome import Reason
from resultsq.master.body import Body, RegisteredPerson
from resultsq.master.rules import MAX_REASONS, Invalid, UnreadableSheet

_Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Contact(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Line
    phone: _Line


class _Registration(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: Literal["resultsq.registration/1"] = Field(alias="schema")
    athlete: Annotated[str, StringConstraints(pattern=r"^A[1-9][0-9]{0,13}$")] | None
    block: _Line | None
    given_name: _Line
    family_name: _Line
    born: date
    gender: _Line | None
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    home_event: _Line | None
    emergency: _Contact | None
    consents: list[str]
    submitted_at: datetime
    salt: str = ""
    """Of no meaning: it keeps the digest from being guessed."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.athlete is None) != (self.block is None):
            raise ValueError("a number and its block come together")
        return self


def read(body: bytes) -> Body | Invalid | UnreadableSheet:
    """Who registers, or why it cannot be taken. No reason quotes the registration."""
    try:
        found = _Registration.model_validate_json(body)
    except ValidationError as error:
        if is_no_json(error):
            return UnreadableSheet("The body is not JSON in UTF-8.")
        faults = listed(error)[:MAX_REASONS]
        return Invalid(tuple(Reason("This is not as the contract has it.", fault.pointer) for fault in faults))
    names = (" ".join(name.casefold().split()) for name in (found.given_name, found.family_name))
    person = "\n".join((*names, found.born.isoformat()))
    return Body("", RegisteredPerson(person, found.athlete, found.block))
