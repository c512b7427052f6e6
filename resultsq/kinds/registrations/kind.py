"""The kind "registrations": a person who registers as an athlete, with the number that this node gave, or without one.

It is personal: its body is sealed on this node and deleted when the master has it. The digest of a body stays, and
a plain digest of a person's data could be guessed; so random characters, the `salt`, are part of what it says."""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from resultsq.domain.destinations import MAIL_ADDRESS, MASTER
from resultsq.domain.entry import Slip
from resultsq.domain.i18n import gettext, gettext_noop, ngettext_noop
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Parcel, Request
from resultsq.domain.sheet import AthleteId, EventSlug
from resultsq.kinds.alone import LINE, AloneKind, Queued

RUNNER = "runner"
"""Who submits: the contract's body says no more."""

NAME_MOST = 100
PHONE = r"^\+?[0-9 ()/.-]{5,40}$"

_WORDS = {
    "": gettext_noop("A registration has a name, a date of birth, an e-mail address and consents."),
    "given_name": gettext_noop("A first name is 1 to 100 characters on one line."),
    "family_name": gettext_noop("A family name is 1 to 100 characters on one line."),
    "born": gettext_noop("A date of birth is written YYYY-MM-DD."),
    "gender": gettext_noop("A gender is F, M or X, or left out."),
    "email": gettext_noop("An e-mail address looks like name@example.org."),
    "home_event": gettext_noop("An event is its short name in lower-case letters, digits and hyphens."),
    "emergency": gettext_noop("An emergency contact is a name and a telephone number, or left out."),
    "consents": gettext_noop("Consents are a list of the short names of what was agreed to."),
}

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MOST, pattern=LINE)]


class Emergency(BaseModel):
    """Whom to call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    phone: Annotated[str, StringConstraints(strip_whitespace=True, pattern=PHONE)]


def _is_a_day(value: object) -> object:
    """A number is no day, though it could be read as one."""
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        return value
    raise ValueError("a day is written YYYY-MM-DD")


class RegistrationDetails(BaseModel):
    """What a runner says of themselves: names, date of birth, address, consents; the others may be left out. Of a child
    the address is a parent's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given_name: Name
    family_name: Name
    born: Annotated[date, BeforeValidator(_is_a_day)]
    gender: Literal["F", "M", "X"] | None = None
    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=MAIL_ADDRESS)]
    home_event: EventSlug | None = None
    emergency: Emergency | None = None
    consents: Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[!-~]{1,60}$")], ...], Field(max_length=20)]


class RegistrationPayload(RegistrationDetails):
    """What is registered. `athlete` and `block`: the number that this node gave, and where it is from; both None: the
    master gives one."""

    athlete: AthleteId | None = None
    block: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=LINE)] | None = None
    salt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]

    @model_validator(mode="after")
    def _number_has_a_block(self) -> Self:
        if (self.athlete is None) != (self.block is None):
            raise ValueError("a number has a block, and a block is named for a number")
        return self


class Registration(Queued, RegistrationPayload):
    """What travels."""

    schema_: Literal["resultsq.registration/1"] = Field("resultsq.registration/1", alias="schema")
    submitted_by: str = Field(RUNNER, exclude=True)


class RegistrationsKind(AloneKind):
    """Registrations of runners."""

    name = "registrations"
    title = gettext_noop("registrations")
    counted = ngettext_noop("{number} registration", "{number} registrations")
    schema = "resultsq.registration/1"
    destination = MASTER
    template = "registrations.html"
    form = None
    payload = RegistrationPayload
    queued = Registration
    words = _WORDS
    refusal = gettext_noop("This registration cannot be taken like this, and nothing was stored.")

    def request(self, parcel: Parcel) -> Request:
        """Under its own id; nothing has to be there before."""
        return Request("PUT", f"/v1/registrations/{parcel.submission}")

    def accepts(self, parcel: Parcel, receipt: Receipt) -> bool:
        """It names this very submission, and the number that was sent; where none was sent, the one that was given."""
        sent = json.loads(parcel.body)["athlete"]
        right_number = bool(receipt.athlete) if sent is None else receipt.athlete == sent
        return super().accepts(parcel, receipt) and right_number

    def slip(self, body: bytes) -> Slip:
        """The name and the number."""
        found = Registration.model_validate_json(body)
        return Slip(f"{found.given_name} {found.family_name}", found.athlete)

    def example(self, event: str, number: int) -> Mapping[str, object]:
        """A runner with an umlaut, and an address of a domain that leads nowhere."""
        return {
            "given_name": "Jürgen",
            "family_name": f"Rehearsal {number}",
            "born": "1990-01-31",
            "email": "rehearsal@mail.example",
            "home_event": event,
            "emergency": {"name": "Max Mustermann", "phone": "+44 20 7946 0000"},
            "consents": ["results-1", "risk-1"],
        }

    def summary(self, count: int) -> str:
        """Not whose: a list is not for its readers."""
        return gettext("Registration")
