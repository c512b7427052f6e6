"""What the tests of chains say about versions: their states, their places, and how a new one comes."""

from resultsq.domain.submission import State
from tests.support.nodes import StoreNode

FOREIGN = "c0ffee00-0000-4000-8000-000000000001"
"""A version that another node published."""


def states(node: StoreNode, *submissions: str) -> tuple[State, ...]:
    return tuple(node.state(one) for one in submissions)


def place(node: StoreNode, submission: str) -> tuple[str | None, bool]:
    """The version that it goes on top of, and whether it waits behind another."""
    row = node.row(submission)
    return row.base, row.blocked


def version(node: StoreNode, rows: int, after: str | None = None) -> str:
    """A version with so many finishers comes, as a correction of `after`; its id."""
    return node.accept(rows=rows, corrects=after).id
