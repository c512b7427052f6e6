"""What kinds without versions have in common: each submission stands alone, under the id that its maker gave it.

A kind names its two models: `Payload`, what the API takes, and `Queued`, which adds who handed it in and when.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resultsq.domain.entry import NO_EVENT, Entry, Slip
from resultsq.domain.errors import SheetRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.invalid import listed
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Envelope, OfficeLetter, Parcel
from resultsq.domain.problem import Problem, Severity, Where
from resultsq.domain.sheet import UtcSecond, digest

LINE = r"^[^\x00-\x1f\x7f]*$"
"""Text without control characters."""

TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
"""The same, over several lines."""


class Queued(BaseModel):
    """What a queued value has beside its payload. A kind's own model has its `schema_` first."""

    submitted_by: str = Field(min_length=1, max_length=100)
    submitted_at: UtcSecond

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True)


class AloneKind:
    """A kind whose submissions have no versions. `words` are its fields' sentences, that of the whole under ""."""

    name: str
    title: str
    counted: tuple[str, str]
    schema: str
    destination: str
    weight = 1
    patience = 3  # results go first, with two corrections of each event
    payload: ClassVar[type[BaseModel]]
    queued: ClassVar[type[Queued]]
    words: ClassVar[Mapping[str, str]]
    refusal: ClassVar[str]

    def prepare(self, payload: object, *, submission: str, submitted_by: str, submitted_at: datetime) -> Entry:
        """Check a JSON value from outside and fix its bytes.

        :raises SheetRefused: with a JSON pointer for each value that cannot be taken."""
        try:
            given = self.payload.model_validate(payload)
        except ValidationError as error:
            raise self._refused(error) from None
        whole = self.queued(**given.model_dump(), submitted_by=submitted_by, submitted_at=submitted_at)
        body = whole.model_dump_json(by_alias=True).encode()
        return Entry(
            self.name,
            NO_EVENT,
            submitted_at.date().isoformat(),
            body,
            digest(body),
            self._says(given),
            self.count(given),
            submitted_by,
            weight=self.weight,
            patience=self.patience,
            destination=self.destination,
            subject=submission,
            event=self.event(given),
            id=submission,
            slip=self.slip(body),
        )

    def envelope(self, body: bytes) -> Envelope:
        """The envelope of a body.

        :raises ValueError: the bytes are no body of this kind."""
        found = self.queued.model_validate_json(body)
        day = found.submitted_at.date().isoformat()
        return Envelope(self.event(found), day, self._says(found), self.count(found), found.submitted_by)

    def rows_digest(self, body: bytes) -> str:
        """The digest of its payload, without author and time."""
        return self._says(self.queued.model_validate_json(body))

    def office_letter(self, body: bytes) -> OfficeLetter | None:
        """Nothing of it goes by mail."""
        return None

    def example(self, event: str, number: int) -> Mapping[str, object] | None:
        """No rehearsal posts one."""
        return None

    def slip(self, body: bytes) -> Slip | None:
        """None: few kinds are personal."""
        return None

    def expires_at(self, body: bytes) -> datetime | None:
        """Never."""
        return None

    def subject(self, submission: str, date: str) -> str:
        """Each stands alone."""
        return submission

    def accepts(self, parcel: Parcel, receipt: Receipt) -> bool:
        """The receipt names this very submission and its bytes."""
        return (receipt.submission, receipt.digest) == (parcel.submission, parcel.digest)

    def event(self, given: BaseModel) -> str:
        """The short name of the event that it belongs to; empty: none."""
        return str(getattr(given, "event", ""))

    def count(self, given: BaseModel) -> int:
        """What its summary counts: the characters of its text."""
        return len(getattr(given, "text", ""))

    def _says(self, given: BaseModel) -> str:
        return digest(given.model_dump_json(include=set(self.payload.model_fields)).encode())

    def _refused(self, error: ValidationError) -> SheetRefused:
        """Each field's fault beside it; further faults are reported as one."""
        problems = {}
        for fault in listed(error):
            field = str(fault.place[0]) if fault.place else ""
            message = gettext(self.words.get(field, self.words[""]))
            pointer = f"/{field}" if field in self.words and field else ""
            where = (Where(pointer=pointer),)
            problems[pointer] = Problem(code="bad-value", severity=Severity.BLOCKS, message=message, where=where)
        return SheetRefused(gettext(self.refusal), tuple(problems.values()))
