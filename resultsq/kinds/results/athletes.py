"""Numbers that the list of athletes does not know, or that are retired; and whose number was probably meant."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from resultsq.domain.athletes import Athlete
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Fix, Problem, Where
from resultsq.domain.sheet import Finisher, Volunteer
from resultsq.kinds.results.checks import each
from resultsq.kinds.results.rules import (
    ATHLETE_NOT_LOCAL,
    ATHLETE_RETIRED,
    ATHLETE_UNKNOWN,
    VOLUNTEER_NOT_LOCAL,
    VOLUNTEER_RETIRED,
    VOLUNTEER_UNKNOWN,
)
from resultsq.readers.marks import LONGEST_NORMAL

EDIT_VOLUNTEER = "edit-volunteer"
MOST_MEANT = 3


@dataclass(frozen=True, slots=True)
class KnownAthletes:
    """What the list says of the athletes of a sheet. `at` is its time, `as_of` the same as the problems' sentences
    begin, `said` as a sentence of its own; `whole`: it has all athletes, and not only those of some events. `meant`:
    for a number that it lacks, who may have been meant, the likeliest first."""

    at: datetime
    as_of: str
    said: str
    whole: bool
    people: Mapping[str, Athlete]
    meant: Mapping[str, Sequence[Athlete]] = field(default_factory=dict)

    def name(self, number: str | None) -> str | None:
        """Whose number it is, as far as the list says."""
        found = self.people.get(number or "")
        return None if found is None else found.name

    def lacks(self, number: str | None) -> bool:
        """Whether the list has not this number. Longer ones are two that were read as one, which is reported
        already."""
        return number is not None and len(number) <= LONGEST_NORMAL and number not in self.people


def findings(
    finishers: Sequence[Finisher], known: KnownAthletes, volunteers: Sequence[Volunteer] = ()
) -> Iterator[Problem]:
    """A problem for each finisher and volunteer whose number the list lacks, or has as retired. A list of some events
    lacks visitors, too: then only a number that is close to one of theirs is reported."""

    def tell_unknown(row: Finisher) -> Problem:
        rule = ATHLETE_UNKNOWN if known.whole else ATHLETE_NOT_LOCAL
        fixes = [_fix(row, one) for one in known.meant.get(row.athlete or "", ())][:MOST_MEANT]
        return rule.broken(_where(row), fixes, athlete=row.athlete, position=row.position, as_of=known.as_of)

    def tell_retired(row: Finisher) -> Problem:
        return ATHLETE_RETIRED.broken(_where(row), athlete=row.athlete, position=row.position, as_of=known.as_of)

    def tell_unknown_volunteer(one: Volunteer) -> Problem:
        rule = VOLUNTEER_UNKNOWN if known.whole else VOLUNTEER_NOT_LOCAL
        fixes = [_fix_volunteer(one, other) for other in known.meant.get(one.athlete, ())][:MOST_MEANT]
        return rule.broken(_at(one), fixes, athlete=one.athlete, role=one.role, as_of=known.as_of)

    def tell_retired_volunteer(one: Volunteer) -> Problem:
        return VOLUNTEER_RETIRED.broken(_at(one), athlete=one.athlete, role=one.role, as_of=known.as_of)

    helpers = list({one.athlete: one for one in reversed(volunteers)}.values())[::-1]  # each once, with the first role
    yield from each([row for row in finishers if _is_unknown(known, row.athlete)], tell_unknown, _where)
    yield from each([row for row in finishers if _is_retired(known, row.athlete)], tell_retired, _where)
    yield from each([one for one in helpers if _is_unknown(known, one.athlete)], tell_unknown_volunteer, _at)
    yield from each([one for one in helpers if _is_retired(known, one.athlete)], tell_retired_volunteer, _at)


def _is_unknown(known: KnownAthletes, number: str | None) -> bool:
    return known.lacks(number) and (known.whole or bool(known.meant.get(number or "")))


def _is_retired(known: KnownAthletes, number: str | None) -> bool:
    found = known.people.get(number or "")
    return found is not None and found.name is None


def _where(row: Finisher) -> list[Where]:
    return [Where(row=row.position, athlete=row.athlete)]


def _fix(row: Finisher, one: Athlete) -> Fix:
    return Fix(
        action="edit-athlete",
        label=gettext("It was {name}, {number}", name=one.name, number=one.number),
        arguments={"position": row.position, "athlete": one.number},
    )


def _at(one: Volunteer) -> list[Where]:
    return [Where(athlete=one.athlete)]


def _fix_volunteer(one: Volunteer, meant: Athlete) -> Fix:
    label = gettext("It was {name}, {athlete}", name=meant.name, athlete=meant.number)
    return Fix(action=EDIT_VOLUNTEER, label=label, arguments={"volunteer": one.athlete, "athlete": meant.number})
