"""The exception tree. Exceptions are for surprises and refusals; the answers of a master are values
(outcome.py).

    ResultsqError                      anything this product raises on purpose; its text is for people
    ├── SettingsError                  a setting is misspelt, missing or makes no sense
    ├── InputRefused                   the input cannot be taken; nothing of it was stored
    │   ├── FileRefused                a file, by name and line
    │   ├── BodyDamaged                what arrived is not what was sent: emptied, cut off or changed on its way
    │   ├── NotJson                    a body or field that was to be JSON, by line and column
    │   ├── SheetRefused               rows that have blocking problems
    │   └── TooLarge                   over a limit that is written down
    ├── NotAllowed                     the caller may not do this, or not see it
    ├── QuotaReached                   the event has handed in all that it may today; nothing was stored
    ├── NotThere                       no such event, submission, account …
    ├── Conflicting                    the present state does not allow it
    │   ├── HeadMoved                  the event and date already have another version
    │   └── KeyReused                  the same Idempotency-Key with other content
    └── StoreUnavailable               the node's own database did not answer; try again
        ├── StoreFull                  no room on the disk; nothing was stored
        └── StoreUnsure                the answer was lost; it may or may not be stored
"""

from __future__ import annotations

from resultsq.domain.problem import Problem


class ResultsqError(Exception):
    """Anything this product raises on purpose. Its text says what happened, what it means for the results,
    and what to do."""


class SettingsError(ResultsqError):
    """A setting is misspelt, missing or makes no sense."""


class InputRefused(ResultsqError):
    """The input cannot be taken; nothing of it was stored. `problems` says why, each with its place."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class FileRefused(InputRefused):
    """A file cannot be read as what event teams have in their hands."""


class BodyDamaged(InputRefused):
    """What arrived is not what was sent: emptied, cut off or changed on its way. Sent again, it may arrive whole."""


class NotJson(InputRefused):
    """A body or field is not JSON. `pointer` names the field; line and column say where the JSON ends, where known."""

    def __init__(self, message: str, pointer: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.line = line
        self.column = column


class SheetRefused(InputRefused):
    """The rows have problems that block publication."""


class TooLarge(InputRefused):
    """The input is over a limit that is written down in the README."""


class NotAllowed(ResultsqError):
    """The caller may not do this, or not see it."""


class QuotaReached(ResultsqError):
    """The event has handed in all that it may in a day; nothing was stored. It may again after `wait_s`."""

    def __init__(self, message: str, wait_s: int) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class NotThere(ResultsqError):
    """There is no such thing here."""


class Conflicting(ResultsqError):
    """The present state does not allow it."""


class HeadMoved(Conflicting):
    """The event and date already have a version that the caller did not name: `head` is its submission id,
    or None where the caller named one and there is none."""

    def __init__(self, message: str, head: str | None) -> None:
        super().__init__(message)
        self.head = head


class KnownOtherwise(Conflicting):
    """An id that came in is here already, and stands for another sheet."""


class KeyReused(Conflicting):
    """The same Idempotency-Key came with other content."""


class StoreUnavailable(ResultsqError):
    """The node's own database did not answer in time. Nothing was stored, but for StoreUnsure; trying again is safe.
    `cause`: why, as a sentence for operators, without anything of a row."""

    def __init__(self, message: str = "", cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause or message


class StoreUnsure(StoreUnavailable):
    """The database was lost while it committed: it may have been stored, or not. Trying again is as safe."""


class StoreFull(StoreUnavailable):
    """There is no room on the disk. Nothing was stored; it works again when there is room."""
