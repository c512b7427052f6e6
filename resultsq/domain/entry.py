"""An entry, ready to be accepted: the one value that a kind prepares and the store keeps."""

import uuid
from dataclasses import dataclass, field

from resultsq.domain.destinations import MASTER
from resultsq.domain.problem import Problem

NO_EVENT = 0
"""The id of the row that stands for no event."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as the team gave it."""

    name: str
    kind: str
    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Slip:
    """What stays of a personal submission when its body is deleted: whose it is, and the athlete number that was given;
    None: the master gives it."""

    name: str
    number: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A submission that can be accepted. `body` are the bytes that will travel; `rows_digest` is equal where two bodies
    say the same, no matter who sent them and when; `finishers` is how many its kind counts.

    Its kind gives all fields but those of the request: the id of `event` (`event_id`), the version that this one
    corrects (`if_match`), the client's Idempotency-Key (`client_key`), `files` and `request_id`.

    `subject`: of which its chain has the versions; None: its date, and its own id where there are none. `weight`: how
    many of its event and kind share a round of claims. `patience`: how many rounds later than others they begin.
    `destination`: where its kind goes.
    `problems` are warnings; none of them blocks. `slip`: its body is personal, so it is sealed here, and deleted when
    the master has it; None: it is not."""

    kind: str
    event_id: int
    date: str
    body: bytes
    digest: str
    rows_digest: str
    finishers: int
    submitted_by: str
    if_match: str | None = None
    client_key: str | None = None
    files: tuple[File, ...] = ()
    request_id: str = ""
    finishers_digest: str | None = None
    weight: int = 1
    patience: int = 0
    destination: str = MASTER
    subject: str | None = None
    event: str = ""
    problems: tuple[Problem, ...] = ()
    slip: Slip | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
