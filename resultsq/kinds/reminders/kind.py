"""The kind "reminders": an address to which the master mails the barcode, until that is of no use. Each stands alone.

The receipt does not say whether the master knows the address."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from resultsq.domain.destinations import MAIL_ADDRESS, MASTER
from resultsq.domain.entry import Slip
from resultsq.domain.i18n import gettext, gettext_noop, ngettext_noop
from resultsq.domain.ports import Parcel, Request
from resultsq.domain.sheet import UtcSecond
from resultsq.kinds.alone import AloneKind, Queued

_WORDS = {
    "": gettext_noop("A reminder has an address, the time at which it expires, and a salt. It has nothing else."),
    "email": gettext_noop("An address looks like name@example.org."),
    "expires_at": gettext_noop("A reminder expires at a time with its zone."),
    "salt": gettext_noop("A salt is 16 to 64 random letters, digits, hyphens and underscores."),
}


class ReminderPayload(BaseModel):
    """What a runner asks for. `salt` is random: digests stay when the address is deleted, and without it they could be
    guessed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=MAIL_ADDRESS)]
    expires_at: UtcSecond
    salt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class Reminder(Queued, ReminderPayload):
    """What travels: without who asked, for that is the address."""

    schema_: Literal["resultsq.reminder/1"] = Field("resultsq.reminder/1", alias="schema")
    submitted_by: str = Field("runner", exclude=True)


class RemindersKind(AloneKind):
    """Reminders that the master mails."""

    name = "reminders"
    title = gettext_noop("reminders")
    counted = ngettext_noop("{number} reminder", "{number} reminders")
    schema = "resultsq.reminder/1"
    destination = MASTER
    template = "reminders.html"
    form = None
    payload = ReminderPayload
    queued = Reminder
    words = _WORDS
    refusal = gettext_noop("This reminder cannot be taken like this, and nothing was stored.")

    def request(self, parcel: Parcel) -> Request:
        """Under its own id; nothing has to be there before."""
        return Request("PUT", f"/v1/reminders/{parcel.submission}")

    def slip(self, body: bytes) -> Slip:
        """Nothing stays of it: it is an address alone."""
        return Slip("", None)

    def expires_at(self, body: bytes) -> datetime:
        """After that it is of no use to its runner."""
        return Reminder.model_validate_json(body).expires_at

    def summary(self, count: int) -> str:
        """Not whose: a list is not for its readers."""
        return gettext("Reminder of a barcode")
