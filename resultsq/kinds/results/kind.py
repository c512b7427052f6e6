"""The kind "results": from rows, or a JSON value from outside, to a sheet whose bytes never change again."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from resultsq.domain.destinations import MASTER
from resultsq.domain.entry import NO_EVENT, Entry, Slip
from resultsq.domain.errors import SheetRefused
from resultsq.domain.i18n import gettext, gettext_noop, ngettext, ngettext_noop
from resultsq.domain.invalid import Fault, faults_of
from resultsq.domain.outcome import Receipt
from resultsq.domain.ports import Envelope, OfficeLetter, Parcel, Request
from resultsq.domain.problem import Problem, Where
from resultsq.domain.sheet import (
    SCHEMA,
    EventSlug,
    Finisher,
    Rows,
    Sheet,
    Volunteer,
    digest,
    parse,
    rows_digest,
    rows_of,
    sheet_bytes,
)
from resultsq.kinds.results.checks import check_rows
from resultsq.kinds.results.rules import BAD_VALUE
from resultsq.readers import MAX_ROWS

_SHOWN = 50
"""How many bad values are named; a body with more is wrong as a whole."""


_WORDS = {
    "event": gettext_noop("an event is its short name in lower-case letters, digits and hyphens"),
    "date": gettext_noop("a date is YYYY-MM-DD"),
    "position": gettext_noop("a position is a whole number from 1"),
    "athlete": gettext_noop("an athlete is A and digits, as in A1234567; a finisher's may be null"),
    "time": gettext_noop("a time is HH:MM:SS, or null"),
    "role": gettext_noop("a role is a text of 1 to 100 characters, none of them a control character"),
}


def _iso_date(value: object) -> object:
    # pydantic would also take numbers, and count them as seconds
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - pydantic asks for it
    return value


class ResultsPayload(BaseModel):
    """What the API takes: the sheet without what the node itself adds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: EventSlug
    date: Annotated[date, BeforeValidator(_iso_date)]
    finishers: tuple[Finisher, ...]
    volunteers: tuple[Volunteer, ...] = ()


class ResultsKind:
    """Results of one event and date."""

    name = "results"
    title = gettext_noop("results")
    counted = ngettext_noop("{number} sheet of results", "{number} sheets of results")
    schema = SCHEMA
    destination = MASTER
    weight = 1
    patience = 0
    template = None
    form = None

    def office_letter(self, body: bytes) -> OfficeLetter | None:
        """Every master takes results."""
        return None

    def example(self, event: str, number: int) -> Mapping[str, object] | None:
        """A rehearsal posts files."""
        return None

    def subject(self, submission: str, date: str) -> str:
        """Versions of one event's results for one date are a chain."""
        return date

    def request(self, parcel: Parcel) -> Request:
        """On top of the version that it corrects, or first of all."""
        base = parcel.precondition
        return Request(
            "PUT",
            f"/v1/events/{quote(parcel.event, safe='')}/results/{quote(parcel.date, safe='')}",
            {"If-None-Match": "*"} if base is None else {"If-Match": f'"{base}"'},
        )

    def accepts(self, parcel: Parcel, receipt: Receipt) -> bool:
        """The receipt names sheet, event and date, and says which revision it became."""
        own = (parcel.submission, parcel.event, parcel.date, parcel.digest)
        return receipt.revision >= 1 and own == (receipt.submission, receipt.event, receipt.date, receipt.digest)

    def summary(self, count: int) -> str:
        return ngettext("{number} finisher", "{number} finishers", count)

    def prepare(self, payload: object, *, submission: str, submitted_by: str, submitted_at: datetime) -> Entry:
        """Check a JSON value from outside and fix its bytes.

        :raises SheetRefused: with problems, each with a JSON pointer, where it cannot be published."""
        given = payload_of(payload)
        return self.prepare_rows(
            given.event,
            given.date,
            rows_of(given.finishers, given.volunteers),
            problems=check_rows(given.finishers, given.volunteers),
            submission=submission,
            submitted_by=submitted_by,
            submitted_at=submitted_at,
        )

    def prepare_rows(
        self,
        event: str,
        on: date,
        rows: Rows,
        *,
        problems: Sequence[Problem],
        submitted_by: str,
        submitted_at: datetime,
        submission: str | None = None,
    ) -> Entry:
        """Fix the bytes of rows that were checked: `problems` is what their check found. The id of `event` is to be
        looked up before they are accepted.

        :raises SheetRefused: where one of the problems blocks."""
        if any(problem.blocks for problem in problems):
            raise SheetRefused(
                gettext("The results cannot be published like this, and nothing was stored."), tuple(problems)
            )
        rest = Sheet(event=event, date=on, submitted_by=submitted_by, submitted_at=submitted_at, finishers=())
        body = sheet_bytes(rest, rows)
        return Entry(
            kind=self.name,
            event_id=NO_EVENT,
            date=on.isoformat(),
            body=body,
            digest=digest(body),
            rows_digest=digest(rows.canonical),
            finishers=rows.finishers,
            submitted_by=submitted_by,
            finishers_digest=rows.digest_of_finishers,
            weight=self.weight,
            patience=self.patience,
            destination=self.destination,
            event=event,
            problems=tuple(problems),
            id=submission or str(uuid.uuid4()),
        )

    def envelope(self, body: bytes) -> Envelope:
        """The envelope of a sheet.

        :raises ValueError: the bytes are no sheet, or have more rows than any."""
        found = parse(body)
        if max(len(found.finishers), len(found.volunteers)) > MAX_ROWS:
            raise ValueError("more rows than any sheet has")
        rows = rows_of(found.finishers, found.volunteers)
        return Envelope(
            found.event, found.date.isoformat(), digest(rows.canonical), len(found.finishers), found.submitted_by
        )

    def rows_digest(self, body: bytes) -> str:
        """The digest of finishers and volunteers alone."""
        sheet = parse(body)
        return rows_digest(sheet.finishers, sheet.volunteers)

    def slip(self, body: bytes) -> Slip | None:
        """None: results are published."""
        return None

    def expires_at(self, body: bytes) -> datetime | None:
        """Never."""
        return None


def payload_of(value: object) -> ResultsPayload:
    """A JSON value as what the API takes.

    :raises SheetRefused: with a JSON pointer for each value that cannot be taken."""
    try:
        return ResultsPayload.model_validate(value)
    except ValidationError:
        problems = tuple(map(_bad_value, faults_of(ResultsPayload, value, _SHOWN)))
        raise SheetRefused(gettext("The results cannot be read like this, and nothing was stored."), problems) from None


def _bad_value(fault: Fault) -> Problem:
    match fault.kind:
        case "missing":
            reason = gettext("it is missing")
        case "extra_forbidden":
            reason = gettext("there is no such field")
        case _:
            name = str(fault.place[-1]) if fault.place else ""
            reason = gettext(_WORDS[name]) if name in _WORDS else fault.message[:1].lower() + fault.message[1:]
    pointer = fault.pointer
    return BAD_VALUE.broken([Where(pointer=pointer)], place=pointer or gettext("The body"), reason=reason)
