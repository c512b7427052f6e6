"""The kind "mails": a subject and a text to one person, for the mail server. Each stands alone.

It names an account, whose address is looked up when it is sent, or an address. `repeat` is the rule for an attempt
whose end is unknown: a mail has no receipt that could be asked for, so the next one may send a second copy. A mail that
says `repeat` is sent all the same, and no refusal ends it; any other is sent once at most."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from resultsq.domain.current_language import ENGLISH
from resultsq.domain.destinations import MAIL, MAIL_ADDRESS
from resultsq.domain.entry import Slip
from resultsq.domain.i18n import gettext, gettext_noop, ngettext_noop
from resultsq.domain.ports import Parcel, Request
from resultsq.domain.sheet import UtcSecond
from resultsq.kinds.alone import LINE, TEXT, AloneKind, Queued

SUBJECT_MOST = 200
TEXT_MOST = 20_000
BARCODES_MOST = 8
_Barcode = Annotated[str, StringConstraints(pattern=r"^A[1-9][0-9]{0,17}$")]

_WORDS = {
    "": gettext_noop("A mail has a subject, a text, and either an account or an address."),
    "account": gettext_noop("An account is its name, of at most 100 characters."),
    "address": gettext_noop("An address looks like name@example.org."),
    "subject": gettext_noop("A subject is one line of 1 to 200 characters."),
    "text": gettext_noop("A text has 1 to 20,000 characters, and no control characters but line breaks and tabs."),
    "expires_at": gettext_noop("A mail expires at a time with its zone, or never."),
    "repeat": gettext_noop("Whether it is repeated is true or false."),
    "notice": gettext_noop("Whether its reader may unsubscribe is true or false."),
    "language": gettext_noop("A language is its code, like en or pt_BR."),
    "barcodes": gettext_noop("Barcodes are at most eight athletes' numbers, like A1234567."),
}


class MailPayload(BaseModel):
    """What a mail says. `expires_at`: it is not sent after that. `notice`: its reader can unsubscribe. `barcodes`:
    these numbers are in it as pictures, too. `language`: the code of the one in which it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=LINE)] | None = None
    address: Annotated[str, StringConstraints(max_length=254, pattern=MAIL_ADDRESS)] | None = None
    subject: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SUBJECT_MOST, pattern=LINE)
    ]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_MOST, pattern=TEXT)]
    expires_at: UtcSecond | None = None
    repeat: bool = False
    notice: bool = False
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Za-z]{2,4})?$")] = ENGLISH
    barcodes: Annotated[tuple[_Barcode, ...], Field(max_length=BARCODES_MOST)] = ()

    @model_validator(mode="after")
    def _is_to_one(self) -> Self:
        if (self.account is None) == (self.address is None):
            raise ValueError("a mail is to an account or to an address")
        return self


class Mail(Queued, MailPayload):
    """The queued value."""

    schema_: Literal["resultsq.mail/1"] = Field("resultsq.mail/1", alias="schema")


class MailsKind(AloneKind):
    """Mails from this node."""

    name = "mails"
    title = gettext_noop("mails")
    counted = ngettext_noop("{number} mail", "{number} mails")
    schema = "resultsq.mail/1"
    destination = MAIL
    template = "mails.html"
    form = None
    payload = MailPayload
    queued = Mail
    words = _WORDS
    refusal = gettext_noop("This mail cannot be taken like this, and nothing was stored.")

    def request(self, parcel: Parcel) -> Request:
        """:raises ValueError: always: no master is asked for anything"""
        raise ValueError("A mail goes to the mail server, and to no master.")

    def slip(self, body: bytes) -> Slip | None:
        """Nothing stays of a mail to a person whom this node knows by the address alone."""
        mail = Mail.model_validate_json(body)
        return None if mail.address is None or mail.repeat else Slip("", None)

    def summary(self, count: int) -> str:
        """No word of it, and not to whom: a list is not for its readers."""
        return gettext("Mail")
