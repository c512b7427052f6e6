"""Small words of sentences: a day, a use of a column."""

from datetime import date

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, gettext_noop

_USES = {"position": gettext_noop("position"), "time": gettext_noop("time"), "athlete": gettext_noop("athlete")}


def day_text(iso: str) -> str:
    """`7 March 2026`."""
    return cldr.long_day(date.fromisoformat(iso))


def use_text(use: str) -> str:
    """What a column is used as, in words."""
    return gettext(_USES[use])
