"""What the master asks of a sheet's bytes: pure, and the same over HTTP and straight into the database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import from_json

from resultsq.domain import sheet as sheets
from resultsq.domain.invalid import Fault, faults_of, is_no_json
from resultsq.domain.outcome import Reason
from resultsq.domain.sheet import Sheet

MAX_REASONS = 100
"""A sheet that is wrong on each line gets its first hundred faults."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """The master will never take this sheet; `reasons` are 1 to `MAX_REASONS`."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class UnreadableSheet:
    """The body is not JSON."""

    detail: str


# A team's sentences for a field that breaks the contract; the parser's words are for programmers.
_SENTENCES = {
    "schema": f"The schema is {sheets.SCHEMA}.",
    "event": "An event is 1 to 63 lower-case letters, digits and inner hyphens.",
    "date": "A date is written YYYY-MM-DD.",
    "submitted_at": "A moment is written YYYY-MM-DDTHH:MM:SSZ.",
    "position": "A position is a whole number from 1.",
    "athlete": "An athlete is A and digits without a leading zero.",
    "time": "A time is written HH:MM:SS, or is null where the position has none.",
    "role": "A role is 1 to 100 characters.",
    "submitted_by": "A name is 1 to 100 characters.",
    "finishers": "The finishers are a list.",
    "volunteers": "The volunteers are a list.",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def read(body: bytes, event: str, date: str) -> Sheet | Invalid | UnreadableSheet:
    """The sheet, or why it cannot be published for `event` and `date` (ISO 8601). No reason quotes
    the sheet: reasons travel and are kept, and a sheet is people's results."""
    try:
        sheet = sheets.parse(body)
    except ValidationError as error:
        if is_no_json(error):
            return UnreadableSheet("The body is not JSON in UTF-8.")
        return Invalid(tuple(map(_reason, faults_of(Sheet, from_json(body), MAX_REASONS))))
    reasons = tuple(_against(sheet, event, date))[:MAX_REASONS]
    return Invalid(reasons) if reasons else sheet


def _reason(fault: Fault) -> Reason:
    match fault.kind:
        case "missing":
            detail = "This field is missing."
        case "extra_forbidden":
            detail = "The contract has no such field."
        case "too_many":
            detail = "Far too many values are not as the contract has them."
        case _:
            detail = _SENTENCES.get(str(fault.place[-1]) if fault.place else "", "Here the contract has a JSON object.")
    return Reason(detail, fault.pointer)


def _against(sheet: Sheet, event: str, date: str) -> Iterator[Reason]:
    """What speaks against a sheet of the right shape."""
    if sheet.event != event:
        yield Reason("The sheet is of another event than its address.", "/event")
    if sheet.date.isoformat() != date:
        yield Reason("The sheet is of another date than its address.", "/date")
    if _CONTROL.search(sheet.submitted_by):
        yield Reason("A name has no control characters.", "/submitted_by")
    for index, volunteer in enumerate(sheet.volunteers):
        if _CONTROL.search(volunteer.role):
            yield Reason("A role has no control characters.", f"/volunteers/{index}/role")
    first_at: dict[str, int] = {}
    in_order = True
    for index, line in enumerate(sheet.finishers):
        if in_order and line.position != index + 1:
            in_order = False  # one hole moves every line below it: it is reported once
            yield Reason(f"Positions are consecutive from 1: here {index + 1} is due.", f"/finishers/{index}/position")
        if line.athlete is None:
            continue
        first = first_at.setdefault(line.athlete, index)
        if first != index:
            yield Reason(f"This athlete is on line {first + 1} too.", f"/finishers/{index}/athlete")
