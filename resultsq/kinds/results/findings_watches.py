"""What two stopwatches say about each other, and times that come from two places."""

from collections.abc import Iterator

from resultsq.domain.event_files import ReadFile, StopwatchFile
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Fix, Problem, Where
from resultsq.kinds.results.checks import as_given, listed
from resultsq.kinds.results.findings_files import leave_out
from resultsq.kinds.results.join_state import JoinState
from resultsq.kinds.results.rules import (
    SAME_STOPWATCH_TWICE,
    STOPWATCH_OFFSET,
    TIMES_FROM_TWO_PLACES,
    TOO_MANY_STOPWATCHES,
    WATCHES_DISAGREE,
    WATCHES_JOINED,
)


def stopwatches(board: JoinState) -> Iterator[Problem]:
    """Copies, too many of them, and two that do not agree."""
    watches, tables = board.stopwatches(), board.timing_tables()
    for watch in watches:
        if len(copies := board.copies[watch.digest]) > 1:
            where = [Where(file=name) for name in copies]
            fix = Fix(
                action="drop-file", label=gettext("Leave out {name}", name=copies[-1]), arguments={"file": watch.digest}
            )
            yield SAME_STOPWATCH_TWICE.broken(where, [fix], files=listed(copies))
    sources: list[ReadFile] = [*watches, *tables]
    names = listed([file.name for file in sources]) if sources else ""
    where = [Where(file=file.name) for file in sources]
    if len(tables) > 1 or (watches and tables):
        yield TIMES_FROM_TWO_PLACES.broken(where, map(leave_out, sources), files=names)
    if len(watches) > 2:
        names = listed([watch.name for watch in watches])
        yield TOO_MANY_STOPWATCHES.broken(
            where[: len(watches)], map(leave_out, sources), count=len(watches), files=names
        )
    if len(watches) == 2:
        yield from _two(board, *watches)


def _two(board: JoinState, one: StopwatchFile, other: StopwatchFile) -> Iterator[Problem]:
    where = [Where(file=one.name), Where(file=other.name)]
    found = board.watches
    if board.seconds_of(one) == board.seconds_of(other):
        fixes = [leave_out(one), leave_out(other)]
        yield SAME_STOPWATCH_TWICE.broken(where, fixes, files=listed([one.name, other.name]))
    elif found.ahead and found.alone:
        yield _offset(board, one, other)
    elif found.apart:
        rule = WATCHES_DISAGREE if found.alone else WATCHES_JOINED
        fewer = min(len(one.rows), len(other.rows))
        alone = found.alone.name if found.alone else ""
        fixes = [_alone(one, other), _alone(other, one)]
        if found.alone:
            fixes.append(as_given("watches-disagree", gettext("Use both: {count} finishers", count=found.union)))
        yield rule.broken(where, fixes, one=one.name, other=other.name, both=found.both, fewer=fewer, alone=alone)


def _offset(board: JoinState, one: StopwatchFile, other: StopwatchFile) -> Problem:
    seconds = board.watches.ahead
    ahead, behind = (one, other) if seconds > 0 else (other, one)
    seconds = abs(seconds)
    alone = board.watches.alone or one
    return STOPWATCH_OFFSET.broken(
        [Where(file=one.name), Where(file=other.name)],
        [
            Fix(
                action="shift-stopwatch",
                label=gettext("Take {seconds} s from {name}", seconds=seconds, name=ahead.name),
                arguments={"file": ahead.digest, "seconds": -seconds},
            ),
            Fix(
                action="shift-stopwatch",
                label=gettext("Add {seconds} s to {name}", seconds=seconds, name=behind.name),
                arguments={"file": behind.digest, "seconds": seconds},
            ),
            _alone(one, other),
            _alone(other, one),
            Fix(action="leave-offset", label=gettext("Leave them as they are")),
        ],
        ahead=ahead.name,
        behind=behind.name,
        seconds=seconds,
        alone=alone.name,
    )


def _alone(kept: StopwatchFile, gone: StopwatchFile) -> Fix:
    return Fix(
        action="drop-file",
        label=gettext("Use {name} alone: {count} times", name=kept.name, count=len(kept.rows)),
        arguments={"file": gone.digest},
    )
