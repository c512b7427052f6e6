"""What a node and its master did, as a history for the judge in tests/history."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from tests.history.check import Event

Promises = dict[str, tuple[str, str]]
"""The id of each submission that a team was promised → its chain, as `chain_of` names it, and its digest."""


def chain_of(event: str, date: str) -> str:
    """The chain of an event and date."""
    return f"{event} {date}"


def history(promised: Promises, commits: Sequence[Mapping[str, Any]], database: Database) -> Iterator[Event]:
    """A morning whose faults are over: what teams were promised, what the master committed, in its order, and how the
    node has it."""
    for op, (id_, (chain, digest)) in enumerate(promised.items()):
        yield {"kind": "invoke", "op": op, "what": "submit", "chain": chain, "digest": digest}
        yield {"kind": "ok", "op": op, "id": id_}
    for one in commits:
        yield {
            "kind": "commit",
            "id": one["submission"],
            "chain": chain_of(one["event"], one["date"]),
            "base": one["base"],
            "revision": one["revision"],
            "digest": one["digest"],
        }
    columns = (Submission.id, Submission.state, Submission.published_as, Submission.revision, Submission.digest)
    with database.read() as conn:
        rows = conn.execute(select(*columns)).all()
    for row in rows:
        if row.published_as == row.id:
            yield {"kind": "receipt", "id": row.id, "revision": row.revision, "digest": row.digest}
        yield {"kind": "state", "id": row.id, "state": str(row.state)}
    yield {"kind": "end", "settled": True}
