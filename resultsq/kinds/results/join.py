"""Files into results: the work that a team has in hand, its corrections, and their result.

    work = Work.from_files([read(name, content), ...])
    work = apply(work, correction, by="bushy")
    joined = evaluate(work)

Nothing is ever changed unasked, and nothing that was asked is lost: a `Work` is the files as they were read
and the corrections in their order, played anew each time. It is stored as JSON.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import FileKind, ReadFile, ScannerFile, StopwatchFile, TableFile, TableRow
from resultsq.domain.i18n import gettext
from resultsq.domain.problem import Problem, Where
from resultsq.domain.sheet import Finisher
from resultsq.kinds.results.checks import (
    by_severity,
    overlong,
    plausibility,
    positions,
    row_place,
    times,
    times_missing,
)
from resultsq.kinds.results.corrections import Correction
from resultsq.kinds.results.findings import findings
from resultsq.kinds.results.join_state import JoinState, Scan, Time
from resultsq.kinds.results.plausible import Occasion
from resultsq.kinds.results.rules import NO_FINISHERS, TOO_MANY_ROWS, TOO_MANY_ROWS_TOGETHER
from resultsq.readers import MAX_ROWS
from resultsq.readers.marks import read_time, write_time

MOST_ROWS_TOGETHER = 4 * MAX_ROWS
"""Rows of all files of one event, lines that were set aside included: what joining them costs grows with this."""

_AnyFile = Annotated[StopwatchFile | ScannerFile | TableFile, Field(discriminator="kind")]
_FINISHERS: TypeAdapter[tuple[Finisher, ...]] = TypeAdapter(tuple[Finisher, ...])


class AppliedChange(BaseModel):
    """The record of one correction: what, by whom, and in a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    correction: Correction
    by: str
    said: str


class Work(BaseModel):
    """What a team has in hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[_AnyFile, ...] = ()
    occasion: Occasion = Field(default=Occasion(), exclude=True)
    changes: tuple[AppliedChange, ...] = ()

    @classmethod
    def from_files(cls, files: Sequence[ReadFile], occasion: Occasion | None = None) -> "Work":
        # the readers have checked every row
        return cls.model_construct(files=tuple(files), occasion=occasion or Occasion(), changes=())

    @property
    def confirmed(self) -> frozenset[str]:
        """The codes of the problems that a person has looked at and found right."""
        return frozenset(one.correction.code for one in self.changes if one.correction.action == "as-given")

    @classmethod
    def from_rows(cls, name: str, finishers: Sequence[Finisher]) -> "Work":
        """The rows of a sheet as a table that can be corrected."""
        rows = tuple(
            TableRow(line, row.position, None if row.time is None else read_time(row.time), row.athlete)
            for line, row in enumerate(finishers, 2)
        )
        return cls(files=(TableFile(name=name, digest="rows", lines=len(rows) + 1, idle=1, rows=rows),))


@dataclass(frozen=True, slots=True)
class FileCount:
    """How the lines of one file were counted; `lines - used - set_aside` carry nothing."""

    name: str
    kind: FileKind
    lines: int
    used: int
    set_aside: int
    digest: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The results as they stand. `times` and `scans` say which lines each row came from: `sources` are the
    digests of the files that a time's `one` and `other` line are in, and a time that does not count was
    unticked. `athlete` of a finisher is None too while a token has two athletes."""

    finishers: tuple[Finisher, ...]
    problems: tuple[Problem, ...]
    files: tuple[FileCount, ...]
    times: tuple[Time, ...]
    scans: tuple[Scan, ...]
    sources: tuple[str, ...]

    @property
    def blocked(self) -> bool:
        """Whether something stands in the way of publication."""
        return any(problem.blocks for problem in self.problems)


def join(files: Sequence[ReadFile], choices: Sequence[Correction] = (), occasion: Occasion | None = None) -> Joined:
    """The results of these files, in whatever order they come, with these choices made.

    :raises InputRefused: where a choice makes no sense."""
    board = JoinState(files, occasion or Occasion())
    for choice in choices:
        choice.on(board)
    return _joined(board, files)


def evaluate(work: Work) -> Joined:
    """The results of this work."""
    return _joined(_replay(work), work.files)


