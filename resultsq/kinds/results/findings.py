"""What the join itself finds: between stopwatches, between scans, and between the two.

Where two rules meet, the most specific code stands alone: a scan that one finding explains is in no other.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from resultsq.domain.event_files import AsideLine, ReadFile, ScannerFile
from resultsq.domain.i18n import gettext, ngettext
from resultsq.domain.problem import Fix, Problem, Where
from resultsq.kinds.results.checks import choices_of_athlete, choices_of_token, each, listed
from resultsq.kinds.results.corrections_base import LONGEST_LINE
from resultsq.kinds.results.findings_files import columns, days, leave_out
from resultsq.kinds.results.findings_watches import stopwatches
from resultsq.kinds.results.join_state import JoinState, Scan
from resultsq.kinds.results.rules import (
    ATHLETE_IN_TWO_POSITIONS,
    ATHLETE_WITH_AND_WITHOUT_TOKEN,
    ATHLETE_WITHOUT_TOKEN,
    LINE_SET_ASIDE,
    LINES_SET_ASIDE,
    MISREAD_ATHLETE,
    NO_LINE_USED,
    POSITION_WITH_TWO_ATHLETES,
    TOKEN_BEFORE_ATHLETE,
    TOKEN_BEYOND_TIMES,
    TOKEN_WITHOUT_ATHLETE,
    UNUSUAL_COUNT,
)
from resultsq.readers import MAX_ROWS, scanner
from resultsq.readers.marks import LONGEST_NORMAL, UnreadableField
from resultsq.readers.rules import DOUBLE_TAP_DROPPED

_ALIKE = 6
"""A misread barcode shares its first so many characters with a good one."""


def findings(board: JoinState) -> list[Problem]:
    """Everything that can be seen only while times and scans still have their lines."""
    runs = list(_runs(board))
    lone = _Lone.of(board, explained={id(scan) for run in runs for scan in (run.scans[0], run.scans[-1])})
    athletes, shared = board.athletes()
    beyond = _beyond(board)
    return [
        *(_with_fix(problem, file) for file in board.in_use() for problem in file.problems),
        *columns(board),
        *stopwatches(board),
        *_set_aside(board),
        *days(board),
        *each(runs, partial(_wrong_way_round, board), lambda run: [_place(board, scan) for scan in run.scans]),
        *_two_positions(board, lone),
        *_two_athletes(board, shared),
        *_beyond_times(board, beyond),
        *_lone_athletes(board, lone),
        *_lone_tokens(board, lone, explained={*athletes, *shared, *(scan.token for scan in beyond)}),
        *_count(board, lone, beyond),
    ]


def _with_fix(problem: Problem, file: ReadFile) -> Problem:
    """A reader's problem with the way to mend it, which names the file by its digest."""
    if problem.code != DOUBLE_TAP_DROPPED.code:
        return problem
    fix = Fix(
        action="keep-double-tap", label=gettext("It was a finisher: put it back"), arguments={"file": file.digest}
    )
    return problem.model_copy(update={"fixes": (fix,)})


class _Lone(NamedTuple):
    """Scans of one half, by that half; `paired` gives the tokens of every athlete who has any."""

    athletes: dict[str, list[Scan]]
    tokens: dict[int, list[Scan]]
    paired: dict[str, dict[int, None]]

    @classmethod
    def of(cls, board: JoinState, explained: set[int]) -> "_Lone":
        athletes: dict[str, list[Scan]] = defaultdict(list)
        tokens: dict[int, list[Scan]] = defaultdict(list)
        paired: dict[str, dict[int, None]] = {}
        for scan in board.scans:
            athlete, token, _, _ = scan
            if athlete is not None and token is not None:
                paired.setdefault(athlete, {})[token] = None
            elif id(scan) not in explained:
                if athlete is not None:
                    athletes[athlete].append(scan)
                if token is not None:
                    tokens[token].append(scan)
        return cls(athletes, tokens, paired)


class _Run(NamedTuple):
    """Consecutive lines of one file that were scanned the wrong way round."""

    file: str
    first: int
    last: int
    scans: list[Scan]


def _place(board: JoinState, scan: Scan) -> Where:
    file = None if scan.file is None else board.files[scan.file].name
    return Where(file=file, line=scan.line, row=scan.token, athlete=scan.athlete, token=scan.token)


def _beyond(board: JoinState) -> list[Scan]:
    """Scans whose token no time has. A table whose positions have holes says so itself."""
    if not board.times or not board.regular():
        return []
    count = board.count()
    return [scan for scan in board.scans if scan.token is not None and scan.token > count]


