"""One thing that is wrong with results: a code, where it is, a sentence for volunteers, and fixes.

The codes, their severities and sentences are the tables in resultsq/readers/rules.py (files) and
resultsq/kinds/results/rules.py (rows); here is only the shape that every reader, check, page and API answer
shares.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from resultsq.domain.i18n import gettext

MOST_PLACES = 50
"""Places that one problem names. A damaged file has thousands, and each costs a kilobyte of memory; the problem's
sentence says how many there are."""


class Severity(StrEnum):
    """How much a problem matters."""

    BLOCKS = "blocks"  # the results cannot be published like this
    WARNS = "warns"  # worth a look; the results can be published


class Where(BaseModel):
    """A place. Every field is optional: a problem names as much as is known.

    `file` is the name that the team gave (shown to the team, never logged), `line` counts from 1 in that
    file, `row` is a finisher's position, `token` a finish token's number, `athlete` a barcode, `pointer`
    a JSON pointer into a request's body."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str | None = None
    line: int | None = None
    row: int | None = None
    token: int | None = None
    athlete: str | None = None
    pointer: str | None = None


class Fix(BaseModel):
    """A way to mend a problem, applied only when a person says so.

    `action` names a correction of resultsq/kinds/results/corrections.py, `arguments` are its fields, and
    `label` is what the button says. `asks` are the required fields that `arguments` lack: a person gives them.
    `present` is what such a field holds now, to be mended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: str
    label: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    asks: tuple[str, ...] = ()
    present: str = ""


class Problem(BaseModel):
    """`code` is stable and part of the API; `message` is a sentence that a volunteer understands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    severity: Severity
    message: str
    where: tuple[Where, ...] = ()
    fixes: tuple[Fix, ...] = ()

    @property
    def blocks(self) -> bool:
        return self.severity is Severity.BLOCKS


@dataclass(frozen=True, slots=True)
class ProblemRule:
    """A rule that files or rows can break: its code, how much that matters, and its sentence.

    `sentence` has named gaps (`{athlete}`), so that it is one text to translate."""

    code: str
    severity: Severity
    sentence: str

    def broken(self, where: Iterable[Where], fixes: Iterable[Fix] = (), /, **values: object) -> Problem:
        """The problem that says so; `values` fill the gaps of the sentence."""
        return Problem(
            code=self.code,
            severity=self.severity,
            message=gettext(self.sentence, **values),
            where=tuple(islice(where, MOST_PLACES)),
            fixes=tuple(fixes),
        )
