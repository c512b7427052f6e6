"""What a model refused of a value, as few faults: the one place that reads pydantic's errors.

Pydantic makes a Python object of each error or of none. A body that is wrong on each of its lines has a hundred
thousand, of which fifty are shown: so its rows are looked at piece by piece, until enough is found."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from resultsq.domain.i18n import gettext, gettext_noop

MOST_LISTED: Final = 1_000
"""Errors that are made into a list at once; a value with more is wrong as a whole."""

_PIECE = 50


class Fault(NamedTuple):
    """One thing that is wrong. `kind` and `bounds` are pydantic's names, `place` leads to it from the outside in."""

    kind: str
    place: tuple[int | str, ...]
    message: str
    bounds: Mapping[str, Any]

    @property
    def pointer(self) -> str:
        """The place as RFC 6901 writes it: a pointer's own two signs are written in another way."""
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in self.place)


_WORDS = {
    "bool_parsing": gettext_noop("It must be true or false."),
    "bool_type": gettext_noop("It must be true or false."),
    "int_parsing": gettext_noop("It must be a whole number."),
    "int_type": gettext_noop("It must be a whole number."),
    "int_from_float": gettext_noop("It must be a whole number."),
    "float_parsing": gettext_noop("It must be a number."),
    "float_type": gettext_noop("It must be a number."),
    "greater_than": gettext_noop("It must be more than {gt}."),
    "greater_than_equal": gettext_noop("It must be {ge} or more."),
    "less_than": gettext_noop("It must be less than {lt}."),
    "less_than_equal": gettext_noop("It must be {le} or less."),
    "literal_error": gettext_noop("It must be one of these: {expected}."),
    "path_type": gettext_noop("It must be a path."),
    "string_type": gettext_noop("It must be a text."),
    "string_too_short": gettext_noop("It is too short."),
    "string_too_long": gettext_noop("It is too long."),
}
"""Pydantic's kinds of faults in values of people, with its own names for their bounds."""


def in_words(fault: Fault) -> str:
    """What is wrong, for people: a check's own sentence, or the one for pydantic's kind of fault."""
    if fault.kind in _WORDS:
        bounds = {**fault.bounds, "expected": str(fault.bounds.get("expected", "")).replace("' or '", "', '")}
        return gettext(_WORDS[fault.kind], **bounds)
    return fault.message.removeprefix("Value error, ")


def listed(error: ValidationError) -> list[Fault]:
    """The faults of a small value, 1 to `MOST_LISTED`; of one that has more, that it has them."""
    if error.error_count() > MOST_LISTED:
        return [Fault("too_many", (), f"{error.error_count()} values of it are wrong", {})]
    return [
        Fault(one["type"], one["loc"], one["msg"], one.get("ctx", {}))
        for one in error.errors(include_url=False, include_input=False)
    ]


def first(error: ValidationError) -> Fault:
    """What to name where one is enough."""
    return listed(error)[0]


def is_no_json(error: ValidationError) -> bool:
    """Whether the bytes were no JSON at all."""
    return error.error_count() == 1 and first(error).kind == "json_invalid"


def faults_of(model: type[BaseModel], value: object, most: int) -> tuple[Fault, ...]:
    """The first faults of a value that the model has refused: no more than `most`, and no more are made."""
    return tuple(islice(_piecewise(model, value), most))


def _piecewise(model: type[BaseModel], value: object) -> Iterator[Fault]:
    lists = {name: rows for name, rows in value.items() if isinstance(rows, list)} if isinstance(value, dict) else {}
    for start in range(0, max(1, *map(len, lists.values()), 0), _PIECE):
        pieces = {name: rows[start : start + _PIECE] for name, rows in lists.items()}
        found = _refusal(model, {**value, **pieces} if isinstance(value, dict) else value)
        for fault in found:
            place = fault.place
            if len(place) > 1 and place[0] in lists and isinstance(place[1], int):
                yield fault._replace(place=(place[0], start + place[1], *place[2:]))
            elif start == 0:
                yield fault
        if found and found[0].kind == "too_many":
            return


def _refusal(model: type[BaseModel], value: object) -> list[Fault]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        return listed(error)
    return []
