"""Which submissions: one value that the list, the actions, the API and the command line share.

An empty filter is every submission. Its parts are joined by "and", the values of one part by "or". What a filter
means in the store is resultsq/store/views/conditions.py, `where`: the same condition for the rows that are shown,
counted and acted on.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.invalid import first
from resultsq.domain.submission import State

_MANY = frozenset({"events", "kinds", "states"})
_TIMES = ("accepted_from", "accepted_to")


def _within_the_calendar(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time lies outside the calendar") from None


Moment = Annotated[AwareDatetime, AfterValidator(_within_the_calendar)]
"""A time that can be stored: aware, and in UTC still a date."""

Plain = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""A text that a database takes."""


class Filter(BaseModel):
    """`text` is part of an event's slug or name or of who submitted, or the beginning of an id or a date.
    `cause` is the class of the last error (`timeout`, `conflict`, …), `status` its HTTP status, `fingerprint` its
    group. `attempts_*` are inclusive; accepted_from ≤ accepted < accepted_to. `waiting_only`: queued or sending."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Plain = Field("", max_length=100)
    events: tuple[Plain, ...] = ()
    kinds: tuple[Plain, ...] = ()
    states: tuple[State, ...] = ()
    cause: Plain | None = Field(None, max_length=32)
    fingerprint: Plain | None = Field(None, max_length=120)
    status: int | None = Field(None, ge=100, le=599)
    attempts_min: int | None = Field(None, ge=0, le=1_000_000)
    attempts_max: int | None = Field(None, ge=0, le=1_000_000)
    accepted_from: Moment | None = None
    accepted_to: Moment | None = None
    waiting_only: bool = False

    @classmethod
    def parse(cls, pairs: Iterable[tuple[str, str]], zone: tzinfo) -> Self:
        """The filter of a query string: names as above, `events`, `kinds` and `states` once for each value; empty
        values and names of others are passed over. A time without a zone is one of `zone`.

        :raises InputRefused: a value makes no sense; the message names it."""
        found: dict[str, Any] = {}
        for name, value in pairs:
            text = value.strip()
            if name not in cls.model_fields or not text:
                continue
            if name in _MANY:
                found.setdefault(name, []).append(text)
            else:
                found[name] = _time(text, zone) if name in _TIMES else text
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            fault = first(error)
            raise InputRefused(
                gettext(
                    "The filter {name} makes no sense: {reason}.",
                    name=(fault.place or tuple(found))[0],
                    reason=fault.message,
                )
            ) from None

    def pairs(self) -> list[tuple[str, str]]:
        """What `parse` reads: only the parts that say something, always in the same order."""
        return [
            (name, str(one).lower() if isinstance(one, bool) else str(one))
            for name, value in self.model_dump(mode="json", exclude_defaults=True).items()
            for one in (value if name in _MANY else [value])
        ]

    @property
    def is_everything(self) -> bool:
        """Whether it leaves nothing out."""
        return not self.pairs()


def _time(text: str, zone: tzinfo) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text  # refused by its field, in its words
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
