"""Makes what an event team has in its hands on a Saturday: real-format files, and the rows they must become.

The files are made from the formats' description alone and share no code with the readers, so that a reader's mistake
is found and not repeated. Whatever is odd in them is odd in real ones: the stopwatch that counts from 0, seconds
without a leading zero, lone carriage returns, a missing last newline, pairs scanned twice, misreads.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from resultsq.domain.sheet import Finisher

_STAMP = "%d/%m/%Y %H:%M:%S"
_DUMMY_DAY = datetime(2001, 1, 1)  # noqa: DTZ001 - a stopwatch without a calendar has no time zone either


@dataclass(frozen=True, slots=True)
class Upload:
    """One event's files, in the order and under the names they are sent with, and what must be published."""

    event: str
    date: date
    files: tuple[tuple[str, bytes], ...]
    finishers: tuple[Finisher, ...]


def upload(rng: random.Random, event: str, day: date, finishers: int | None = None) -> Upload:
    """The files of one event on one day. `finishers` None: as many as an event has, 4 to 1,000."""
    count = finishers or field_size(rng)
    return _written_down(rng, event, day, _elapsed(rng, count), _athletes(rng, count))


def correction(rng: random.Random, first: Upload) -> Upload:
    """What the same team sends when it has found out who one of its finishers was: all its files anew."""
    elapsed = [_seconds(row.time or "") for row in first.finishers]
    athletes = [row.athlete for row in first.finishers]
    unknown = [place for place, athlete in enumerate(athletes) if athlete is None]
    found = f"A{rng.randrange(10_000_000, 99_999_999)}"  # longer than all others, so that it is new
    athletes[rng.choice(unknown or range(len(athletes)))] = found
    return _written_down(rng, first.event, first.date, elapsed, athletes)


def _written_down(rng: random.Random, event: str, day: date, elapsed: list[int], athletes: list[str | None]) -> Upload:
    stopwatch = rng.choice(STOPWATCHES)
    rows = tuple(
        Finisher(position=position, athlete=athlete, time=_clock(seconds))
        for position, (seconds, athlete) in enumerate(zip(elapsed, athletes, strict=True), start=1)
    )
    return Upload(event, day, (stopwatch(rng, day, elapsed), *_scanners(rng, day, elapsed, athletes)), rows)


def field_size(rng: random.Random) -> int:
    """How many finish: a mean of about 137, a long tail, 4 to 1,000."""
    return min(1000, max(4, round(rng.lognormvariate(4.6, 0.8))))


def _elapsed(rng: random.Random, count: int) -> list[int]:
    """Whole seconds, never falling; equal neighbours and more than an hour occur."""
    mean, spread = 1800.0, 420.0
    return sorted(max(840, min(5_400, round(rng.gauss(mean, spread)))) for _ in range(count))


def _athletes(rng: random.Random, count: int) -> list[str | None]:
    """A different athlete at each position; about one in twelve is not scanned and stays Unknown."""
    ids = rng.sample(range(1_000, 9_999_999), count)
    return [None if rng.random() < 1 / 12 else f"A{number}" for number in ids]


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _seconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def _unpadded(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60}"


# stopwatches


def junsd(rng: random.Random, _day: date, elapsed: list[int]) -> tuple[str, bytes]:
    """A Junsd: row 0 is the start and has two fields, its calendar stands in 2001, its line ends vary."""
    start = _DUMMY_DAY + timedelta(seconds=rng.randrange(40_000))
    write = rng.choice((_clock, _unpadded))
    lines = [f"STARTOFEVENT,{start:{_STAMP}},junsd_stopwatch", f"0,{start:{_STAMP}}"]
    taps = [0, *elapsed] if rng.random() < 0.1 else elapsed  # a double tap at the start is no finisher
    lines += [f"{row},{_at(start, seconds)},{write(seconds)}" for row, seconds in enumerate(taps, start=1)]
    lines.append(f"ENDOFEVENT,{_at(start, elapsed[-1] + 60)}")
    return "stopwatch.csv", _written(rng, lines, rng.choice(("\n", "\r\n", "\r")))


