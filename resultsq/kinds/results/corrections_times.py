"""Corrections of times, of whole rows, and of how two stopwatches count."""

from typing import Literal

from pydantic import Field

from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import StopwatchFile
from resultsq.domain.i18n import gettext, ngettext
from resultsq.kinds.results.corrections_base import (
    LONGEST_S,
    Athlete,
    CorrectionBase,
    Position,
    Seconds,
    demand_new,
    demand_times_of_files,
    time_text,
    who,
)
from resultsq.kinds.results.join_state import JoinState, Scan, Time
from resultsq.kinds.results.plausible import DAY_S, TimeReading
from resultsq.readers import MAX_ROWS


class EditTime(CorrectionBase):
    action: Literal["edit-time"] = "edit-time"
    position: Position
    time: Seconds

    def on(self, board: JoinState) -> str:
        index = board.index_of(self.position)
        old = board.times[index].seconds
        if old == self.time:
            raise InputRefused(
                gettext("Position {position} already has {was}.", position=self.position, was=time_text(old))
            )
        board.times[index] = board.times[index]._replace(seconds=self.time)
        board.times_by_hand = True
        return gettext(
            "Position {position}: {was} became {time}.",
            position=self.position,
            was=time_text(old),
            time=time_text(self.time),
        )


class InsertTime(CorrectionBase):
    """Times that were missed: those behind move down, athletes and tokens stay."""

    action: Literal["insert-time"] = "insert-time"
    position: Position
    time: Seconds = None
    count: int = Field(default=1, ge=1, le=MAX_ROWS)

    def on(self, board: JoinState) -> str:
        board.demand_regular()
        if len(board.times) + self.count > MAX_ROWS:
            raise InputRefused(gettext("That would be more than {most} rows.", most=MAX_ROWS))
        index = board.room_at(self.position)
        board.times[index:index] = [Time(self.time)] * self.count
        board.times_by_hand = True
        return ngettext(
            "Inserted a time ({time}) at position {position}.",
            "Inserted {number} times ({time}) at position {position}.",
            self.count,
            time=time_text(self.time),
            position=self.position,
        )


class RemoveTime(CorrectionBase):
    """A time of no finisher: those behind move up, athletes and tokens stay."""

    action: Literal["remove-time"] = "remove-time"
    position: Position

    def on(self, board: JoinState) -> str:
        board.demand_regular()
        old = board.times.pop(board.index_of(self.position))
        board.times_by_hand = True
        return gettext(
            "Removed {was} at position {position}; later times moved up.",
            was=time_text(old.seconds),
            position=self.position,
        )


class InsertFinisher(CorrectionBase):
    """A whole row: times, athletes and tokens behind move down. In a hole of a table nothing moves."""

    action: Literal["insert-finisher"] = "insert-finisher"
    position: Position
    time: Seconds = None
    athlete: Athlete = None

    def on(self, board: JoinState) -> str:
        if not board.times:
            raise InputRefused(gettext("No times have come yet: add a stopwatch file, or type the times."))
        demand_new(board, self.athlete)
        if board.regular():
            if len(board.times) >= MAX_ROWS:
                raise InputRefused(gettext("That would be more than {most} rows.", most=MAX_ROWS))
            board.times.insert(board.room_at(self.position), Time(self.time))
            board.renumber({token: token + 1 for token in range(self.position, board.highest() + 1)})
        else:
            if any(time.position == self.position for time in board.times):
                raise InputRefused(
                    gettext(
                        "The table has position {position} already. Add the positions that are missing first.",
                        position=self.position,
                    )
                )
            board.times.append(Time(self.time, position=self.position))
            board.settle()
        if self.athlete is not None:
            board.scans.append(Scan(self.athlete, self.position))
        board.times_by_hand = True
        return gettext(
            "Inserted {athlete} ({time}) at position {position}.",
            athlete=who(self.athlete),
            time=time_text(self.time),
            position=self.position,
        )


