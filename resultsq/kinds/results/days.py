"""Problems of the chosen day itself, whatever the files say."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Fix, Problem, Where
from resultsq.kinds.results.checks import as_given
from resultsq.kinds.results.rules import DAY_LONG_AGO, OTHER_DAY
from resultsq.kinds.results.texts import day_text

CHOOSE_DAY: Final = "choose-day"
LONG_AGO_DAYS: Final = 366
"""Results come within days. A day that is further back than this is most often a mistyped year."""


def long_ago(day: date, today: date, where: Iterable[Where] = ()) -> tuple[Problem, ...]:
    """The problem of a day that is more than a year before `today`."""
    if today - day <= timedelta(days=LONG_AGO_DAYS):
        return ()
    recent = _same_day_lately(day, today)
    fixes = [as_given(DAY_LONG_AGO.code, gettext("The date is right"))]
    if recent is not None:
        label = gettext("It was {day}", day=day_text(recent.isoformat()))
        fixes.insert(0, Fix(action=CHOOSE_DAY, label=label, arguments={"date": recent.isoformat()}))
    return (DAY_LONG_AGO.broken(where, fixes, day=day_text(day.isoformat())),)


def with_days_of_files(problems: Sequence[Problem]) -> list[Problem]:
    """The same problems; where the files name a day themselves, that is offered in place of a day long ago, and not a
    guess."""
    named = [fix for one in problems if one.code == OTHER_DAY.code for fix in one.fixes if fix.action == CHOOSE_DAY]

    def better(problem: Problem) -> Problem:
        if not named or problem.code != DAY_LONG_AGO.code:
            return problem
        rest = [fix for fix in problem.fixes if fix.action != CHOOSE_DAY]
        return problem.model_copy(update={"fixes": (*named, *rest)})

    return [better(problem) for problem in problems]


def _same_day_lately(day: date, today: date) -> date | None:
    """The day and month with the year that was probably meant; 29 February has none in most years."""
    for year in (today.year, today.year - 1):
        try:
            meant = day.replace(year=year)
        except ValueError:
            continue
        if meant <= today:
            return meant
    return None
