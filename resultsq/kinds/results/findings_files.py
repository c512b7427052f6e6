"""What the files say about themselves: the columns of their tables, and the days that they are of."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from resultsq.domain import cldr
from resultsq.domain.event_files import ReadFile, ScannerFile, StopwatchFile, TableColumn, TableFile
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Fix, Problem, Where
from resultsq.kinds.results.checks import as_given, listed
from resultsq.kinds.results.join_state import JoinState
from resultsq.kinds.results.rules import (
    ALREADY_HERE,
    COLUMN_NOT_UNDERSTOOD,
    COLUMNS_ALIKE,
    COLUMNS_NOT_USED,
    FILES_FROM_DIFFERENT_DAYS,
    NO_POSITION_COLUMN,
    NO_TIME_COLUMN,
    OTHER_DAY,
    SCANS_OF_TWO_DAYS,
    TIMES_CHANGED,
)
from resultsq.kinds.results.texts import day_text, use_text
from resultsq.kinds.results.zones import day_there
from resultsq.readers.headings import ATHLETE, POSITION, TIME
from resultsq.readers.marks import write_time
from resultsq.readers.table import whole_athlete


def leave_out(file: ReadFile) -> Fix:
    """The way to go on without a file."""
    return Fix(action="drop-file", label=gettext("Leave out {name}", name=file.name), arguments={"file": file.digest})


# tables


def columns(board: JoinState) -> Iterator[Problem]:
    """Every column of a table is used, asked about, or named as not used."""
    watches, timed = board.stopwatches(), board.timing_tables()
    for file in board.in_use():
        if not isinstance(file, TableFile) or not file.columns:
            continue
        for use in (TIME, POSITION, ATHLETE):
            yield from _undecided(file, use)
        yield from _missing(file, bool(watches) or any(table is not file for table in timed))
        if file.changed and "times-changed" not in board.as_given:
            yield _changed(file)
        unused = [column.name for column in file.columns if column.name and not (column.use or column.could_be)]
        if unused:
            yield COLUMNS_NOT_USED.broken([Where(file=file.name)], file=file.name, columns=cldr.listed(unused))


def _undecided(file: TableFile, use: str) -> Iterator[Problem]:
    # a column that may be two things is asked about once, as the first of them
    asked = [(at, one) for at, one in enumerate(file.columns, 1) if one.could_be[:1] == (use,)]
    if not asked:
        return
    fixes = [_use(file, at, column, use) for at, column in asked]
    if len(asked) == 1:
        fixes.append(_leave(file, *asked[0]))
    elif any(column.use == use for column in file.columns):
        fixes += [_leave(file, at, column) for at, column in asked]
    rule = COLUMN_NOT_UNDERSTOOD if len(asked) == 1 else COLUMNS_ALIKE
    names = listed([f"“{column.name}”" for _, column in asked])
    yield rule.broken([Where(file=file.name)], fixes, file=file.name, columns=names, use=use_text(use))


def _use(file: TableFile, at: int, column: TableColumn, use: str) -> Fix:
    label = gettext("{column} is the {use}", column=column.name, use=use_text(use))
    odd = next((cell for cell in column.cells if cell != whole_athlete(cell)), "") if use == ATHLETE else ""
    if odd:
        whole = whole_athlete(odd)
        label = gettext("{label}: {odd} is {whole}", label=label, odd=odd, whole=whole)
    return Fix(action="use-column", label=label, arguments={"file": file.digest, "column": at, "use": use})


def _leave(file: TableFile, at: int, column: TableColumn) -> Fix:
    label = gettext("Do not use {column}", column=column.name)
    return Fix(action="use-column", label=label, arguments={"file": file.digest, "column": at, "use": ""})


def _missing(file: TableFile, timed_elsewhere: bool) -> Iterator[Problem]:
    there = {column.use for column in file.columns} | {use for column in file.columns for use in column.could_be}
    where = [Where(file=file.name)]
    if TIME not in there and not timed_elsewhere:
        fix = as_given("no-time-column", gettext("There are no times"))
        yield NO_TIME_COLUMN.broken(where, [fix], file=file.name)
    if POSITION not in there:
        fix = as_given("no-position-column", gettext("The lines are in the order of finishing"))
        yield NO_POSITION_COLUMN.broken(where, [fix], file=file.name)


def _changed(file: TableFile) -> Problem:
    times = [write_time(row.seconds) for row in file.rows if row.seconds is not None]
    more = [gettext("{count} more", count=cldr.number(len(times) - 3))] if len(times) > 3 else []
    shown = cldr.listed([*times[:3], *more])
    fix = as_given("times-changed", gettext("Yes, they are {times}", times=shown))
    return TIMES_CHANGED.broken([Where(file=file.name)], [fix], file=file.name, times=shown)


# days


def days(board: JoinState) -> Iterator[Problem]:
    """Scans of several days in one file, files of several days, and another day than the chosen one."""
    for file in board.in_use():
        if isinstance(file, ScannerFile) and (held := board.open_days(file)):
            yield _two_days(board, file, held)
    dated = _dated(board)
    chosen = board.occasion.day
    if len(dated) > 1:
        files = [file for day in sorted(dated) for file in dated[day]]
        text = listed([_of_day(files, day) for day, files in sorted(dated.items())])
        fixes = [*map(leave_out, files), as_given("files-from-different-days", gettext("A clock was wrong"))]
        yield FILES_FROM_DIFFERENT_DAYS.broken([Where(file=file.name) for file in files], fixes, days=text)
    elif chosen and dated and chosen not in dated:
        [(day, files)] = dated.items()
        yield _other_day(board, files, day, chosen)


def _dated(board: JoinState) -> dict[str, list[ReadFile]]:
    """The dated files by day. A file whose clock may be UTC's is of the chosen day, or of the day of the other files,
    where it can be."""
    may_be = [(file, days) for file in board.in_use() if (days := days_of(board, file))]
    count = Counter(day for _, days in may_be for day in set(days))
    dated: dict[str, list[ReadFile]] = defaultdict(list)
    for file, days in may_be:
        best = board.occasion.day if board.occasion.day in days else max(days, key=lambda day: count[day])
        dated[best].append(file)
    return dated


def already_here(day: str | None, event: str | None = None) -> Problem:
    """The problem of finishers that stand in a sheet of another day, or of another event; neither is named: one that
    nothing may be revealed."""
    if day is None:
        place = gettext("another event of this node")
    elif event is None:
        place = day_text(day)
    else:
        place = gettext("{event} on {day}", event=event, day=day_text(day))
    fix = as_given("already-here", gettext("They are right"))
    return ALREADY_HERE.broken([], [fix], place=place)


def days_of(board: JoinState, file: ReadFile) -> tuple[str, ...]:
    """The days that a file may be of by its own word, the one that is written in it first; none where its dates cannot
    be trusted."""
    if isinstance(file, StopwatchFile):
        if file.held_on is None:
            return ()
        return (file.held_on, *([] if file.clock is None else [day_there(file.clock, board.occasion.zone)]))
    if not isinstance(file, ScannerFile):
        return ()
    counted = [day for day, _ in file.days if board.day_counts(file, day)]
    day = counted[-1] if counted else file.scanned_on
    return () if day is None else board.days_of(file, day)


def _of_day(files: list[ReadFile], day: str) -> str:
    return gettext("{files} of {day}", files=listed([file.name for file in files]), day=day_text(day))


def _two_days(board: JoinState, file: ScannerFile, held: list[tuple[str, int]]) -> Problem:
    kept = next(day for day, _ in held if board.day_counts(file, day))
    fixes = [
        Fix(
            action="leave-out-day",
            label=gettext("Leave out the {count} scans of {day}", count=count, day=day_text(day)),
            arguments={"file": file.digest, "day": day},
        )
        for day, count in sorted(held, key=lambda one: (one[0] == kept, one[0]))
    ]
    fixes.append(as_given("scans-of-two-days", gettext("All are of this event")))
    texts = listed([day_text(day) for day, _ in held])
    return SCANS_OF_TWO_DAYS.broken([Where(file=file.name)], fixes, file=file.name, days=texts, kept=day_text(kept))


def _other_day(board: JoinState, files: list[ReadFile], day: str, chosen: str) -> Problem:
    may_be = dict.fromkeys([day, *(one for file in files for one in days_of(board, file))])
    fixes = [
        *(
            Fix(action="choose-day", label=gettext("It was {day}", day=day_text(one)), arguments={"date": one})
            for one in may_be
        ),
        as_given("other-day", gettext("The clock was wrong")),
    ]
    names = listed([file.name for file in files])
    where = [Where(file=file.name) for file in files]
    return OTHER_DAY.broken(where, fixes, files=names, day=day_text(day), chosen=day_text(chosen))
