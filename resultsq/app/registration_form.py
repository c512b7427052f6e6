"""What the registration page asks: the usual fields and consents, or those of the file that a setting names."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from resultsq.domain import cldr
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.invalid import first

Asked = Literal["off", "optional", "required"]


class Consent(BaseModel):
    """What a runner agrees to. `id` goes to the master: a new text gets a new one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,60}$")]
    text: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    required: bool = True


_USUAL = (
    Consent(
        id="results-1",
        text=gettext_noop(
            "My name, my results and my number may be published on the event's pages. I can ask the office to delete "
            "them."
        ),
    ),
    Consent(
        id="risk-1",
        text=gettext_noop("I take part at my own risk, and I do not take part when a doctor advises against it."),
    ),
)

_ALWAYS = ("given_name", "family_name", "born", "email")


class RegistrationForm(BaseModel):
    """The fields beside name, date of birth and mail address, which are always asked. Below `child_age` the address is
    a parent's; below `youngest` nobody registers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gender: Asked = "optional"
    home_event: Asked = "optional"
    emergency: Asked = "required"
    child_age: int = Field(16, ge=0, le=21)
    youngest: int = Field(4, ge=0, le=21)
    consents: Annotated[tuple[Consent, ...], Field(max_length=20)] = _USUAL

    def texts(self) -> list[tuple[Consent, str]]:
        """Each consent, and its text for this reader: a file's own text stays as it is written."""
        return [(one, gettext(one.text) if one in _USUAL else one.text) for one in self.consents]


def load(path: Path | None) -> RegistrationForm:
    """The form in that file; None: the usual one.

    :raises SettingsError: the file cannot be read, or makes no sense"""
    if path is None:
        return RegistrationForm()
    try:
        return RegistrationForm.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(
            gettext("The registration form {path} cannot be read: {reason}.", path=path, reason=error.strerror)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            gettext("The registration form {path} is no TOML ({reason}).", path=path, reason=error)
        ) from None
    except ValidationError as error:
        fault = first(error)
        raise SettingsError(
            gettext(
                "The registration form {path} makes no sense at {place} ({reason}).",
                path=path,
                place=fault.pointer,
                reason=fault.message,
            )
        ) from None


def faults(form: RegistrationForm, given: Mapping[str, Any], today: date) -> dict[str, str]:
    """What this form does not take of a registration, as it was sent: a sentence by JSON pointer. What is written
    wrongly is not among them: the kind says that."""
    found = {f"/{name}": gettext("This is needed.") for name in _ALWAYS if not given.get(name)}
    for name, asked in (("gender", form.gender), ("home_event", form.home_event), ("emergency", form.emergency)):
        if asked == "required":
            found |= {pointer: gettext("This is needed.") for pointer in _empty(f"/{name}", given.get(name))}
        elif asked == "off" and given.get(name) is not None:
            found[f"/{name}"] = gettext("This node does not ask for this. Leave it out.")
    if (years := _years(given, today)) is not None and years < form.youngest:
        found["/born"] = gettext("Runners are at least {age} years old.", age=form.youngest)
    if "/email" in found and is_child(form, given, today):
        found["/email"] = gettext("Under {age}, the e-mail address of a parent is needed.", age=form.child_age)
    if missing := not_agreed(form, given):
        found["/consents"] = gettext("The runner has to agree to {consents}.", consents=cldr.listed(missing))
    return found


def is_child(form: RegistrationForm, given: Mapping[str, Any], today: date) -> bool:
    """Whether the address is to be a parent's."""
    years = _years(given, today)
    return years is not None and form.youngest <= years < form.child_age


def not_agreed(form: RegistrationForm, given: Mapping[str, Any]) -> list[str]:
    """The consents that are missing, by id."""
    return [one.id for one in form.consents if one.required and one.id not in given["consents"]]


def _empty(pointer: str, value: object) -> list[str]:
    """Where nothing is: the value, or parts of it."""
    if isinstance(value, Mapping):
        return [f"{pointer}/{name}" for name, part in value.items() if not part]
    return [] if value else [pointer]


def _years(given: Mapping[str, Any], today: date) -> int | None:
    """The runner's age in whole years; None: that is no day."""
    try:
        born = date.fromisoformat(given["born"])
    except ValueError:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
