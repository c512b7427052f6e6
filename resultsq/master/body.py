"""What the master keeps beside the body of a kind without versions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """Who registers, in one spelling, and with which number of which block; both None: the master gives a number."""

    person: str
    athlete: str | None
    block: str | None


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is as the contract has it, and its event; empty where it has none."""

    event: str
    registration: RegisteredPerson | None = None
