"""The board on which corrections play: times and scans with the lines they came from.

A board is made afresh from the files each time, and lives for one evaluation only; the store keeps the
files and the corrections (join.Work). Its order is that of the files' content, so that the same files give
the same board in whatever order they come.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import AsideLine, ReadFile, ScannerFile, StopwatchFile, TableFile
from resultsq.domain.i18n import gettext
from resultsq.kinds.results.merge import Press, merge, offset
from resultsq.kinds.results.plausible import Occasion, TimeReading
from resultsq.kinds.results.zones import day_there
from resultsq.readers.scanner import meant

Line = tuple[str, int]
"""A line of a file, by the file's digest."""


class Time(NamedTuple):
    """One finisher's time. `one` and `other` are its lines in the sources of times (Board.sources); with
    neither it was typed by hand. `position` is set only while a table's own positions have holes or are
    there twice; else the position is the place among the times that count."""

    seconds: int | None
    one: int | None = None
    other: int | None = None
    counts: bool = True
    position: int | None = None


class Scan(NamedTuple):
    """An athlete, a finish token, or both. Without a file, by its digest, it was typed by hand."""

    athlete: str | None
    token: int | None
    file: str | None = None
    line: int | None = None


ENOUGH_TIMES = 10
_AGREE = 0.8
"""Of the shorter watch's times so many have a partner in the longer, or the watches are not of one event."""


class StopwatchPair(NamedTuple):
    """How two stopwatches compare. `alone`: only this one counts until a person has decided; `ahead` is the constant by
    which the first is ahead; `apart`: they hardly agree, in `both` times only."""

    alone: StopwatchFile | None = None
    ahead: int = 0
    apart: bool = False
    both: int = 0
    union: int = 0