def android(rng: random.Random, day: date, elapsed: list[int]) -> tuple[str, bytes]:
    """Virtual Volunteer on Android: row 0 has three fields and is the winner; the head bears the winner's clock."""
    start = _nine_o_clock(rng, day)
    lines = [f"STARTOFEVENT,{_at(start, elapsed[0])},virtual_volunteer"]
    lines += [f"{row},{_at(start, seconds)},{_clock(seconds)}" for row, seconds in enumerate(elapsed)]
    lines.append(
        f"ENDOFEVENT,{_at(start, elapsed[-1] + rng.randrange(3 * 86_400))}"
    )  # days late, when it was sent late
    return "times.csv", _written(rng, lines, "\n")


def ios(rng: random.Random, day: date, elapsed: list[int]) -> tuple[str, bytes]:
    """Virtual Volunteer on iOS: row 0 is the start, and a space comes before each elapsed time."""
    start = _nine_o_clock(rng, day)
    lines = [f"STARTOFEVENT,{start:{_STAMP}},virtual_volunteer_ios", f"0,{start:{_STAMP}}"]
    lines += [f"{row},{_at(start, seconds)}, {_clock(seconds)}" for row, seconds in enumerate(elapsed, start=1)]
    lines.append(f"ENDOFEVENT,{_at(start, elapsed[-1] + 60)}")
    return "timer.csv", _written(rng, lines, "\n")


Stopwatch = Callable[[random.Random, date, list[int]], tuple[str, bytes]]
STOPWATCHES: tuple[Stopwatch, ...] = (junsd, android, ios)


# scanners


def _scanners(rng: random.Random, day: date, elapsed: list[int], athletes: list[str | None]) -> list[tuple[str, bytes]]:
    """One or two scanner files: the queue splits, a few swap places in it, a few are scanned twice."""
    start = _nine_o_clock(rng, day)
    count = 1 if len(elapsed) < 40 else 2
    queues: list[list[tuple[int, str]]] = [[] for _ in range(count)]
    for position, (seconds, athlete) in enumerate(zip(elapsed, athletes, strict=True), start=1):
        if athlete is not None:
            clock = _at(start, seconds + rng.randrange(20, 240))
            scan = (seconds + rng.randrange(90), f"{athlete},{_token(rng, position)},{clock}")
            rng.choice(queues).append(scan)
            if rng.random() < 0.03:
                rng.choice(queues).append(scan)
    files = []
    for number, queue in enumerate(queues, start=1):
        lines = [line for _, line in sorted(queue)]
        if rng.random() < 0.2:
            lines.insert(rng.randrange(len(lines) + 1), f"&d{rng.randrange(1000):03},{_at(start, elapsed[0])}")
        if rng.random() < 0.5 or not lines:
            lines.insert(0, f"Start of File,{start:{_STAMP}},virtual_volunteer_scanner")
        files.append((f"scanner-{number}.csv", _written(rng, lines, rng.choice(("\n", "\r\n")))))
    # A queue without a scan leaves no file behind.
    return [file for file, queue in zip(files, queues, strict=True) if queue]


def _token(rng: random.Random, position: int) -> str:
    return rng.choice((f"P{position:04}", f"P{position}", f"P{position:05}"))


def _nine_o_clock(rng: random.Random, day: date) -> datetime:
    return datetime.combine(day, time(9)) + timedelta(seconds=rng.randrange(90))


def _at(start: datetime, seconds: int) -> str:
    return f"{start + timedelta(seconds=seconds):{_STAMP}}"


def _written(rng: random.Random, lines: list[str], end: str) -> bytes:
    return (end.join(lines) + (end if rng.random() < 0.7 else "")).encode()