def _beyond_times(board: JoinState, beyond: Sequence[Scan]) -> Iterator[Problem]:
    if not beyond:
        return
    tokens = {scan.token for scan in beyond}
    count, highest = board.count(), board.highest()
    fixes = [
        Fix(
            action="drop-tokens-beyond",
            label=gettext("Drop the scans with tokens above {count}", count=count),
            arguments={"last": count},
        )
    ]
    if highest <= MAX_ROWS:
        missing = highest - count
        fixes.insert(
            0,
            Fix(
                action="insert-time",
                label=ngettext("Insert one missed time", "Insert {number} missed times", missing),
                arguments={"count": missing},  # where they belong only a person knows
            ),
        )
    where = [_place(board, scan) for scan in beyond]
    yield TOKEN_BEYOND_TIMES.broken(where, fixes, times=count, highest=highest, count=len(tokens))


def _count(board: JoinState, lone: _Lone, beyond: Sequence[Scan]) -> Iterator[Problem]:
    # An unscanned token is normal, so the tokens that were handed out are counted by the highest. Athletes
    # without a token and lines set aside have a warning of their own, which explains as many.
    if beyond or not any(isinstance(file, ScannerFile) for file in board.in_use()):
        return
    times, highest = board.count(), board.highest()
    explained = len(board.aside) + sum(athlete not in lone.paired for athlete in lone.athletes)
    if highest and times - highest > explained:
        yield UNUSUAL_COUNT.broken([Where(row=highest)], times=times, highest=highest)


# scans


def _set_aside(board: JoinState) -> Iterator[Problem]:
    by_file: dict[str, list[AsideLine]] = defaultdict(list)
    for (digest, _), line in board.aside.items():
        by_file[digest].append(line)
    used = {scan.file for scan in board.scans}
    for file in board.in_use():
        lines = sorted(by_file[file.digest])
        meant = board.meant_lines(file.digest) if len(lines) > 1 else []
        if lines and file.digest not in used and not board.withheld.get(file.digest):
            yield _none_used(file, lines, bool(board.meant_lines(file.digest)))
            continue
        if len(meant) > 1:
            of_habit = {line for line, _ in meant}
            yield _many_set_aside(file, [line for line in lines if line.line in of_habit])
            lines = [line for line in lines if line.line not in of_habit]
        yield from each(
            lines,
            partial(_line_set_aside, file),
            lambda line, name=file.name: [Where(file=name, line=line.line)],  # type: ignore[misc]
        )


def _none_used(file: ReadFile, lines: Sequence[AsideLine], readable: bool) -> Problem:
    fixes = [leave_out(file)]
    if readable:
        fixes.insert(0, _as_meant(file))
    where = [Where(file=file.name, line=line.line) for line in lines]
    return NO_LINE_USED.broken(where, fixes, file=file.name, reason=lines[0].reason)


def _many_set_aside(file: ReadFile, lines: Sequence[AsideLine]) -> Problem:
    where = [Where(file=file.name, line=line.line) for line in lines]
    return LINES_SET_ASIDE.broken(where, [_as_meant(file)], count=len(lines), file=file.name, reason=lines[0].reason)


def _as_meant(file: ReadFile) -> Fix:
    return Fix(
        action="read-lines-as-meant",
        label=gettext("Read the lines as they were meant"),
        arguments={"file": file.digest},
    )


def _line_set_aside(file: ReadFile, line: AsideLine) -> Problem:
    where = Where(file=file.name, line=line.line)
    fixes = _line_fixes(file, line)
    return LINE_SET_ASIDE.broken([where], fixes, file=file.name, line=line.line, reason=line.reason)


def _line_fixes(file: ReadFile, line: AsideLine) -> list[Fix]:
    place = {"file": file.digest, "line": line.line}
    fixes = [
        Fix(action="edit-line", label=gettext("Edit the line"), arguments=place, present=line.text[:LONGEST_LINE]),
        Fix(action="drop-line", label=gettext("Drop the line"), arguments=place),
    ]
    first, _, rest = line.text.partition(",")
    second, comma, clock = rest.partition(",")
    # in capitals, the other way round, and with a nought typed for the letter
    typed = f"{first},{second}".upper().replace("O", "0")
    ways = (scanner.meant(line.text), f"{second},{first}{comma}{clock}", f"{typed}{comma}{clock}")
    for meant in dict.fromkeys(filter(None, ways)):
        try:
            scanner.scan(meant)
        except UnreadableField:
            continue
        fix = Fix(
            action="edit-line", label=gettext("Read it as {meant}", meant=meant), arguments={**place, "text": meant}
        )
        fixes.insert(0, fix)
    return fixes


def _runs(board: JoinState) -> Iterator[_Run]:
    """Runs of lines that begin with a token alone, go on with pairs, and end with an athlete alone."""
    for file, scans in groupby(board.scans, key=lambda scan: scan.file):
        if file is None:
            continue  # typed by hand, in no order
        breaks = sorted((line for at, line in board.aside if at == file), reverse=True)
        first = 0
        run: list[Scan] = []
        for scan in scans:
            at = scan.line or 0
            while breaks and breaks[-1] < at:
                breaks.pop()
                run = []
            if scan.athlete is None:
                first, run = at, [scan]
            elif run and scan.token is not None:
                # the same token at once in a pair: it was only scanned once more
                if scan.token == run[0].token:
                    run = []
                else:
                    run.append(scan)
            elif run:
                if len(run) > 1:
                    yield _Run(file, first, at, [*run, scan])
                run = []