class JoinState:
    """Times, scans and the decisions about them; corrections change it in place."""

    def __init__(self, files: Sequence[ReadFile], occasion: Occasion) -> None:
        self.occasion = occasion
        self.as_given: set[str] = set()
        self.reading: TimeReading | None = None
        self.watches = StopwatchPair()
        self.files: dict[str, ReadFile] = {}
        self.copies: dict[str, list[str]] = defaultdict(list)
        for file in sorted(files, key=lambda file: (file.name, file.digest)):
            # the same content under another name is the same file
            self.files.setdefault(file.digest, file)
            self.copies[file.digest].append(file.name)
        self.left_out: set[str] = set()
        self.shifts: dict[str, int] = {}
        self.unticked: set[Line] = set()
        self.offset_left = False
        self.times_by_hand = False
        self.aside: dict[Line, AsideLine] = {
            (digest, line.line): line
            for digest, file in self.files.items()
            if isinstance(file, ScannerFile)
            for line in file.aside
        }
        self.left_days: dict[str, set[str]] = defaultdict(set)
        self.withheld: dict[str, set[int]] = {}
        self.scans: list[Scan] = [scan for digest in sorted(self.files) for scan in _scans_of(self.files[digest])]
        for digest in self.files:
            self.gather_days(digest)
        self.times: list[Time] = []
        self.sources: tuple[str, ...] = ()
        self.gather_times()

    # files

    def in_use(self) -> Iterable[ReadFile]:
        """The files that were not left out, each content once, by name."""
        return (file for digest, file in self.files.items() if digest not in self.left_out)

    def stopwatches(self) -> list[StopwatchFile]:
        return [file for file in self.in_use() if isinstance(file, StopwatchFile)]

    def timing_tables(self) -> list[TableFile]:
        """Tables whose times count, or that stand alone and so say which positions there are."""
        files = list(self.in_use())
        tables = [file for file in files if isinstance(file, TableFile)]
        timed = [table for table in tables if any(row.seconds is not None for row in table.rows)]
        return timed or (tables if len(files) == 1 else [])

    def file(self, digest: str) -> ReadFile:
        """:raises InputRefused: where there is no such file, or it was left out."""
        if digest not in self.files or digest in self.left_out:
            raise InputRefused(
                gettext("That file is not among the ones that count: it may have been left out already.")
            )
        return self.files[digest]

    # times

    def gather_times(self) -> None:
        """Take the times from the files once more; those that were typed by hand go."""
        watches = self.stopwatches()[:2]
        tables = self.timing_tables()
        self.watches = StopwatchPair()
        if len(watches) == 2:
            self.watches = self._compare(*watches)
            watches = [self.watches.alone] if self.watches.alone else watches
        self.sources = tuple(file.digest for file in watches or tables[:1])
        if len(watches) == 2:
            self.times = self._merged(*watches)
        elif watches:
            [watch] = watches
            self.times = [
                Time(seconds, row.line) for row, seconds in zip(watch.rows, self.seconds_of(watch), strict=True)
            ]
        else:
            self.times = self._times_of(tables[0]) if tables else []

    def _compare(self, one: StopwatchFile, other: StopwatchFile) -> "StopwatchPair":
        mine, theirs = self.seconds_of(one), self.seconds_of(other)
        found = 0 if mine == theirs else offset(mine, theirs)
        ahead = 0 if self.offset_left else found
        presses = list(merge(mine, theirs))
        both = sum(press.one is not None and press.other is not None for press in presses)
        fewer = min(len(mine), len(theirs))
        # neighbours seconds apart make chance partners: with a constant left open the pairs say nothing
        apart = not ahead and fewer >= ENOUGH_TIMES and (found != 0 or both < _AGREE * fewer)
        fuller = one if len(mine) >= len(theirs) else other
        alone = fuller if ahead or (apart and "watches-disagree" not in self.as_given) else None
        return StopwatchPair(alone, ahead, apart, both, len(presses))

    def seconds_of(self, watch: StopwatchFile) -> list[int]:
        """A stopwatch's times, read and shifted as decided."""
        shift = self.shifts.get(watch.digest, 0)
        return self._read([seconds + shift for _, seconds in watch.rows])

    def _read(self, times: list[int]) -> list[int]:
        return times if self.reading is None else self.reading.of(times, self.occasion.plausible)

    def given_seconds(self) -> list[int]:
        """The times that count, where they have any."""
        return [time.seconds for time in self.times if time.counts and time.seconds is not None]

    def _times_of(self, table: TableFile) -> list[Time]:
        rows = sorted(table.rows, key=lambda row: row.position)
        regular = all(row.position == due for due, row in enumerate(rows, 1))
        given = iter(self._read([row.seconds for row in rows if row.seconds is not None]))
        return [
            Time(None if row.seconds is None else next(given), row.line, position=None if regular else row.position)
            for row in rows
        ]

    def replace_table(self, table: TableFile) -> None:
        """One of a table's columns was decided: its rows are others now."""
        self.files[table.digest] = table
        at = next((index for index, scan in enumerate(self.scans) if scan.file == table.digest), len(self.scans))
        others = [scan for scan in self.scans if scan.file != table.digest]
        self.scans = [*others[:at], *_scans_of(table), *others[at:]]
        self.gather_times()

    def _merged(self, one: StopwatchFile, other: StopwatchFile) -> list[Time]:
        return [self._time_of(press, one, other) for press in merge(self.seconds_of(one), self.seconds_of(other))]

    def _time_of(self, press: Press, one: StopwatchFile, other: StopwatchFile) -> Time:
        mine = None if press.one is None else one.rows[press.one].line
        theirs = None if press.other is None else other.rows[press.other].line
        counts = True
        if mine is None and theirs is not None:
            counts = (other.digest, theirs) not in self.unticked
        elif theirs is None and mine is not None:
            counts = (one.digest, mine) not in self.unticked
        return Time(press.seconds, mine, theirs, counts)

    # days

    def gather_days(self, digest: str) -> None:
        """Take the scans of a scanner that holds several days once more: those of the days that count."""
        file = self.files[digest]
        if not isinstance(file, ScannerFile) or len(file.days) < 2:
            return
        gone = {line for day, lines in file.days for line in lines if not self.day_counts(file, day)}
        back = self.withheld.get(digest, set()) - gone
        kept = [scan for scan in self.scans if scan.file == digest and scan.line not in gone]
        kept += [scan for scan in _scans_of(file) if scan.line in back]
        at = next((index for index, scan in enumerate(self.scans) if scan.file == digest), len(self.scans))
        others = [scan for scan in self.scans if scan.file != digest]
        self.scans = [*others[:at], *sorted(kept, key=lambda scan: scan.line or 0), *others[at:]]
        self.withheld[digest] = gone

    def day_counts(self, file: ScannerFile, day: str) -> bool:
        """Whether the scans of that day count. Until a person decides, one day alone does: the chosen one, or
        the last."""
        left = self.left_days[file.digest]
        days = [one for one, _ in file.days if one not in left]
        if day in left:
            return False
        if len(days) == 1 or "scans-of-two-days" in self.as_given:
            return True
        chosen = [one for one in days if self.occasion.day in self.days_of(file, one)]
        return day == (self.occasion.day if self.occasion.day in days else (chosen or days)[-1])

    def days_of(self, file: ScannerFile, day: str) -> tuple[str, ...]:
        """What a day on the scanner's clock may be at the event: that day, or the one there if the clock is UTC's."""
        clock = dict(file.clocks).get(day)
        return (day,) if clock is None else (day, day_there(clock, self.occasion.zone))

    def open_days(self, file: ScannerFile) -> list[tuple[str, int]]:
        """The days of a scanner for which the right one is not chosen yet, each with its number of scans."""
        left = self.left_days[file.digest]
        days = [(day, len(lines)) for day, lines in file.days if day not in left]
        return days if len(days) > 1 and "scans-of-two-days" not in self.as_given else []

    def meant_lines(self, digest: str) -> list[tuple[int, str]]:
        """Lines of a scanner that were set aside and can be read in capitals or with an A, as they were meant."""
        return [
            (line, text)
            for (file, line), aside in self.aside.items()
            if file == digest and (text := meant(aside.text)) is not None
        ]

    def count(self) -> int:
        """How many times count."""
        return sum(time.counts for time in self.times)

    def regular(self) -> bool:
        """Whether positions run from 1 without holes."""
        return not self.times or self.times[0].position is None

    def positions_twice(self) -> set[int]:
        """The positions that a table gives to more than one row."""
        given = Counter(time.position for time in self.times if time.position is not None)
        return {position for position, count in given.items() if count > 1}

    def index_of(self, position: int) -> int:
        """Where the time of a position is.

        :raises InputRefused: where no time, or more than one, has that position."""
        at = 0
        found = []
        for index, time in enumerate(self.times):
            at = at + time.counts if time.position is None else time.position
            if time.counts and at == position:
                found.append(index)
        if not found:
            raise InputRefused(
                gettext("There is no position {position}: {those}.", position=position, those=self._range())
            )
        if len(found) > 1:
            raise InputRefused(
                gettext(
                    "Position {position} is there {count} times: leave out the wrong lines first.",
                    position=position,
                    count=len(found),
                )
            )
        return found[0]

    def room_at(self, position: int) -> int:
        """Where a new time has to go to have that position.

        :raises InputRefused: beyond the place behind the last."""
        if position == self.count() + 1:
            return len(self.times)
        return self.index_of(position)

    def demand_regular(self) -> None:
        """:raises InputRefused: while a table's positions have holes or are there twice."""
        if not self.regular():
            raise InputRefused(
                gettext(
                    "Some positions of the table are missing or there twice, so nothing can move up or down: "
                    "mend them first."
                )
            )

    def settle(self) -> None:
        """Once a table's positions have no holes any more, the place among the times is the position."""
        self.times.sort(key=lambda time: time.position or 0)
        if all(time.position == due for due, time in enumerate(self.times, 1)):
            self.times = [time._replace(position=None) for time in self.times]

    def _range(self) -> str:
        count = self.count()
        return gettext("they go from 1 to {count}", count=count) if count else gettext("no times have come yet")

    # scans

    def athletes(self) -> tuple[dict[int, str], dict[int, dict[str, None]]]:
        """The athlete of each token, and the athletes of each token that has more than one."""
        first: dict[int, str] = {}
        shared: dict[int, dict[str, None]] = {}
        for athlete, token, _, _ in self.scans:
            if token is None or athlete is None:
                continue
            if (known := first.setdefault(token, athlete)) != athlete:
                shared.setdefault(token, {known: None})[athlete] = None
        for token in shared:
            del first[token]
        return first, shared

    def athletes_of(self, token: int) -> list[str]:
        """The different athletes who were scanned with a token, in the order of the files."""
        return list(dict.fromkeys(scan.athlete for scan in self.scans if scan.token == token and scan.athlete))

    def tokens_of(self, athlete: str) -> set[int]:
        return {scan.token for scan in self.scans if scan.athlete == athlete and scan.token is not None}

    def renumber(self, tokens: Mapping[int, int]) -> None:
        """Give scans other tokens; those that the mapping does not name keep theirs.

        :raises InputRefused: while a table's positions have holes or are there twice."""
        self.demand_regular()
        self.scans = [
            scan if scan.token is None else scan._replace(token=tokens.get(scan.token, scan.token))
            for scan in self.scans
        ]

    def highest(self) -> int:
        """The highest token, 0 where there is none."""
        return max((scan.token for scan in self.scans if scan.token is not None), default=0)


def _scans_of(file: ReadFile) -> list[Scan]:
    digest = file.digest
    if isinstance(file, ScannerFile):
        return [Scan(athlete, token, digest, line) for line, athlete, token in file.rows]
    if isinstance(file, TableFile):
        return [
            Scan(athlete, position, digest, line) for line, position, _, athlete in file.rows if athlete is not None
        ]
    return []
