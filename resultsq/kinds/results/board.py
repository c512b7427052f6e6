"""The board on which corrections play: times and scans with the lines they came from.

A board is made afresh from the files each time, and lives for one evaluation only; what is kept are the
files and the corrections (join.Work). Its order is that of the files' content, so that the same files give
the same board in whatever order they come.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from resultsq.domain.errors import InputRefused
from resultsq.domain.event_files import AsideLine, ReadFile, ScannerFile, StopwatchFile, TableFile
from resultsq.domain.words import say
from resultsq.kinds.results.merge import merge

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


class Board:
    """Times, scans and what was decided about them; corrections change it in place."""

    def __init__(self, files: Sequence[ReadFile]) -> None:
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
        self.scans: list[Scan] = [scan for digest in sorted(self.files) for scan in _scans_of(self.files[digest])]
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
            raise InputRefused(say("That file is not among the ones that count: it may have been left out already."))
        return self.files[digest]

    # times

    def gather_times(self) -> None:
        """Take the times from the files once more; those that were typed by hand go."""
        watches = self.stopwatches()[:2]
        tables = self.timing_tables()
        self.sources = tuple(file.digest for file in watches or tables[:1])
        if len(watches) == 2:
            self.times = self._merged(*watches)
        elif watches:
            [watch] = watches
            shift = self.shifts.get(watch.digest, 0)
            self.times = [Time(seconds + shift, line) for line, seconds in watch.rows]
        else:
            self.times = _times_of(tables[0]) if tables else []

    def seconds_of(self, watch: StopwatchFile) -> list[int]:
        """A stopwatch's times, shifted as somebody decided."""
        shift = self.shifts.get(watch.digest, 0)
        return [seconds + shift for _, seconds in watch.rows]

    def _merged(self, one: StopwatchFile, other: StopwatchFile) -> list[Time]:
        times = []
        for seconds, i, j in merge(self.seconds_of(one), self.seconds_of(other)):
            mine = None if i is None else one.rows[i].line
            theirs = None if j is None else other.rows[j].line
            if mine is None and theirs is not None:
                counts = (other.digest, theirs) not in self.unticked
            elif theirs is None and mine is not None:
                counts = (one.digest, mine) not in self.unticked
            else:
                counts = True
            times.append(Time(seconds, mine, theirs, counts))
        return times

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
            raise InputRefused(say("There is no position {position}: {those}.", position=position, those=self._range()))
        if len(found) > 1:
            raise InputRefused(
                say(
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
                say(
                    "The table's positions have holes or are there twice, so nothing can move up or down: "
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
        return say("they go from 1 to {count}", count=count) if count else say("no times have come yet")

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


def _times_of(table: TableFile) -> list[Time]:
    rows = sorted(table.rows, key=lambda row: row.position)
    regular = all(row.position == due for due, row in enumerate(rows, 1))
    return [Time(row.seconds, row.line, position=None if regular else row.position) for row in rows]
