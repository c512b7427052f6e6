"""Short hands for event files in tests."""

from collections.abc import Iterable, Sequence

from resultsq.kinds.results.check import Report, report
from resultsq.readers.marks import write_time


def watch(times: Iterable[int], source: str = "junsd_stopwatch") -> bytes:
    """A Junsd file with these times, in seconds."""
    rows = [f"{number},01/01/2001 00:00:00,{write_time(seconds)}" for number, seconds in enumerate(times, start=1)]
    start = [f"STARTOFEVENT,01/01/2001 00:00:00,{source}", "0,01/01/2001 00:00:00"]
    return "\n".join([*start, *rows, "ENDOFEVENT,01/01/2001 01:59:59", ""]).encode()


def scans(*lines: str, clock: str = "14/03/2026 09:20:00") -> bytes:
    """A scanner file; each line is `athlete,token`."""
    return "".join(f"{line},{clock}\n" for line in lines).encode()


def pairs(tokens: Iterable[int], first: int = 1000) -> bytes:
    """A scanner file in which token n belongs to athlete A(first + n)."""
    return scans(*(f"A{first + token},P{token:04}" for token in tokens))


def checked(*contents: bytes) -> Report:
    """The report on these files, called file1, file2, …"""
    return report([(f"file{number}", content) for number, content in enumerate(contents, start=1)])


def codes(found: Report) -> list[str]:
    return [problem.code for problem in found.problems]


def athletes(found: Report) -> list[str | None]:
    return [row.athlete for row in found.finishers]


def times(found: Report) -> list[str | None]:
    return [row.time for row in found.finishers]


def clocks(seconds: Sequence[int]) -> list[str]:
    return [write_time(each) for each in seconds]
