"""Corrections of files and their lines."""

from dataclasses import replace
from itertools import pairwise
from typing import Final, Literal, get_args

from pydantic import Field

from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import ScannerFile, StopwatchFile, TableFile, TimeRow
from resultsq.domain.i18n import gettext, gettext_noop, ngettext
from resultsq.domain.sheet import AthleteId
from resultsq.kinds.results.corrections_base import (
    LONGEST_LINE,
    CorrectionBase,
    demand_scanner,
    demand_times_of_files,
    index_of_line,
)
from resultsq.kinds.results.join_state import JoinState, Scan
from resultsq.kinds.results.texts import day_text, use_text
from resultsq.readers.marks import UnreadableField
from resultsq.readers.rules import DOUBLE_TAP_DROPPED
from resultsq.readers.scanner import scan
from resultsq.readers.table import use_column

GivenCode = Literal[
    "implausible-times",
    "times-changed",
    "files-from-different-days",
    "other-day",
    "day-long-ago",
    "scans-of-two-days",
    "already-here",
    "watches-disagree",
    "no-time-column",
    "no-position-column",
]
AS_GIVEN: Final = frozenset(get_args(GivenCode))
"""Problems that a person may confirm as right."""
_CONFIRMED: Final[dict[str, str]] = {
    "implausible-times": gettext_noop("The times are right as they are."),
    "times-changed": gettext_noop("The times are right as they were read back."),
    "files-from-different-days": gettext_noop("The files are of one event: a clock was wrong."),
    "other-day": gettext_noop("The day is right: the clock was wrong."),
    "day-long-ago": gettext_noop("The day is right, though it is long ago."),
    "scans-of-two-days": gettext_noop("All scans are of this event."),
    "already-here": gettext_noop("These finishers are right, though they are here already."),
    "watches-disagree": gettext_noop("Both stopwatches count."),
    "no-time-column": gettext_noop("There are no times."),
    "no-position-column": gettext_noop("The lines are in the order of finishing."),
}
"""What the list of corrections says of each."""


class EditLine(CorrectionBase):
    """A scanner's line, set aside or not, as it should read."""

    action: Literal["edit-line"] = "edit-line"
    file: str
    line: int
    text: str = Field(max_length=LONGEST_LINE)

    def on(self, board: JoinState) -> str:
        name = demand_scanner(board, self.file).name
        try:
            athlete, token = scan(self.text)
        except UnreadableField as reason:
            raise InputRefused(gettext("The line cannot be read like this: {reason}.", reason=reason)) from None
        place = (self.file, self.line)
        new = Scan(athlete, token, *place)
        if board.aside.pop(place, None) is not None:
            # keep the order of the file, which runs are found by
            at = next((i for i, old in enumerate(board.scans) if old.file and (old.file, old.line or 0) > place), None)
            board.scans.insert(len(board.scans) if at is None else at, new)
        else:
            at = index_of_line(board, place)
            if board.scans[at] == new:
                raise InputRefused(gettext("Line {line} of {name} says that already.", line=self.line, name=name))
            board.scans[at] = new
        return gettext("Line {line} of {name} was edited.", line=self.line, name=name)


class DropLine(CorrectionBase):
    """A line of a scanner, or of a table whose positions are not yet in order, counts no more."""

    action: Literal["drop-line"] = "drop-line"
    file: str
    line: int

    def on(self, board: JoinState) -> str:
        file = board.file(self.file)
        if isinstance(file, TableFile) and not board.regular():
            kept = [time for time in board.times if time.one != self.line]
            if len(kept) == len(board.times):
                raise InputRefused(
                    gettext("{name} has no row in line {line} that counts.", name=file.name, line=self.line)
                )
            board.times = kept
            board.scans = [scan for scan in board.scans if (scan.file, scan.line) != (self.file, self.line)]
            board.times_by_hand = True
            board.settle()
        elif board.aside.pop((self.file, self.line), None) is None:
            demand_scanner(board, self.file)
            del board.scans[index_of_line(board, (self.file, self.line))]
        return gettext("Line {line} of {name} was dropped.", line=self.line, name=file.name)


class DropFile(CorrectionBase):
    action: Literal["drop-file"] = "drop-file"
    file: str

    def on(self, board: JoinState) -> str:
        file = board.file(self.file)
        if len(board.copies[self.file]) > 1:
            # the same content under another name: one copy goes, and the times stay
            return gettext("Left out {name}.", name=board.copies[self.file].pop())
        if not isinstance(file, ScannerFile):
            demand_times_of_files(board)
        board.left_out.add(self.file)
        board.withheld.pop(self.file, None)
        board.scans = [scan for scan in board.scans if scan.file != self.file]
        board.aside = {place: line for place, line in board.aside.items() if place[0] != self.file}
        if not board.times_by_hand:
            board.gather_times()
        return gettext("Left out {name}.", name=file.name)


class ReadLinesAsMeant(CorrectionBase):
    """All lines of a scanner that were set aside and can be read in capitals, or with the A that is missing."""

    action: Literal["read-lines-as-meant"] = "read-lines-as-meant"
    file: str

    def on(self, board: JoinState) -> str:
        name = demand_scanner(board, self.file).name
        found = dict(board.meant_lines(self.file))
        if not found:
            raise InputRefused(gettext("{name} has no line that can be read like this.", name=name))
        # no variable here is called as the reader's function: Python 3.12 would take it for that variable
        kept = [one for one in board.scans if one.file == self.file]
        new = [Scan(*scan(text), self.file, line) for line, text in found.items()]
        board.scans = [one for one in board.scans if one.file != self.file]
        board.scans += sorted([*kept, *new], key=lambda one: one.line or 0)
        for line in found:
            del board.aside[self.file, line]
        return gettext("Read {count} lines of {name} as they were meant.", count=len(found), name=name)