def apply(work: Work, correction: Correction, by: str) -> Work:
    """The work with one correction more, and the record of it.

    :raises InputRefused: in words, where the correction makes no sense; the work is as before."""
    said = correction.on(_replay(work))
    change = AppliedChange.model_construct(correction=correction, by=by, said=said)
    return work.model_copy(update={"changes": (*work.changes, change)})


def undo(work: Work) -> Work:
    """The work without its last correction.

    :raises InputRefused: where there is none."""
    if not work.changes:
        raise InputRefused(gettext("Nothing was changed by hand, so there is nothing to undo."))
    return work.model_copy(update={"changes": work.changes[:-1]})


def without_words(work: Work, codes: Collection[str]) -> Work:
    """The work without the confirmations of problems of these codes."""
    kept = [one for one in work.changes if one.correction.action != "as-given" or one.correction.code not in codes]
    return work.model_copy(update={"changes": tuple(kept)})


def add(work: Work, files: Sequence[ReadFile]) -> Work:
    """The work with more files.

    :raises InputRefused: where times would be joined anew below corrections that were made to them."""
    if _replay(work).times_by_hand and not all(isinstance(file, ScannerFile) for file in files):
        raise InputRefused(gettext("You edited times by hand. Undo those edits before you add a file with times."))
    return work.model_copy(update={"files": (*work.files, *files)})


def too_many_together(files: Sequence[ReadFile]) -> Problem | None:
    """The problem of files that have too many rows to be joined. Ask it before `join` and `add`."""
    count = sum(file.used + file.set_aside for file in files)
    if count <= MOST_ROWS_TOGETHER:
        return None
    return TOO_MANY_ROWS_TOGETHER.broken(
        [Where(file=files[-1].name)], count=cldr.number(count), limit=cldr.number(MOST_ROWS_TOGETHER)
    )


def _replay(work: Work) -> JoinState:
    board = JoinState(work.files, work.occasion)
    for change in work.changes:
        change.correction.on(board)
    return board


def _joined(board: JoinState, files: Sequence[ReadFile]) -> Joined:
    finishers = _finishers(board)
    place = row_place(finishers)
    problems = [
        *findings(board),
        *positions(finishers, place),
        *times(finishers, place),
        *times_missing(finishers, place),
        *overlong(finishers, place),
        *plausibility(finishers, place, board.occasion.plausible),
    ]
    problems = [problem for problem in problems if problem.code not in board.as_given]
    count = max(len(finishers), board.count())
    if count > MAX_ROWS:
        problems.append(TOO_MANY_ROWS.broken([Where(row=count)], count=cldr.number(count), limit=cldr.number(MAX_ROWS)))
    if not finishers and not any(problem.blocks for problem in problems):
        problems.append(NO_FINISHERS.broken([]))
    counts = sorted(
        (_counted(board, file) for file in files),
        key=lambda file: (file.name, file.kind, file.lines),
    )
    return Joined(
        finishers=finishers,
        problems=by_severity(problems),
        files=tuple(counts),
        times=tuple(board.times),
        scans=tuple(board.scans),
        sources=board.sources,
    )


def _counted(board: JoinState, file: ReadFile) -> FileCount:
    now = board.files[file.digest]  # with what a person has put back
    return FileCount(file.name, file.kind, file.lines, now.used, now.set_aside, file.digest)


def _finishers(board: JoinState) -> tuple[Finisher, ...]:
    athletes, _ = board.athletes()
    if not board.times:
        highest = board.highest()
        if highest > MAX_ROWS:
            # one misread token is no reason to build a hundred thousand rows
            highest = MAX_ROWS + 1
        return _FINISHERS.validate_python(
            [{"position": token, "athlete": athletes.get(token)} for token in range(1, highest + 1)]
        )
    counting = [time for time in board.times if time.counts]
    twice = board.positions_twice()
    own = {scan.line: scan.athlete for scan in board.scans if scan.file in board.sources} if twice else {}
    # handed over one by one: a list of so many would only wake the garbage collector
    return _FINISHERS.validate_python(
        {
            "position": position,
            "athlete": own.get(time.one) if position in twice else athletes.get(position),
            "time": None if time.seconds is None else write_time(time.seconds),
        }
        for position, time in ((time.position or place, time) for place, time in enumerate(counting, 1))
    )
