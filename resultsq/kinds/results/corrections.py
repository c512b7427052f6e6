"""What a person may change by hand, as values: `action` and its fields, each refused in words where it makes
no sense. A fix that a problem offers is one of these.

`on` plays a correction on a board and returns the sentence for the record. Positions and tokens are those
that the person saw, with all earlier corrections done. `file` is a file's digest.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import ScannerFile, StopwatchFile, TableFile
from resultsq.domain.problem import Fix
from resultsq.domain.sheet import AthleteId
from resultsq.domain.words import say, say_many
from resultsq.kinds.results.board import Board, Line, Scan, Time
from resultsq.readers import MAX_ROWS
from resultsq.readers.marks import Unreadable, read_athlete, read_time, read_token, write_time
from resultsq.readers.scanner import scan

LONGEST_LINE = 200
"""Characters of a scanner's line that may be written anew."""

_LONGEST_S = 99 * 3600 + 59 * 60 + 59
_HIGHEST_TOKEN = 99_999


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return read_time(value) if value.strip() else None
    return value


def _athlete(value: object) -> object:
    if isinstance(value, str):
        return read_athlete(value.strip()) if value.strip() else None
    return value


def _token(value: object) -> object:
    if isinstance(value, str):
        value = value.strip()
        return read_token(value) if value.startswith("P") else value or None
    return value


Seconds = Annotated[Annotated[int, Field(ge=0, le=_LONGEST_S)] | None, BeforeValidator(_seconds)]
"""An elapsed time in seconds; from outside also as people write it. Empty: no time."""

Athlete = Annotated[AthleteId | None, BeforeValidator(_athlete)]
"""A barcode. Empty: an Unknown."""

Position = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Token = Annotated[int, BeforeValidator(_token), Field(ge=1, le=_HIGHEST_TOKEN)]
"""A finish token's number, with or without its P."""