def _wrong_way_round(board: JoinState, run: _Run) -> Problem:
    fix = Fix(
        action="move-athletes-up",
        label=gettext("Move the athletes of these lines up by one"),
        arguments={"file": run.file, "first": run.first, "last": run.last},
    )
    where = [_place(board, scan) for scan in run.scans]
    name = board.files[run.file].name
    return TOKEN_BEFORE_ATHLETE.broken(where, [fix], file=name, first=run.first, last=run.last)


def _two_positions(board: JoinState, lone: _Lone) -> Iterator[Problem]:
    twice = {athlete: sorted(tokens) for athlete, tokens in lone.paired.items() if len(tokens) > 1}
    scans: dict[str, list[Scan]] = defaultdict(list)
    for scan in board.scans:
        if scan.athlete in twice and scan.token is not None:
            scans[scan.athlete].append(scan)

    def problem_of(athlete: str) -> Problem:
        tokens = twice[athlete]
        fixes = choices_of_token(athlete, tokens)
        return ATHLETE_IN_TWO_POSITIONS.broken(places(athlete), fixes, athlete=athlete, positions=listed(tokens))

    def places(athlete: str) -> list[Where]:
        return [_place(board, scan) for scan in scans[athlete]]

    yield from each(list(twice), problem_of, places)


def _two_athletes(board: JoinState, shared: Mapping[int, Collection[str]]) -> Iterator[Problem]:
    given = board.positions_twice()
    scans: dict[int, list[Scan]] = defaultdict(list)
    for scan in board.scans:
        if scan.token is not None and scan.athlete is not None and scan.token in shared:
            scans[scan.token].append(scan)

    def problem_of(token: int) -> Problem:
        names = sorted(shared[token])
        fixes = choices_of_athlete(token, names)
        return POSITION_WITH_TWO_ATHLETES.broken(places(token), fixes, token=token, athletes=listed(names))

    def places(token: int) -> list[Where]:
        return [_place(board, scan) for scan in scans[token]]

    # a table's position that is there twice says more
    yield from each([token for token in sorted(shared) if token not in given], problem_of, places)


def _lone_athletes(board: JoinState, lone: _Lone) -> Iterator[Problem]:
    normal = {
        scan.athlete[:_ALIKE]: scan.athlete
        for scan in reversed(board.scans)
        if scan.athlete is not None and len(scan.athlete) <= LONGEST_NORMAL
    }
    paired, misread, without = [], [], []
    for athlete in sorted(lone.athletes):
        if athlete in lone.paired:
            # in two positions says more
            paired.extend([athlete] if len(lone.paired[athlete]) == 1 else [])
        elif len(athlete) > LONGEST_NORMAL and athlete[:_ALIKE] in normal:
            misread.append(athlete)
        else:
            without.append(athlete)

    def places(athlete: str) -> list[Where]:
        return [_place(board, scan) for scan in lone.athletes[athlete]]

    def drop(athlete: str) -> Fix:
        return Fix(
            action="drop-scans", label=gettext("Drop {athlete}", athlete=athlete), arguments={"athlete": athlete}
        )

    def with_and_without(athlete: str) -> Problem:
        [token] = lone.paired[athlete]
        return ATHLETE_WITH_AND_WITHOUT_TOKEN.broken(places(athlete), [drop(athlete)], athlete=athlete, token=token)

    def misread_of(athlete: str) -> Problem:
        like = normal[athlete[:_ALIKE]]
        return MISREAD_ATHLETE.broken(places(athlete), [drop(athlete)], athlete=athlete, like=like)

    def without_token(athlete: str) -> Problem:
        fix = Fix(
            action="edit-token",
            label=gettext("Type the token of {athlete}", athlete=athlete),
            arguments={"athlete": athlete},
        )
        return ATHLETE_WITHOUT_TOKEN.broken(places(athlete), [fix, drop(athlete)], athlete=athlete)

    yield from each(paired, with_and_without, places)
    yield from each(misread, misread_of, places)
    yield from each(without, without_token, places)


def _lone_tokens(board: JoinState, lone: _Lone, explained: Container[int | None]) -> Iterator[Problem]:
    def places(token: int) -> list[Where]:
        return [_place(board, scan) for scan in lone.tokens[token]]

    def problem_of(token: int) -> Problem:
        return TOKEN_WITHOUT_ATHLETE.broken(places(token), token=token)

    yield from each([token for token in sorted(lone.tokens) if token not in explained], problem_of, places)
