"""A submission's states and the only moves between them. A hold is not a state: it is a row that is asked
at every claim."""

from enum import StrEnum


class State(StrEnum):
    """Where a submission is on its way to the master."""

    QUEUED = "queued"  # safe here; it publishes by itself
    SENDING = "sending"  # a sender holds a lease on it
    PUBLISHED = "published"  # the master has it and gave a receipt
    CORRECTED = "corrected"  # published, and a later version was published on top of it
    REJECTED = "rejected"  # the master will never take it like this; waits for a correction
    CONFLICT = "conflict"  # another sheet is published there; a person decides
    SUPERSEDED = "superseded"  # a newer version took its place before it was published
    WITHDRAWN = "withdrawn"  # taken back by the team; the master never had it


MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENDING, State.SUPERSEDED, State.WITHDRAWN}),
    State.SENDING: frozenset({State.PUBLISHED, State.QUEUED, State.REJECTED, State.CONFLICT}),
    # back to the queue only where a reconciliation finds that the master has lost a version with a receipt
    State.PUBLISHED: frozenset({State.CORRECTED, State.QUEUED}),
    State.CORRECTED: frozenset({State.QUEUED}),
    State.REJECTED: frozenset({State.QUEUED, State.SUPERSEDED, State.WITHDRAWN}),
    State.CONFLICT: frozenset({State.QUEUED, State.SUPERSEDED, State.WITHDRAWN}),
    State.SUPERSEDED: frozenset(),
    # the undo of a withdrawal, while nothing has taken its place
    State.WITHDRAWN: frozenset({State.QUEUED, State.REJECTED, State.CONFLICT}),
}

WAITING = frozenset({State.QUEUED, State.SENDING})
"""Accepted and on their way: what an operator means by "how many wait"."""

NEEDS_A_PERSON = frozenset({State.REJECTED, State.CONFLICT})
"""What no amount of waiting heals."""

GONE = frozenset({State.SUPERSEDED, State.WITHDRAWN})
"""Never to be published under their own id."""


def may_move(old: State, new: State) -> bool:
    """Whether the table allows the move."""
    return new in MOVES[old]