class _Correction(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EditTime(_Correction):
    action: Literal["edit-time"] = "edit-time"
    position: Position
    time: Seconds

    def on(self, board: Board) -> str:
        index = board.index_of(self.position)
        old = board.times[index].seconds
        if old == self.time:
            raise InputRefused(say("Position {position} already has {was}.", position=self.position, was=_time(old)))
        board.times[index] = board.times[index]._replace(seconds=self.time)
        board.times_by_hand = True
        return say(
            "Position {position}: {was} became {time}.", position=self.position, was=_time(old), time=_time(self.time)
        )


class InsertTime(_Correction):
    """Times that were missed: those behind move down, athletes and tokens stay."""

    action: Literal["insert-time"] = "insert-time"
    position: Position
    time: Seconds = None
    count: int = Field(default=1, ge=1, le=MAX_ROWS)

    def on(self, board: Board) -> str:
        board.demand_regular()
        if len(board.times) + self.count > MAX_ROWS:
            raise InputRefused(say("That would be more than {most} rows.", most=MAX_ROWS))
        index = board.room_at(self.position)
        board.times[index:index] = [Time(self.time)] * self.count
        board.times_by_hand = True
        return say_many(
            "Inserted a time ({time}) at position {position}.",
            "Inserted {number} times ({time}) at position {position}.",
            self.count,
            time=_time(self.time),
            position=self.position,
        )


class RemoveTime(_Correction):
    """A time nobody had: those behind move up, athletes and tokens stay."""

    action: Literal["remove-time"] = "remove-time"
    position: Position

    def on(self, board: Board) -> str:
        board.demand_regular()
        old = board.times.pop(board.index_of(self.position))
        board.times_by_hand = True
        return say(
            "Removed {was} at position {position}; later times moved up.",
            was=_time(old.seconds),
            position=self.position,
        )


class InsertFinisher(_Correction):
    """A whole row: times, athletes and tokens behind move down. In a hole of a table nothing moves."""

    action: Literal["insert-finisher"] = "insert-finisher"
    position: Position
    time: Seconds = None
    athlete: Athlete = None

    def on(self, board: Board) -> str:
        if not board.times:
            raise InputRefused(say("No times have come yet: add a stopwatch file, or type the times."))
        _demand_new(board, self.athlete)
        if board.regular():
            if len(board.times) >= MAX_ROWS:
                raise InputRefused(say("That would be more than {most} rows.", most=MAX_ROWS))
            board.times.insert(board.room_at(self.position), Time(self.time))
            board.renumber({token: token + 1 for token in range(self.position, board.highest() + 1)})
        else:
            if any(time.position == self.position for time in board.times):
                raise InputRefused(
                    say("Position {position} is there already: mend the table's holes first.", position=self.position)
                )
            board.times.append(Time(self.time, position=self.position))
            board.settle()
        if self.athlete is not None:
            board.scans.append(Scan(self.athlete, self.position))
        board.times_by_hand = True
        return say(
            "Inserted {athlete} ({time}) at position {position}.",
            athlete=_who(self.athlete),
            time=_time(self.time),
            position=self.position,
        )


class RemoveFinisher(_Correction):
    """A whole row: times, athletes and tokens behind move up."""

    action: Literal["remove-finisher"] = "remove-finisher"
    position: Position

    def on(self, board: Board) -> str:
        board.demand_regular()
        old = board.times.pop(board.index_of(self.position))
        gone = board.athletes_of(self.position)
        board.scans = [scan for scan in board.scans if scan.token != self.position]
        board.renumber({token: token - 1 for token in range(self.position + 1, board.highest() + 1)})
        board.times_by_hand = True
        who = _who(*gone)
        return say(
            "Removed {who} ({was}) at position {position}; later rows moved up.",
            who=who,
            was=_time(old.seconds),
            position=self.position,
        )


class EditAthlete(_Correction):
    action: Literal["edit-athlete"] = "edit-athlete"
    position: Position
    athlete: Athlete

    def on(self, board: Board) -> str:
        old = board.athletes_of(self.position)
        if old == [self.athlete] or (not old and self.athlete is None):
            raise InputRefused(
                say(
                    "Position {position} already has {athlete}.",
                    position=self.position,
                    athlete=_who(self.athlete),
                )
            )
        if board.times:
            board.index_of(self.position)
        if self.athlete not in old:
            _demand_new(board, self.athlete)
        board.scans = [scan for scan in board.scans if scan.token != self.position or scan.athlete is None]
        if self.athlete is not None:
            board.scans.append(Scan(self.athlete, self.position))
        was = _who(*old)
        return say(
            "Position {position}: {was} became {athlete}.",
            position=self.position,
            was=was,
            athlete=_who(self.athlete),
        )


class EditToken(_Correction):
    """Give an athlete who was scanned another token, or the one that is missing."""

    action: Literal["edit-token"] = "edit-token"
    athlete: AthleteId
    token: Token

    def on(self, board: Board) -> str:
        board.demand_regular()
        _demand_scanned(board, self.athlete)
        holders = board.athletes_of(self.token)
        if holders == [self.athlete] and len(board.tokens_of(self.athlete)) == 1:
            raise InputRefused(say("{athlete} has token {token} already.", athlete=self.athlete, token=self.token))
        if others := [athlete for athlete in holders if athlete != self.athlete]:
            raise InputRefused(say("Token {token} belongs to {athlete}.", token=self.token, athlete=_who(*others)))
        if board.times and self.token > board.count():
            raise InputRefused(
                say("There are only {count} times, so token {token} has none.", count=board.count(), token=self.token)
            )
        board.scans = [scan for scan in board.scans if scan.athlete != self.athlete]
        board.scans.append(Scan(self.athlete, self.token))
        return say("{athlete} was given token {token}.", athlete=self.athlete, token=self.token)


class ChooseToken(_Correction):
    """Of an athlete's tokens one is right: the other pairs go."""

    action: Literal["choose-token"] = "choose-token"
    athlete: AthleteId
    token: Token

    def on(self, board: Board) -> str:
        tokens = board.tokens_of(self.athlete)
        if self.token not in tokens:
            raise InputRefused(
                say("{athlete} was not scanned with token {token}.", athlete=self.athlete, token=self.token)
            )
        if len(tokens) == 1:
            raise InputRefused(
                say("{athlete} has no other token than {token}.", athlete=self.athlete, token=self.token)
            )
        board.scans = [scan for scan in board.scans if scan.athlete != self.athlete or scan.token in (None, self.token)]
        gone = ", ".join(str(token) for token in sorted(tokens - {self.token}))
        return say("{athlete} keeps token {token}; dropped: {gone}.", athlete=self.athlete, token=self.token, gone=gone)


class ChooseAthlete(_Correction):
    """Of a token's athletes one is right: the others have no token, unless they have another."""

    action: Literal["choose-athlete"] = "choose-athlete"
    token: Token
    athlete: AthleteId

    def on(self, board: Board) -> str:
        athletes = board.athletes_of(self.token)
        if self.athlete not in athletes:
            raise InputRefused(
                say("{athlete} was not scanned with token {token}.", athlete=self.athlete, token=self.token)
            )
        if len(athletes) == 1:
            raise InputRefused(
                say("Token {token} has no other athlete than {athlete}.", token=self.token, athlete=self.athlete)
            )
        elsewhere = {athlete for athlete in athletes if len(board.tokens_of(athlete)) > 1}
        others = set(athletes) - {self.athlete}
        board.scans = [
            scan._replace(token=None) if scan.token == self.token and scan.athlete in others else scan
            for scan in board.scans
            if scan.token != self.token or scan.athlete not in others & elsewhere
        ]
        return say("Token {token} belongs to {athlete}.", token=self.token, athlete=self.athlete)


class DropScans(_Correction):
    """Scans of an athlete without a token go; pairs stay."""

    action: Literal["drop-scans"] = "drop-scans"
    athlete: AthleteId

    def on(self, board: Board) -> str:
        kept = [scan for scan in board.scans if scan.athlete != self.athlete or scan.token is not None]
        if len(kept) == len(board.scans):
            raise InputRefused(say("{athlete} was not scanned without a token.", athlete=self.athlete))
        board.scans = kept
        return say("Dropped the lone scans of {athlete}.", athlete=self.athlete)


class DropTokensBeyond(_Correction):
    """Scans with tokens above a number go, with or without an athlete."""

    action: Literal["drop-tokens-beyond"] = "drop-tokens-beyond"
    last: int = Field(ge=0, le=_HIGHEST_TOKEN)

    def on(self, board: Board) -> str:
        kept = [scan for scan in board.scans if scan.token is None or scan.token <= self.last]
        if len(kept) == len(board.scans):
            raise InputRefused(say("No token above {last} was scanned.", last=self.last))
        gone = len(board.scans) - len(kept)
        board.scans = kept
        return say("Dropped {gone} scans with tokens above {last}.", gone=gone, last=self.last)


class InsertTokens(_Correction):
    """Somebody finished without a token: from `first` on everybody's token is `count` higher."""

    action: Literal["insert-tokens"] = "insert-tokens"
    first: Token
    count: int = Field(default=1, ge=1, le=MAX_ROWS)

    def on(self, board: Board) -> str:
        highest = _demand_highest(board, self.first)
        if highest + self.count > _HIGHEST_TOKEN:
            raise InputRefused(say("Finish tokens go up to {highest}.", highest=_HIGHEST_TOKEN))
        board.renumber({token: token + self.count for token in range(self.first, highest + 1)})
        return say("From token {first} on, tokens are {count} higher.", first=self.first, count=self.count)


class RemoveTokens(_Correction):
    """Tokens that nobody got: those above move down."""

    action: Literal["remove-tokens"] = "remove-tokens"
    first: Token
    last: Token

    def on(self, board: Board) -> str:
        gone = _range(self.first, self.last)
        highest = _demand_highest(board, self.first)
        if holders := [scan.token for scan in board.scans if scan.token in gone and scan.athlete]:
            raise InputRefused(
                say("Token {token} was scanned with an athlete: take the pair out first.", token=holders[0])
            )
        board.scans = [scan for scan in board.scans if scan.token not in gone]
        board.renumber({token: token - len(gone) for token in range(self.last + 1, highest + 1)})
        return say(
            "Removed tokens {first} to {last}; those above are {count} lower.",
            first=self.first,
            last=self.last,
            count=len(gone),
        )


class SwapTokens(_Correction):
    """Two ranges of equal length that were handed out one for the other."""

    action: Literal["swap-tokens"] = "swap-tokens"
    first: Token
    last: Token
    other: Token
    """Where the other range begins."""

    def on(self, board: Board) -> str:
        mine = _range(self.first, self.last)
        theirs = range(self.other, self.other + len(mine))
        if self.other in mine or self.first in theirs:
            raise InputRefused(say("The two ranges overlap, so they cannot be swapped."))
        _demand_highest(board, max(self.first, self.other))
        if theirs[-1] > _HIGHEST_TOKEN:
            raise InputRefused(say("Finish tokens go up to {highest}.", highest=_HIGHEST_TOKEN))
        board.renumber(dict(zip((*mine, *theirs), (*theirs, *mine), strict=True)))
        return say(
            "Swapped tokens {first} to {last} with those from {other}.",
            first=self.first,
            last=self.last,
            other=self.other,
        )


class ReverseTokens(_Correction):
    """A range that was handed out from its end."""

    action: Literal["reverse-tokens"] = "reverse-tokens"
    first: Token
    last: Token

    def on(self, board: Board) -> str:
        tokens = _range(self.first, self.last)
        if len(tokens) == 1:
            raise InputRefused(say("One token alone cannot be reversed."))
        _demand_highest(board, self.first)
        board.renumber(dict(zip(tokens, reversed(tokens), strict=True)))
        return say("Reversed tokens {first} to {last}.", first=self.first, last=self.last)


class ShiftStopwatch(_Correction):
    action: Literal["shift-stopwatch"] = "shift-stopwatch"
    file: str
    seconds: int = Field(ge=-_LONGEST_S, le=_LONGEST_S)

    def on(self, board: Board) -> str:
        watch = board.file(self.file)
        if not isinstance(watch, StopwatchFile):
            raise InputRefused(say("{name} is not a stopwatch file, so it cannot be shifted.", name=watch.name))
        if not self.seconds:
            raise InputRefused(say("A shift by 0 seconds changes nothing."))
        _demand_times_of_files(board)
        shifted = [seconds + self.seconds for seconds in board.seconds_of(watch)]
        if min(shifted) < 0 or max(shifted) > _LONGEST_S:
            raise InputRefused(
                say("A shift by {seconds} s would give times below zero or beyond 99:59:59.", seconds=self.seconds)
            )
        board.shifts[self.file] = board.shifts.get(self.file, 0) + self.seconds
        board.gather_times()
        return say("Shifted {name} by {seconds:+} s.", name=watch.name, seconds=self.seconds)


class LeaveOffset(_Correction):
    """The stopwatches differ and are to stay as they are."""

    action: Literal["leave-offset"] = "leave-offset"

    def on(self, board: Board) -> str:
        if len(board.stopwatches()) != 2 or board.offset_left:
            raise InputRefused(say("There is no difference between two stopwatches to leave."))
        board.offset_left = True
        return say("Left the stopwatches as they are.")


class _Tick(_Correction):
    file: str
    line: int

    def tick(self, board: Board, counts: bool) -> int:
        watch = board.file(self.file)
        if len(board.sources) == 2 and self.file in board.sources:
            mine = (self.line, None) if self.file == board.sources[0] else (None, self.line)
            for index, time in enumerate(board.times):
                if (time.one, time.other) == mine:
                    if time.counts == counts:
                        raise InputRefused(
                            say("Line {line} of {name} is that way already.", line=self.line, name=watch.name)
                        )
                    board.times[index] = time._replace(counts=counts)
                    return time.seconds or 0
        raise InputRefused(say("Only a time that one of two stopwatches alone has can be ticked or unticked."))


class UntickTime(_Tick):
    """A time that one watch alone has does not count: all below move up."""

    action: Literal["untick-time"] = "untick-time"

    def on(self, board: Board) -> str:
        seconds = self.tick(board, counts=False)
        board.unticked.add((self.file, self.line))
        return say("Unticked {was}; later times moved up.", was=_time(seconds))


class TickTime(_Tick):
    """A time that was unticked counts again."""

    action: Literal["tick-time"] = "tick-time"

    def on(self, board: Board) -> str:
        seconds = self.tick(board, counts=True)
        board.unticked.remove((self.file, self.line))
        return say("Ticked {was} again; later times moved down.", was=_time(seconds))


class EditLine(_Correction):
    """A scanner's line, set aside or not, as it should read."""

    action: Literal["edit-line"] = "edit-line"
    file: str
    line: int
    text: str = Field(max_length=LONGEST_LINE)

    def on(self, board: Board) -> str:
        name = _demand_scanner(board, self.file).name
        try:
            athlete, token = scan(self.text)
        except Unreadable as reason:
            raise InputRefused(say("The line cannot be read like this: {reason}.", reason=reason)) from None
        place = (self.file, self.line)
        new = Scan(athlete, token, *place)
        if board.aside.pop(place, None) is not None:
            # keep the order of the file, which runs are found by
            at = next((i for i, old in enumerate(board.scans) if old.file and (old.file, old.line or 0) > place), None)
            board.scans.insert(len(board.scans) if at is None else at, new)
        else:
            at = _index_of_line(board, place)
            if board.scans[at] == new:
                raise InputRefused(say("Line {line} of {name} says that already.", line=self.line, name=name))
            board.scans[at] = new
        return say("Line {line} of {name} was edited.", line=self.line, name=name)


class DropLine(_Correction):
    """A line of a scanner, or of a table whose positions are not yet in order, counts no more."""

    action: Literal["drop-line"] = "drop-line"
    file: str
    line: int

    def on(self, board: Board) -> str:
        file = board.file(self.file)
        if isinstance(file, TableFile) and not board.regular():
            kept = [time for time in board.times if time.one != self.line]
            if len(kept) == len(board.times):
                raise InputRefused(say("{name} has no row in line {line} that counts.", name=file.name, line=self.line))
            board.times = kept
            board.scans = [scan for scan in board.scans if (scan.file, scan.line) != (self.file, self.line)]
            board.times_by_hand = True
            board.settle()
        elif board.aside.pop((self.file, self.line), None) is None:
            _demand_scanner(board, self.file)
            del board.scans[_index_of_line(board, (self.file, self.line))]
        return say("Line {line} of {name} was dropped.", line=self.line, name=file.name)


class DropFile(_Correction):
    action: Literal["drop-file"] = "drop-file"
    file: str

    def on(self, board: Board) -> str:
        file = board.file(self.file)
        if len(board.copies[self.file]) > 1:
            # the same content under another name: one copy goes, and the times stay
            return say("Left out {name}.", name=board.copies[self.file].pop())
        if not isinstance(file, ScannerFile):
            _demand_times_of_files(board)
        board.left_out.add(self.file)
        board.scans = [scan for scan in board.scans if scan.file != self.file]
        board.aside = {place: line for place, line in board.aside.items() if place[0] != self.file}
        if not board.times_by_hand:
            board.gather_times()
        return say("Left out {name}.", name=file.name)


class MoveAthletesUp(_Correction):
    """A run of lines whose tokens were scanned before the athletes: each line takes the next one's athlete."""

    action: Literal["move-athletes-up"] = "move-athletes-up"
    file: str
    first: int
    last: int

    def on(self, board: Board) -> str:
        name = _demand_scanner(board, self.file).name
        run = [
            index
            for index, scan in enumerate(board.scans)
            if scan.file == self.file and self.first <= (scan.line or 0) <= self.last
        ]
        if len(run) < 2 or board.scans[run[0]].athlete or board.scans[run[-1]].token:
            raise InputRefused(say("These lines do not begin with a token alone and end with an athlete alone."))
        for index, below in pairwise(run):
            board.scans[index] = board.scans[index]._replace(athlete=board.scans[below].athlete)
        del board.scans[run[-1]]
        return say(
            "Moved the athletes of lines {first} to {last} of {name} up by one line.",
            first=self.first,
            last=self.last,
            name=name,
        )


_Any = (
    EditTime
    | InsertTime
    | RemoveTime
    | InsertFinisher
    | RemoveFinisher
    | EditAthlete
    | EditToken
    | ChooseToken
    | ChooseAthlete
    | DropScans
    | DropTokensBeyond
    | InsertTokens
    | RemoveTokens
    | SwapTokens
    | ReverseTokens
    | ShiftStopwatch
    | LeaveOffset
    | UntickTime
    | TickTime
    | EditLine
    | DropLine
    | DropFile
    | MoveAthletesUp
)
Correction = Annotated[_Any, Field(discriminator="action")]
"""Everything that may be changed by hand."""

_BY_ACTION: dict[str, type[_Correction]] = {
    correction.model_fields["action"].default: correction for correction in get_args(_Any)
}

_CORRECTION: TypeAdapter[Correction] = TypeAdapter(Correction)


def correction_of(action: str, arguments: Mapping[str, Any]) -> Correction:
    """A correction from a fix or a form, whose values may all be text.

    :raises InputRefused: where there is no such action, or a field is missing or makes no sense."""
    try:
        return _CORRECTION.validate_python({**arguments, "action": action})
    except ValidationError as error:
        raise InputRefused(_words(error)) from None


def asked(fix: Fix) -> tuple[str, ...]:
    """The fields that a fix leaves to the person."""
    fields = _BY_ACTION[fix.action].model_fields
    return tuple(name for name, field in fields.items() if field.is_required() and name not in fix.arguments)


def _words(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return say("There is no such correction.")
    field = _field(str(first["loc"][-1]))
    bounds = first.get("ctx", {})
    match first["type"]:
        case "missing":
            return say("The {field} is missing.", field=field)
        case "value_error":
            return say("The {field}: {reason}.", field=field, reason=bounds["error"])
        case "extra_forbidden":
            return say("This correction has no {field}.", field=field)
        case "greater_than_equal":
            return say("The {field} is at least {least}.", field=field, least=bounds["ge"])
        case "less_than_equal":
            return say("The {field} is at most {most}.", field=field, most=bounds["le"])
        case "string_too_long":
            return say("The {field} has at most {most} characters.", field=field, most=bounds["max_length"])
        case "int_parsing" | "int_type":
            return say("The {field} is a whole number.", field=field)
        case _:
            return say("The {field} cannot be like this.", field=field)


def _field(name: str) -> str:
    words = {
        "time": say("time"),
        "athlete": say("athlete"),
        "token": say("token"),
        "position": say("position"),
        "count": say("count"),
        "first": say("first"),
        "last": say("last"),
        "other": say("other"),
        "line": say("line"),
        "text": say("text"),
        "file": say("file"),
        "seconds": say("seconds"),
    }
    return words.get(name, name)


def _who(*athletes: str | None) -> str:
    return say(" and ").join(filter(None, athletes)) or say("an Unknown")


def _time(seconds: int | None) -> str:
    return say("no time") if seconds is None else write_time(seconds)


def _range(first: int, last: int) -> range:
    if last < first:
        raise InputRefused(say("A range goes upward, and {last} is below {first}.", last=last, first=first))
    return range(first, last + 1)


def _demand_highest(board: Board, first: int) -> int:
    highest = board.highest()
    if first > highest:
        raise InputRefused(say("No token from {first} on was scanned.", first=first))
    return highest


def _demand_new(board: Board, athlete: str | None) -> None:
    if athlete is not None and (tokens := board.tokens_of(athlete)):
        places = ", ".join(map(str, sorted(tokens)))
        raise InputRefused(
            say("{athlete} is at position {places} already, and nobody finishes twice.", athlete=athlete, places=places)
        )


def _demand_scanned(board: Board, athlete: str) -> None:
    if all(scan.athlete != athlete for scan in board.scans):
        raise InputRefused(say("{athlete} was not scanned.", athlete=athlete))


def _demand_times_of_files(board: Board) -> None:
    if board.times_by_hand:
        raise InputRefused(
            say("Times were edited by hand, and this would join the files anew below them: undo those edits first.")
        )


def _demand_scanner(board: Board, digest: str) -> ScannerFile:
    file = board.file(digest)
    if not isinstance(file, ScannerFile):
        raise InputRefused(say("{name} is not a scanner file, so its lines cannot be edited singly.", name=file.name))
    return file


def _index_of_line(board: Board, line: Line) -> int:
    for index, scanned in enumerate(board.scans):
        if (scanned.file, scanned.line) == line:
            return index
    raise InputRefused(say("There is no scan in line {line} that counts.", line=line[1]))
