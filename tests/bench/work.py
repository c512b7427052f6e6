"""The work that everybody is given: the same sheets, in the same order, with the same ids."""

import gzip
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from resultsq.domain import sheet
from resultsq.domain.sheet import Finisher, Sheet
from resultsq.drill.files import field_size

EVENTS = tuple(f"event-{number:02}" for number in range(20))
_FIRST_DAY = date(1990, 1, 6)
_SUBMITTED_AT = datetime(2013, 12, 7, 10, 42, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Job:
    """One sheet to be published under one id, whoever does it."""

    id: str
    event: str
    date: str
    body: bytes
    finishers: tuple[Finisher, ...]

    @property
    def packed(self) -> bytes:
        """What travels."""
        return gzip.compress(self.body, 6, mtime=0)


def jobs(
    count: int,
    seed: int = 7,
    finishers: int | None = None,
    first: int = 0,
    *,
    events: Sequence[str] = EVENTS,
    first_day: date = _FIRST_DAY,
) -> list[Job]:
    """So many sheets of these events in turn, no two of one event and day, numbered from `first`. `finishers` None:
    as many as events have."""
    rng = random.Random(seed)
    made = []
    for number in range(first, first + count):
        rows = _rows(rng, finishers or field_size(rng))
        event = events[number % len(events)]
        day = first_day + timedelta(days=number // len(events))
        body = sheet.canonical_bytes(
            Sheet(event=event, date=day, submitted_by=event, submitted_at=_SUBMITTED_AT, finishers=rows)
        )
        made.append(Job(str(uuid.UUID(int=rng.getrandbits(128), version=4)), event, day.isoformat(), body, rows))
    return made


def _rows(rng: random.Random, count: int) -> tuple[Finisher, ...]:
    times = sorted(max(840, min(5_400, round(rng.gauss(1_800, 420)))) for _ in range(count))
    return tuple(
        Finisher(
            position=position,
            athlete=None if rng.random() < 1 / 12 else f"A{rng.randrange(1_000, 9_999_999)}",
            time=f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        )
        for position, seconds in enumerate(times, start=1)
    )


def write(path: Path, made: list[Job]) -> None:
    """For another process."""
    with path.open("w") as file:
        for job in made:
            file.write(json.dumps([job.id, job.event, job.date, job.body.decode()]) + "\n")


def read(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Id, event, date and body of each."""
    with path.open() as file:
        for line in file:
            submission, event, day, body = json.loads(line)
            yield submission, event, day, body
