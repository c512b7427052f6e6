"""The kind "messages": a subject and a text, about a submission or about none. Each stands alone."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from resultsq.domain.destinations import MASTER
from resultsq.domain.i18n import gettext, gettext_noop, ngettext, ngettext_noop
from resultsq.domain.ports import Form, OfficeLetter, Parcel, Request
from resultsq.domain.sheet import EventSlug
from resultsq.kinds.alone import LINE, TEXT, AloneKind, Queued

SUBJECT_MOST = 200
TEXT_MOST = 10_000
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

_WORDS = {
    "": gettext_noop("A message has an event, a subject, a text, and what it is about. It has nothing else."),
    "event": gettext_noop("An event is its short name in lower-case letters, digits and hyphens."),
    "about": gettext_noop("The field about is the id of a submission, or null."),
    "subject": gettext_noop("A subject is one line of 1 to 200 characters."),
    "text": gettext_noop("A text has 1 to 10,000 characters, and no control characters but line breaks and tabs."),
}


class MessagePayload(BaseModel):
    """What the API takes: the message without what the node itself adds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: EventSlug
    about: Annotated[str, StringConstraints(pattern=_UUID)] | None = None
    subject: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SUBJECT_MOST, pattern=LINE)
    ]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_MOST, pattern=TEXT)]


class OfficeMessage(Queued, MessagePayload):
    """What travels."""

    schema_: Literal["resultsq.message/1"] = Field("resultsq.message/1", alias="schema")


class MessagesKind(AloneKind):
    """Messages to the office."""

    name = "messages"
    title = gettext_noop("messages")
    counted = ngettext_noop("{number} message", "{number} messages")
    schema = "resultsq.message/1"
    destination = MASTER
    template = "messages.html"
    form = Form("messages_form.html", gettext_noop("Message to the office"), gettext_noop("Send the message"))
    payload = MessagePayload
    queued = OfficeMessage
    words = _WORDS
    refusal = gettext_noop("This message cannot be taken like this, and nothing was stored.")

    def request(self, parcel: Parcel) -> Request:
        """Under its own id; nothing has to be there before."""
        return Request("PUT", f"/v1/messages/{parcel.submission}")

    def office_letter(self, body: bytes) -> OfficeLetter:
        """The event stands in the subject, the author at the end."""
        said = OfficeMessage.model_validate_json(body)
        lines = [said.text, gettext("Written by {name}.", name=said.submitted_by)]
        if said.about is not None:
            lines.append(gettext("It is about the submission {submission}.", submission=said.about))
        return OfficeLetter(f"{said.event}: {said.subject}", "\n\n".join(lines), said.submitted_by, said.submitted_at)

    def example(self, event: str, number: int) -> Mapping[str, object]:
        """Three lines, and umlauts."""
        return {"event": event, "subject": "A rehearsal", "text": "Nobody is to do anything.\n\nGrüße vom Ziel."}

    def summary(self, count: int) -> str:
        """No word of it: a list is not for its readers."""
        return ngettext("Message of {number} character", "Message of {number} characters", count)