class RemoveFinisher(CorrectionBase):
    """A whole row: times, athletes and tokens behind move up."""

    action: Literal["remove-finisher"] = "remove-finisher"
    position: Position

    def on(self, board: JoinState) -> str:
        board.demand_regular()
        old = board.times.pop(board.index_of(self.position))
        gone = board.athletes_of(self.position)
        board.scans = [scan for scan in board.scans if scan.token != self.position]
        board.renumber({token: token - 1 for token in range(self.position + 1, board.highest() + 1)})
        board.times_by_hand = True
        return gettext(
            "Removed {who} ({was}) at position {position}; later rows moved up.",
            who=who(*gone),
            was=time_text(old.seconds),
            position=self.position,
        )


class ShiftStopwatch(CorrectionBase):
    action: Literal["shift-stopwatch"] = "shift-stopwatch"
    file: str
    seconds: int = Field(ge=-LONGEST_S, le=LONGEST_S)

    def on(self, board: JoinState) -> str:
        watch = board.file(self.file)
        if not isinstance(watch, StopwatchFile):
            raise InputRefused(gettext("{name} is not a stopwatch file, so it cannot be shifted.", name=watch.name))
        if not self.seconds:
            raise InputRefused(gettext("A shift by 0 seconds changes nothing."))
        demand_times_of_files(board)
        shifted = [seconds + self.seconds for seconds in board.seconds_of(watch)]
        if min(shifted) < 0 or max(shifted) > LONGEST_S:
            raise InputRefused(
                gettext("A shift by {seconds} s would give times below zero or beyond 99:59:59.", seconds=self.seconds)
            )
        board.shifts[self.file] = board.shifts.get(self.file, 0) + self.seconds
        board.gather_times()
        return gettext("Shifted {name} by {seconds:+} s.", name=watch.name, seconds=self.seconds)


class LeaveOffset(CorrectionBase):
    """The stopwatches differ and are to stay as they are."""

    action: Literal["leave-offset"] = "leave-offset"

    def on(self, board: JoinState) -> str:
        if len(board.stopwatches()) != 2 or board.offset_left:
            raise InputRefused(gettext("There is no difference between two stopwatches to leave."))
        board.offset_left = True
        if not board.times_by_hand:
            board.gather_times()
        return gettext("Left the stopwatches as they are.")


class ReadTimes(CorrectionBase):
    """The times were written in another way than they look: each too long one is minutes and seconds (or minutes,
    seconds and hundredths), or all are times of day since the start."""

    action: Literal["read-times"] = "read-times"
    way: Literal["minutes", "hundredths", "since"]
    start: int = Field(default=0, ge=0, le=DAY_S)

    def on(self, board: JoinState) -> str:
        demand_times_of_files(board)
        if board.reading is not None:
            raise InputRefused(gettext("The times were read anew already: undo that first."))
        read = TimeReading(self.way, self.start)
        if min(read.of(board.given_seconds(), board.occasion.plausible), default=0) < 0:
            raise InputRefused(gettext("Some times would be below zero like this."))
        board.reading = read
        board.gather_times()
        return gettext("Read the times as: {way}.", way=read.words())


class _Tick(CorrectionBase):
    file: str
    line: int

    def tick(self, board: JoinState, counts: bool) -> int | None:
        watch = board.file(self.file)
        if len(board.sources) == 2 and self.file in board.sources:
            mine = (self.line, None) if self.file == board.sources[0] else (None, self.line)
            for index, time in enumerate(board.times):
                if (time.one, time.other) == mine:
                    if time.counts == counts:
                        raise InputRefused(
                            gettext("Line {line} of {name} is that way already.", line=self.line, name=watch.name)
                        )
                    board.times[index] = time._replace(counts=counts)
                    return time.seconds
        raise InputRefused(gettext("Only a time that is on just one of the two stopwatches can be ticked or unticked."))


class UntickTime(_Tick):
    """A time that one watch alone has does not count: all below move up."""

    action: Literal["untick-time"] = "untick-time"

    def on(self, board: JoinState) -> str:
        seconds = self.tick(board, counts=False)
        board.unticked.add((self.file, self.line))
        return gettext("Unticked {was}; later times moved up.", was=time_text(seconds))


class TickTime(_Tick):
    """A time that was unticked counts again."""

    action: Literal["tick-time"] = "tick-time"

    def on(self, board: JoinState) -> str:
        seconds = self.tick(board, counts=True)
        board.unticked.remove((self.file, self.line))
        return gettext("Ticked {was} again; later times moved down.", was=time_text(seconds))
