"""What a person may change by hand, as values: `action` and its fields, each refused in words where it makes
no sense. A fix that a problem offers is one of these.

`on` plays a correction on a board and returns the sentence for the record. Positions and tokens are those
that the person saw, with all earlier corrections done. `file` is a file's digest.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext
from resultsq.domain.invalid import first
from resultsq.domain.problem import Fix, Problem
from resultsq.kinds.results.corrections_base import LONGEST_LINE, CorrectionBase
from resultsq.kinds.results.corrections_files import (
    AsGiven,
    ChooseDay,
    DropFile,
    DropLine,
    EditLine,
    EditVolunteer,
    KeepDoubleTap,
    LeaveOutDay,
    MoveAthletesUp,
    ReadLinesAsMeant,
    UseColumn,
)
from resultsq.kinds.results.corrections_scans import (
    ChooseAthlete,
    ChooseToken,
    DropScans,
    DropTokensBeyond,
    EditAthlete,
    EditToken,
    InsertTokens,
    RemoveTokens,
    ReverseTokens,
    SwapTokens,
)
from resultsq.kinds.results.corrections_times import (
    EditTime,
    InsertFinisher,
    InsertTime,
    LeaveOffset,
    ReadTimes,
    RemoveFinisher,
    RemoveTime,
    ShiftStopwatch,
    TickTime,
    UntickTime,
)

__all__ = ["LONGEST_LINE", "Correction", "asked", "correction_of"]

_Any = (
    EditTime
    | InsertTime
    | RemoveTime
    | InsertFinisher
    | RemoveFinisher
    | EditAthlete
    | EditToken
    | ChooseToken
    | ChooseAthlete
    | DropScans
    | DropTokensBeyond
    | InsertTokens
    | RemoveTokens
    | SwapTokens
    | ReverseTokens
    | ShiftStopwatch
    | LeaveOffset
    | UntickTime
    | TickTime
    | EditLine
    | DropLine
    | DropFile
    | MoveAthletesUp
    | ReadLinesAsMeant
    | LeaveOutDay
    | KeepDoubleTap
    | UseColumn
    | ReadTimes
    | ChooseDay
    | EditVolunteer
    | AsGiven
)
Correction = Annotated[_Any, Field(discriminator="action")]
"""Everything that may be changed by hand."""

_BY_ACTION: dict[str, type[CorrectionBase]] = {
    correction.model_fields["action"].default: correction for correction in get_args(_Any)
}

_CORRECTION: TypeAdapter[Correction] = TypeAdapter(Correction)


def correction_of(action: str, arguments: Mapping[str, Any]) -> Correction:
    """A correction from a fix or a form, whose values may all be text.

    :raises InputRefused: where there is no such action, or a field is missing or makes no sense."""
    try:
        return _CORRECTION.validate_python({**arguments, "action": action})
    except ValidationError as error:
        raise InputRefused(_words(error)) from None


def asked(fix: Fix) -> tuple[str, ...]:
    """The fields that a fix leaves to the person."""
    fields = _BY_ACTION[fix.action].model_fields
    return tuple(name for name, field in fields.items() if field.is_required() and name not in fix.arguments)


def with_asked(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, each fix with what it asks of a person: a program or a terminal has no field that shows it."""
    return [
        one.model_copy(update={"fixes": tuple(fix.model_copy(update={"asks": asked(fix)}) for fix in one.fixes)})
        if one.fixes
        else one
        for one in problems
    ]


def _words(error: ValidationError) -> str:
    fault = first(error)
    if not fault.place:
        return gettext("There is no such correction.")
    field = _field(str(fault.place[-1]))
    bounds = fault.bounds
    match fault.kind:
        case "missing":
            return gettext("The {field} is missing.", field=field)
        case "value_error":
            return gettext("The {field}: {reason}.", field=field, reason=bounds["error"])
        case "extra_forbidden":
            return gettext("This correction has no {field}.", field=field)
        case "greater_than_equal":
            return gettext("The {field} is at least {least}.", field=field, least=bounds["ge"])
        case "less_than_equal":
            return gettext("The {field} is at most {most}.", field=field, most=bounds["le"])
        case "string_too_long":
            return gettext("The {field} has at most {most} characters.", field=field, most=bounds["max_length"])
        case "int_parsing" | "int_type":
            return gettext("The {field} is a whole number.", field=field)
        case _:
            return gettext("The {field} is not valid.", field=field)


def _field(name: str) -> str:
    words = {
        "time": gettext("time"),
        "athlete": gettext("athlete"),
        "token": gettext("token"),
        "position": gettext("position"),
        "count": gettext("count"),
        "first": gettext("first"),
        "last": gettext("last"),
        "other": gettext("other"),
        "line": gettext("line"),
        "text": gettext("text"),
        "file": gettext("file"),
        "seconds": gettext("seconds"),
    }
    return words.get(name, name)
