"""What the master keeps beside the body of a kind without versions."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """Who registers, in one spelling, and with which number of which block; both None: the master gives a number."""

    person: str
    athlete: str | None
    block: str | None


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is as the contract has it, and its event; empty where it has none. `expires_at`: it is not taken
    after that; None: it is always taken."""

    event: str
    registration: RegisteredPerson | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """It came too late, and nothing was kept."""
