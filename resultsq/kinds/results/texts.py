"""Small words of sentences: a day, a use of a column."""

from datetime import date

from resultsq.domain.i18n import gettext, gettext_noop

_MONTHS = (
    gettext_noop("January"),
    gettext_noop("February"),
    gettext_noop("March"),
    gettext_noop("April"),
    gettext_noop("May"),
    gettext_noop("June"),
    gettext_noop("July"),
    gettext_noop("August"),
    gettext_noop("September"),
    gettext_noop("October"),
    gettext_noop("November"),
    gettext_noop("December"),
)
_USES = {"position": gettext_noop("position"), "time": gettext_noop("time"), "athlete": gettext_noop("athlete")}


def day_text(iso: str) -> str:
    """`7 March 2026`."""
    day = date.fromisoformat(iso)
    return gettext("{day} {month} {year}", day=day.day, month=gettext(_MONTHS[day.month - 1]), year=day.year)


def use_text(use: str) -> str:
    """What a column is used as, in words."""
    return gettext(_USES[use])
