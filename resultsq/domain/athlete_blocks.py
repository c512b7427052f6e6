"""Blocks of athlete numbers that a node leases from the master in advance, to register runners while it is away."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LeasedBlock:
    """Numbers from `first` to `last`, both included, which nobody else gives until `expires_at`."""

    name: str
    first: int
    last: int
    expires_at: datetime


class NoBlocks:
    """This master leases no numbers: one of version 1 of the contract."""