class LeaveOutDay(CorrectionBase):
    """The scans of one day go: they were left in the scanner."""

    action: Literal["leave-out-day"] = "leave-out-day"
    file: str
    day: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")

    def on(self, board: JoinState) -> str:
        file = demand_scanner(board, self.file)
        left = board.left_days[self.file]
        if self.day not in dict(file.days) or self.day in left:
            raise InputRefused(gettext("{name} has no scans of that day that count.", name=file.name))
        if len(left) + 1 == len(file.days):
            raise InputRefused(gettext("That would leave no scan of {name}: leave out the file.", name=file.name))
        left.add(self.day)
        board.gather_days(self.file)
        return gettext("Left out the scans of {day} in {name}.", day=day_text(self.day), name=file.name)


class KeepDoubleTap(CorrectionBase):
    """The times 0:00 at the beginning were finishers after all: everybody behind moves down again."""

    action: Literal["keep-double-tap"] = "keep-double-tap"
    file: str

    def on(self, board: JoinState) -> str:
        watch = board.file(self.file)
        if not isinstance(watch, StopwatchFile) or not watch.aside:
            raise InputRefused(gettext("{name} has no double tap that was left out.", name=watch.name))
        demand_times_of_files(board)
        taps = tuple(TimeRow(tap.line, 0) for tap in watch.aside)
        problems = tuple(one for one in watch.problems if one.code != DOUBLE_TAP_DROPPED.code)
        board.files[self.file] = replace(watch, rows=(*taps, *watch.rows), aside=(), problems=problems)
        board.gather_times()
        return ngettext(
            "Put back the time at the beginning of {name}.",
            "Put back the {number} times at the beginning of {name}.",
            len(taps),
            name=watch.name,
        )


class UseColumn(CorrectionBase):
    """What a column of a table is; with an empty `use` it is left out."""

    action: Literal["use-column"] = "use-column"
    file: str
    column: int = Field(ge=1)
    use: Literal["position", "time", "athlete", ""]

    def on(self, board: JoinState) -> str:
        table = board.file(self.file)
        if not isinstance(table, TableFile) or self.column > len(table.columns):
            raise InputRefused(gettext("{name} has no such column.", name=table.name))
        chosen = table.columns[self.column - 1]
        if not chosen.could_be or (self.use and self.use not in chosen.could_be):
            raise InputRefused(gettext("The column {column} cannot be that.", column=chosen.name))
        demand_times_of_files(board)
        try:
            table = use_column(table, self.column - 1, self.use)
        except UnreadableField as reason:
            raise InputRefused(
                gettext("The column {column} cannot be that: {reason}.", column=chosen.name, reason=reason)
            ) from None
        board.replace_table(table)
        if self.use:
            return gettext(
                "The column {column} of {name} is the {use}.",
                column=chosen.name,
                name=table.name,
                use=use_text(self.use),
            )
        return gettext("The column {column} of {name} is not used.", column=chosen.name, name=table.name)


class ChooseDay(CorrectionBase):
    """The event was on the day that the files say. The form sets it, because it keeps the date (app/drafts.py)."""

    action: Literal["choose-day"] = "choose-day"
    date: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")

    def on(self, board: JoinState) -> str:
        raise InputRefused(gettext("Choose the day above, not here."))


class EditVolunteer(CorrectionBase):
    """A volunteer has another number. The form sets it, because it keeps the volunteers (app/drafts.py)."""

    action: Literal["edit-volunteer"] = "edit-volunteer"
    volunteer: AthleteId
    athlete: AthleteId

    def on(self, board: JoinState) -> str:
        raise InputRefused(gettext("Change the volunteer in the list of volunteers, not here."))


class AsGiven(CorrectionBase):
    """A person has looked: the reported problem is as it should be."""

    action: Literal["as-given"] = "as-given"
    code: GivenCode

    def on(self, board: JoinState) -> str:
        if self.code in board.as_given:
            raise InputRefused(gettext("That was said already."))
        if self.code == "watches-disagree":
            demand_times_of_files(board)
        board.as_given.add(self.code)
        if self.code == "watches-disagree":
            board.gather_times()
        for digest in list(board.files) if self.code == "scans-of-two-days" else ():
            board.gather_days(digest)
        return gettext(_CONFIRMED[self.code])


class MoveAthletesUp(CorrectionBase):
    """A run of lines whose tokens were scanned before the athletes: each line takes the next one's athlete."""

    action: Literal["move-athletes-up"] = "move-athletes-up"
    file: str
    first: int
    last: int

    def on(self, board: JoinState) -> str:
        name = demand_scanner(board, self.file).name
        run = [
            index
            for index, scan in enumerate(board.scans)
            if scan.file == self.file and self.first <= (scan.line or 0) <= self.last
        ]
        if len(run) < 2 or board.scans[run[0]].athlete or board.scans[run[-1]].token:
            raise InputRefused(gettext("These lines do not begin with a token alone and end with an athlete alone."))
        for index, below in pairwise(run):
            board.scans[index] = board.scans[index]._replace(athlete=board.scans[below].athlete)
        del board.scans[run[-1]]
        return gettext(
            "Moved the athletes of lines {first} to {last} of {name} up by one line.",
            first=self.first,
            last=self.last,
            name=name,
        )
