"""The quick way for a body as nearly all are: rows with which nothing at all is wrong.

Acceptance waits for the reading of the rows more than for most other things. `read_quickly` makes no value of ours of
each, judges whole columns at once, and says nothing: a body that it does not know to be good is None, and goes the
ordinary way, which has the sentences. It takes only bodies that the ordinary way would take, with the same bytes
(tests/unit/kinds/test_quick.py).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.sheet import SLUG, Rows
from resultsq.kinds.results.checks import are_plausible
from resultsq.readers.marks import LONGEST_NORMAL

_EVENT = SLUG.fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
# of a whole column, a line each: to match line by line takes three times as long
_TIMES = re.compile(r"(?:[0-9]{2}:[0-5][0-9]:[0-5][0-9]\n)*+").fullmatch
_FINISHERS_ATHLETES = re.compile(
    rf"(?:A[1-9][0-9]{{0,{LONGEST_NORMAL - 2}}}\n)*+"
).fullmatch  # a longer one is worth a word
_HELPERS_ATHLETE = re.compile(r"A[1-9][0-9]{0,30}").fullmatch
_ROLE = re.compile(r"[^\x00-\x1f\x7f]{1,100}").fullmatch


class _Finisher(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    position: int
    athlete: str | None = None
    time: str | None = None


class _Volunteer(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    athlete: str
    role: str


class _Body(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    event: str
    date: str
    finishers: list[_Finisher]
    volunteers: list[_Volunteer] = []


class _Rows(msgspec.Struct, frozen=True, gc=False):
    finishers: list[_Finisher]
    volunteers: list[_Volunteer]


_READ = msgspec.json.Decoder(_Body)
_WRITE = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Good:
    """A body with which nothing is wrong."""

    event: str
    date: date
    rows: Rows
    volunteers: int


def read_quickly(body: bytes, plausible_at: Callable[[str], Plausible] = lambda event: FIVE_K) -> Good | None:
    """The API's JSON, if nothing is wrong with it; None: the ordinary way will name the fault. `plausible_at` says what
    a run takes at an event; it is called last, for a body that is otherwise good."""
    try:
        given = _READ.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not (_EVENT(given.event) and _DATE(given.date) and _are_good(given)):
        return None
    try:
        day = date.fromisoformat(given.date)
    except ValueError:
        return None
    rising = [row.time for row in given.finishers if row.time is not None]
    if not are_plausible(rising, plausible_at(given.event)):
        return None
    rows = Rows(_WRITE.encode(_Rows(given.finishers, given.volunteers)), len(given.finishers))
    return Good(given.event, day, rows, len(given.volunteers))


def _are_good(given: _Body) -> bool:
    finishers, volunteers = given.finishers, given.volunteers
    athletes = [row.athlete for row in finishers if row.athlete is not None]
    rising = [row.time for row in finishers if row.time is not None]
    return (
        len(finishers) > 0
        and [row.position for row in finishers] == list(range(1, len(finishers) + 1))
        and len(set(athletes)) == len(athletes)
        and rising == sorted(rising)
        and _fit(_FINISHERS_ATHLETES, athletes)
        and _fit(_TIMES, rising)
        and all(_HELPERS_ATHLETE(row.athlete) and _ROLE(row.role) for row in volunteers)
    )


def _fit(pattern: Callable[[str], object], texts: Sequence[str]) -> bool:
    """Whether each of the texts is a line of the pattern; one with a line break in it would be two."""
    lines = "".join([f"{text}\n" for text in texts])
    return pattern(lines) is not None and lines.count("\n") == len(texts)
