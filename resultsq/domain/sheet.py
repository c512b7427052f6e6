"""The results sheet: its values, its canonical bytes and its digest.

A sheet is turned into bytes once, when it is accepted, and is never serialised again: the digest that the
team sees, the bytes that travel and the bytes that the master commits are the same (upload contract,
"Conversation").
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, TypeAdapter

SCHEMA: Literal["resultsq.results/1"] = "resultsq.results/1"

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""An event's name in addresses; use `fullmatch`."""

EventSlug = Annotated[str, StringConstraints(pattern=rf"^{SLUG.pattern}$")]
"""An event's name in URLs: 1 to 63 lower-case letters, digits and inner hyphens."""

# ASCII digits on purpose: \d would take other scripts' digits, which no master expects.
AthleteId = Annotated[str, StringConstraints(pattern=r"^A[1-9][0-9]{0,30}$")]
"""An athlete's barcode: `A` and digits without a leading zero, kept as text (ids run past 32 bits)."""

ElapsedTime = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}:[0-5][0-9]:[0-5][0-9]$")]
"""`HH:MM:SS`."""


def _utc_text(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


UtcSecond = Annotated[datetime, PlainSerializer(_utc_text, return_type=str, when_used="json")]
"""An aware time, written to the second in UTC."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finisher(_Value):
    """One line of the results. `athlete` None is an Unknown: normal. `time` None: the position has no time."""

    position: int = Field(ge=1, strict=True)
    athlete: AthleteId | None = None
    time: ElapsedTime | None = None


Role = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""What a volunteer did, in words: no control characters, which no master takes."""


class Volunteer(_Value):
    athlete: AthleteId
    role: Role


class Sheet(_Value):
    """The results of one event and date, as published. Positions are consecutive from 1."""

    schema_: Literal["resultsq.results/1"] = Field(default=SCHEMA, alias="schema")
    event: EventSlug
    date: date
    submitted_by: str = Field(min_length=1, max_length=100)
    submitted_at: UtcSecond
    finishers: tuple[Finisher, ...]
    volunteers: tuple[Volunteer, ...] = ()

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_alias=True, validate_by_name=True)


class SheetRows(_Value):
    """Finishers and volunteers alone."""

    finishers: tuple[Finisher, ...]
    volunteers: tuple[Volunteer, ...]


_ROWS = TypeAdapter(SheetRows)


@dataclass(frozen=True)
class Rows:
    """What a sheet says: the end of its bytes, as a JSON object of its own. `finishers` is their number."""

    canonical: bytes
    finishers: int

    @cached_property
    def digest_of_finishers(self) -> str | None:
        """As `finishers_digest`; acceptance asks twice."""
        return finishers_digest(self.canonical, self.finishers)


def rows_of(finishers: Sequence[Finisher], volunteers: Sequence[Volunteer]) -> Rows:
    """The rows in the order of their positions."""
    rows = SheetRows.model_construct(
        finishers=tuple(sorted(finishers, key=attrgetter("position"))), volunteers=tuple(volunteers)
    )
    return Rows(_ROWS.dump_json(rows), len(finishers))


def parse_rows(rows: Rows) -> SheetRows:
    """What the rows say."""
    return _ROWS.validate_json(rows.canonical)


_NO_ROWS = len(b'"finishers":[],"volunteers":[]}')


def sheet_bytes(empty: Sheet, rows: Rows) -> bytes:
    """The canonical bytes of a sheet with these rows; `empty` is all the rest of it."""
    return canonical_bytes(empty)[:-_NO_ROWS] + rows.canonical[1:]


def canonical_bytes(sheet: Sheet) -> bytes:
    """The sheet as compact UTF-8 JSON, keys in the order of the contract: the bytes that travel."""
    return sheet.model_dump_json(by_alias=True).encode()


def parse(body: bytes) -> Sheet:
    """A sheet from its JSON bytes.

    :raises pydantic.ValidationError: where the bytes are no sheet; each error has its place (`loc`)."""
    return Sheet.model_validate_json(body)


def digest(body: bytes) -> str:
    """`sha-256=:<base64>:` over the uncompressed body, in the syntax of RFC 9530."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def rows_digest(finishers: Sequence[Finisher], volunteers: Sequence[Volunteer]) -> str:
    """The digest of finishers and volunteers alone: two sheets with equal rows are equal here, no matter who sent
    them and when."""
    return digest(rows_of(finishers, volunteers).canonical)


ENOUGH_TO_COMPARE = 10
"""Sheets with fewer finishers may be alike by chance."""


def finishers_digest(body: bytes, finishers: int) -> str | None:
    """The digest of the finishers alone, from a sheet's bytes or those of its rows; None: they are too few, or say too
    little, to be known by it."""
    lines = body.partition(b'"finishers":[')[2].partition(b'],"volunteers":')[0]
    says = b'"athlete":"' in lines or b'"time":"' in lines
    return digest(lines) if finishers >= ENOUGH_TO_COMPARE and says else None
