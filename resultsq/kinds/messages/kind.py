"""The kind "messages": a subject and a text, about a submission or about none. Each stands alone."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from resultsq.domain.destinations import MASTER
from resultsq.domain.entry import NO_EVENT, Entry
from resultsq.domain.errors import SheetRefused
from resultsq.domain.i18n import gettext, gettext_noop, ngettext
from resultsq.domain.invalid import listed
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Envelope, Form, Parcel, Request
from resultsq.domain.problem import Problem, Severity, Where
from resultsq.domain.sheet import EventSlug, UtcSecond, digest

SUBJECT_MOST = 200
TEXT_MOST = 10_000
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_LINE = r"^[^\x00-\x1f\x7f]*$"
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

_WORDS = {
    "": gettext_noop("A message has an event, a subject, a text, and what it is about. It has nothing else."),
    "event": gettext_noop("An event is its short name in lower-case letters, digits and hyphens."),
    "about": gettext_noop("What it is about is the id of a submission, or null."),
    "subject": gettext_noop("A subject is one line of 1 to 200 characters."),
    "text": gettext_noop("A text has 1 to 10,000 characters, and no control characters but line breaks and tabs."),
}


class MessagePayload(BaseModel):
    """What the API takes: the message without what the node itself adds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: EventSlug
    about: Annotated[str, StringConstraints(pattern=_UUID)] | None = None
    subject: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SUBJECT_MOST, pattern=_LINE)
    ]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_MOST, pattern=_TEXT)]


class OfficeMessage(MessagePayload):
    """What travels."""

    schema_: Literal["resultsq.message/1"] = Field("resultsq.message/1", alias="schema")
    submitted_by: str = Field(min_length=1, max_length=100)
    submitted_at: UtcSecond

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True)


class MessagesKind:
    """Messages to the office."""

    name = "messages"
    schema = "resultsq.message/1"
    destination = MASTER
    weight = 1
    template = "messages.html"
    form = Form("messages_form.html", gettext_noop("Message to the office"), gettext_noop("Send the message"))

    def prepare(self, payload: object, *, submission: str, submitted_by: str, submitted_at: datetime) -> Entry:
        """Check a JSON value from outside and fix its bytes.

        :raises SheetRefused: with a JSON pointer for each value that cannot be taken."""
        try:
            given = MessagePayload.model_validate(payload)
        except ValidationError as error:
            raise _refused(error) from None
        message = OfficeMessage(**given.model_dump(), submitted_by=submitted_by, submitted_at=submitted_at)
        body = message.model_dump_json(by_alias=True).encode()
        return Entry(
            self.name,
            NO_EVENT,
            submitted_at.date().isoformat(),
            body,
            digest(body),
            _says(given),
            len(given.text),
            submitted_by,
            weight=self.weight,
            subject=submission,
            event=given.event,
            id=submission,
        )

    def envelope(self, body: bytes) -> Envelope:
        """What is to be written beside a message.

        :raises ValueError: the bytes are none."""
        found = OfficeMessage.model_validate_json(body)
        day = found.submitted_at.date().isoformat()
        return Envelope(found.event, day, _says(found), len(found.text), found.submitted_by)

    def rows_digest(self, body: bytes) -> str:
        """The digest of what it says, without who says it and when."""
        return _says(OfficeMessage.model_validate_json(body))

    def subject(self, submission: str, date: str) -> str:
        """Each message stands alone."""
        return submission

    def request(self, parcel: Parcel) -> Request:
        """Under its own id; nothing has to be there before."""
        return Request("PUT", f"/v1/messages/{parcel.submission}")

    def accepts(self, parcel: Parcel, receipt: Receipt) -> bool:
        """The receipt names this message and its bytes."""
        return (receipt.submission, receipt.digest) == (parcel.submission, parcel.digest)

    def summary(self, count: int) -> str:
        """No word of it: a list is not for its readers."""
        return ngettext("Message of {number} character", "Message of {number} characters", count)


def _says(message: MessagePayload) -> str:
    return digest(message.model_dump_json(include={"event", "about", "subject", "text"}).encode())


def _refused(error: ValidationError) -> SheetRefused:
    """Each field's fault beside it; at most four fields have one, and what else is there is told as one."""
    problems = {}
    for fault in listed(error):
        field = str(fault.place[0]) if fault.place else ""
        message = gettext(_WORDS.get(field, _WORDS[""]))
        pointer = f"/{field}" if field in _WORDS and field else ""
        where = (Where(pointer=pointer),)
        problems[pointer] = Problem(code="bad-value", severity=Severity.BLOCKS, message=message, where=where)
    return SheetRefused(
        gettext("This message cannot be taken like this, and nothing was stored."), tuple(problems.values())
    )
