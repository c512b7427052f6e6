"""The rules for rows from every source: files, a table, the form, the API.

`check_rows` is for rows that come as they are; rows that were joined from files are checked by the same
functions, with the findings of the join (findings.py) beside them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from operator import ne
from typing import TypeVar

from resultsq.domain import cldr
from resultsq.domain.i18n import gettext
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.problem import MOST_PLACES, Fix, Problem, Severity, Where
from resultsq.domain.sheet import Finisher, Volunteer
from resultsq.kinds.results.plausible import STUCK, TimeReading, outliers, readings, stuck
from resultsq.kinds.results.rules import (
    ATHLETE_IN_TWO_POSITIONS,
    IMPLAUSIBLE_TIME,
    IMPLAUSIBLE_TIMES,
    NO_FINISHERS,
    OVERLONG_ATHLETE,
    POSITION_MISSING,
    POSITION_TWICE,
    TIME_MISSING,
    TIMES_OUT_OF_ORDER,
    TIMES_STUCK,
    TOO_MANY_ROWS,
)
from resultsq.readers import MAX_ROWS
from resultsq.readers.marks import LONGEST_NORMAL, read_time, write_time

_SINGLY = 50
"""How many problems of one code are listed one by one."""

_CHOICES = 20
"""How many fixes are offered for one problem, and half as many things named."""

T = TypeVar("T")

Place = Callable[[int, str], Where]
"""From a finisher's index and the name of a field to the place of a problem."""


def check_rows(
    finishers: Sequence[Finisher], volunteers: Sequence[Volunteer] = (), plausible: Plausible = FIVE_K
) -> tuple[Problem, ...]:
    """The problems of these rows, blocking ones first. Each place has the row's position and its JSON
    pointer in a body with `finishers`."""

    def place(index: int, field: str) -> Where:
        row = finishers[index]
        return Where(
            row=row.position,
            athlete=row.athlete if field == "athlete" else None,
            pointer=f"/finishers/{index}/{field}",
        )

    too_many = [
        TOO_MANY_ROWS.broken([Where(pointer=pointer)], count=cldr.number(len(rows)), limit=cldr.number(MAX_ROWS))
        for pointer, rows in (("/finishers", finishers), ("/volunteers", volunteers))
        if len(rows) > MAX_ROWS
    ]
    if too_many:
        return tuple(too_many)
    if not finishers:
        return (NO_FINISHERS.broken([Where(pointer="/finishers")]),)
    if _nothing_to_say(finishers, plausible):
        return ()
    return by_severity(
        [
            *positions(finishers, place),
            *athletes_twice(finishers, place),
            *times(finishers, place),
            *overlong(finishers, place),
            *plausibility(finishers, place, plausible),
        ]
    )


def _nothing_to_say(finishers: Sequence[Finisher], plausible: Plausible) -> bool:
    """Whether the rows are as nearly all are: in order, no athlete twice, times that rise, barcodes of usual length.
    Each acceptance waits for this check, and these few walks take a quarter of the rules' time."""
    athletes = [row.athlete for row in finishers if row.athlete is not None]
    rising = [row.time for row in finishers if row.time is not None]
    return (
        [row.position for row in finishers] == list(range(1, len(finishers) + 1))
        and len(set(athletes)) == len(athletes)
        and rising == sorted(rising)
        and max(map(len, athletes), default=0) <= LONGEST_NORMAL
        and are_plausible(rising, plausible)
    )


def are_plausible(rising: Sequence[str], plausible: Plausible) -> bool:
    """Whether times that rise are what a run takes, and no five of them are equal: nothing more is to be looked at.
    `HH:MM:SS` sorts as text."""
    return not rising or (
        write_time(plausible.shortest) <= rising[0]
        and rising[-1] <= write_time(plausible.longest)
        and all(map(ne, rising, rising[STUCK - 1 :]))
    )


