"""Small words of sentences: a day, a use of a column."""

from datetime import date

from resultsq.domain.words import say, sentence

_MONTHS = (
    sentence("January"),
    sentence("February"),
    sentence("March"),
    sentence("April"),
    sentence("May"),
    sentence("June"),
    sentence("July"),
    sentence("August"),
    sentence("September"),
    sentence("October"),
    sentence("November"),
    sentence("December"),
)
_USES = {"position": sentence("position"), "time": sentence("time"), "athlete": sentence("athlete")}


def day_text(iso: str) -> str:
    """`7 March 2026`."""
    day = date.fromisoformat(iso)
    return say("{day} {month} {year}", day=day.day, month=say(_MONTHS[day.month - 1]), year=day.year)


def use_text(use: str) -> str:
    """What a column is used as, in words."""
    return say(_USES[use])
