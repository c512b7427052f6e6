"""Short hands for event files in tests."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from resultsq.domain.errors import InputRefused
from resultsq.kinds.results.check import Report, report
from resultsq.kinds.results.corrections import correction_of
from resultsq.kinds.results.join import Joined, Work, apply, evaluate
from resultsq.kinds.results.plausible import Occasion
from resultsq.readers import read
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


def work(*contents: bytes, day: str = "") -> Work:
    """The files file1, file2, … as a team's work."""
    files = [read(f"file{number}", content) for number, content in enumerate(contents, start=1)]
    return Work.from_files(files, Occasion(day=day))


def file(of: Work, number: int) -> str:
    """The digest of the file that came as that number."""
    return of.files[number - 1].digest


def corrected(of: Work, action: str, **arguments: Any) -> Joined:
    """What comes of the work with this correction."""
    done = apply(of, correction_of(action, arguments), by="bushy")
    assert re.fullmatch(r".+\.", done.changes[-1].said), "each is recorded in a sentence"
    return evaluate(done)


def refusal(of: Work, action: str, **arguments: Any) -> str:
    """The words in which the correction is refused."""
    with pytest.raises(InputRefused) as refused:
        apply(of, correction_of(action, arguments), by="bushy")
    return str(refused.value)