def by_severity(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Blocking problems first, each group in the order given."""
    return tuple(sorted(problems, key=lambda problem: problem.severity is Severity.WARNS))


def row_place(finishers: Sequence[Finisher]) -> Place:
    """Places of rows that were joined from files: by position alone."""

    def place(index: int, field: str) -> Where:
        row = finishers[index]
        return Where(row=row.position, athlete=row.athlete if field == "athlete" else None)

    return place


def each(items: Sequence[T], tell: Callable[[T], Problem], places: Callable[[T], Iterable[Where]]) -> Iterator[Problem]:
    """A problem for each of the first items, and one for all others with their number and their first places: nobody
    mends thousands one by one, and a damaged file must not cost what thousands of sentences cost."""
    yield from map(tell, items[:_SINGLY])
    if rest := items[_SINGLY:]:
        first = tell(rest[0])
        message = gettext("There are {count} more like this one: {sentence}", count=len(rest), sentence=first.message)
        where = tuple(islice((where for item in rest for where in places(item)), MOST_PLACES))
        yield Problem(code=first.code, severity=first.severity, message=message, where=where)


def positions(finishers: Sequence[Finisher], place: Place) -> Iterator[Problem]:
    """Holes, and positions that are there twice; the rows may be in any order."""
    at: dict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(finishers):
        at[row.position].append(index)

    def missing(hole: tuple[int, int]) -> Problem:
        first, last = hole
        text = (
            gettext("position {position}", position=first)
            if first == last
            else gettext("positions {first} to {last}", first=first, last=last)
        )
        fix = Fix(
            action="insert-finisher",
            label=gettext("Add position {position}", position=first),
            arguments={"position": first},
        )
        return POSITION_MISSING.broken([Where(row=first)], [fix], positions=text)

    def twice(position: int) -> Problem:
        return POSITION_TWICE.broken(places(position), position=position, count=len(at[position]))

    def places(position: int) -> list[Where]:
        return [place(index, "position") for index in at[position]]

    holes = [(before + 1, after - 1) for before, after in pairwise([0, *sorted(at)]) if before + 1 < after]
    yield from each(holes, missing, lambda hole: [Where(row=hole[0])])
    yield from each([position for position, rows in at.items() if len(rows) > 1], twice, places)


def athletes_twice(finishers: Sequence[Finisher], place: Place) -> Iterator[Problem]:
    at: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(finishers):
        if row.athlete is not None:
            at[row.athlete].append(index)

    def twice(athlete: str) -> Problem:
        taken = [finishers[index].position for index in at[athlete]]
        fixes = choices_of_token(athlete, taken)
        return ATHLETE_IN_TWO_POSITIONS.broken(places(athlete), fixes, athlete=athlete, positions=listed(taken))

    def places(athlete: str) -> list[Where]:
        return [place(index, "athlete") for index in at[athlete]]

    yield from each([athlete for athlete, rows in at.items() if len(rows) > 1], twice, places)


def times(finishers: Sequence[Finisher], place: Place) -> Iterator[Problem]:
    """Times below the last one ahead. `HH:MM:SS` sorts as text; a position that is there twice says more."""
    given = Counter(row.position for row in finishers)
    falls: list[tuple[int, str]] = []
    last: str | None = None
    for index in sorted(range(len(finishers)), key=lambda index: finishers[index].position):
        row = finishers[index]
        if row.time is None or given[row.position] > 1:
            continue
        if last is not None and row.time < last:
            falls.append((index, last))
        last = row.time

    def falling(fall: tuple[int, str]) -> Problem:
        index, before = fall
        row = finishers[index]
        fix = _edit("time", row.position, row.time)
        return TIMES_OUT_OF_ORDER.broken(
            [place(index, "time")], [fix], position=row.position, time=row.time, before=before
        )

    yield from each(falls, falling, lambda fall: [place(fall[0], "time")])


def times_missing(finishers: Sequence[Finisher], place: Place) -> Iterator[Problem]:
    """Finishers without a time where others have one, those in a row together."""
    lacking = [index for index, row in enumerate(finishers) if row.time is None]
    if len(lacking) == len(finishers):
        return
    starts = [at for at, index in enumerate(lacking) if at == 0 or lacking[at - 1] != index - 1]
    runs = [lacking[start:end] for start, end in pairwise([*starts, len(lacking)])]

    def missing(run: list[int]) -> Problem:
        first, last = finishers[run[0]].position, finishers[run[-1]].position
        text = (
            gettext("position {position}", position=first)
            if len(run) == 1
            else gettext("positions {first} to {last}", first=first, last=last)
        )
        return TIME_MISSING.broken(places(run), [_edit("time", first, None)], positions=text)

    def places(run: list[int]) -> list[Where]:
        return [place(index, "time") for index in run]

    yield from each(runs, missing, places)


def overlong(finishers: Sequence[Finisher], place: Place) -> Iterator[Problem]:
    def too_long(index: int) -> Problem:
        row = finishers[index]
        fix = _edit("athlete", row.position, row.athlete)
        return OVERLONG_ATHLETE.broken([place(index, "athlete")], [fix], athlete=row.athlete, position=row.position)

    long = [index for index, row in enumerate(finishers) if row.athlete and len(row.athlete) > LONGEST_NORMAL]
    yield from each(long, too_long, lambda index: [place(index, "athlete")])


def plausibility(finishers: Sequence[Finisher], place: Place, plausible: Plausible) -> Iterator[Problem]:
    """Times that no run takes, as a whole or singly, and a watch that was stuck."""
    timed = sorted(
        (index for index, row in enumerate(finishers) if row.time is not None),
        key=lambda index: finishers[index].position,
    )
    texts = [finishers[index].time or "" for index in timed]
    rising = sorted(texts)
    if are_plausible(rising, plausible):
        return
    seconds = list(map(read_time, texts))
    ways = readings(seconds, plausible)
    if ways:
        where = [place(timed[0], "time"), place(timed[-1], "time")]
        fixes = [*(_read_as(way, seconds, plausible) for way in ways), as_given("implausible-times")]
        yield IMPLAUSIBLE_TIMES.broken(where, fixes, first=rising[0], last=rising[-1])

    def single(index: int) -> Problem:
        row = finishers[timed[index]]
        fix = _edit("time", row.position, row.time)
        return IMPLAUSIBLE_TIME.broken([place(timed[index], "time")], [fix], position=row.position, time=row.time)

    def equal(run: tuple[int, int]) -> Problem:
        first, last = (finishers[timed[index]] for index in run)
        fix = _edit("time", first.position, first.time)
        return TIMES_STUCK.broken(places(run), [fix], first=first.position, last=last.position, time=first.time)

    def places(run: tuple[int, int]) -> list[Where]:
        return [place(timed[index], "time") for index in range(run[0], run[1] + 1)]

    alone = [] if ways else outliers(seconds, plausible)
    yield from each(alone, single, lambda index: [place(timed[index], "time")])
    yield from each(stuck(texts), equal, places)


def _read_as(way: TimeReading, seconds: Sequence[int], plausible: Plausible) -> Fix:
    example = max(seconds)
    [meant] = way.of([example], plausible)
    label = gettext(
        "They are {way}: {written} is {meant}", way=way.words(), written=write_time(example), meant=write_time(meant)
    )
    return Fix(action="read-times", label=label, arguments={"way": way.way, "start": way.start})


def as_given(code: str, label: str | None = None) -> Fix:
    """A person says that it is right as it is."""
    return Fix(action="as-given", label=label or gettext("They are right as they are"), arguments={"code": code})


def choices_of_token(athlete: str, tokens: Sequence[int]) -> list[Fix]:
    return [
        Fix(
            action="choose-token",
            label=gettext("{athlete} was in position {token}", athlete=athlete, token=token),
            arguments={"athlete": athlete, "token": token},
        )
        for token in tokens[:_CHOICES]
    ]


def choices_of_athlete(token: int, athletes: Sequence[str]) -> list[Fix]:
    return [
        Fix(
            action="choose-athlete",
            label=gettext("Token {token} is {athlete}'s", token=token, athlete=athlete),
            arguments={"token": token, "athlete": athlete},
        )
        for athlete in athletes[:_CHOICES]
    ]


def listed(items: Sequence[object]) -> str:
    """`1, 2 and 3`; where there are many, the first and how many more."""
    if len(items) > _CHOICES:
        items = [*items[: _CHOICES // 2], gettext("{count} more", count=len(items) - _CHOICES // 2)]
    return cldr.listed(items)


def _edit(field: str, position: int, present: str | None) -> Fix:
    labels = {
        "time": gettext("Edit the time of position {position}", position=position),
        "athlete": gettext("Edit the athlete of position {position}", position=position),
    }
    return Fix(action=f"edit-{field}", label=labels[field], arguments={"position": position}, present=present or "")
