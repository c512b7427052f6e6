"""The one place where a submission's state changes, and the lock of its chain."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.domain.submission import State, may_move
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import MAIL, Chain, Submission

MAY_HAVE_LEFT = or_(Submission.in_doubt, Submission.destination != MAIL)
"""Whether an attempt whose end is lost leaves doubt. A mail's sender notes it before the content leaves."""


def move(conn: Connection, now: datetime, seqs: Sequence[int], to: State, **values: Any) -> None:
    """Change the state of rows that the caller holds. No lease outlives a move; only a waiting submission is held.

    :raises AssertionError: the table of moves does not allow it: a fault of ours, and nothing is committed"""
    came_from = [state for state in State if may_move(state, to)]
    if to is not State.QUEUED:
        values["hold_id"] = None
    moved = conn.execute(
        update(Submission)
        .where(Submission.seq.in_(seqs), Submission.state.in_(came_from))
        .values(state=to, state_at=now, lease=None, lease_owner=None, lease_until=None, **values)
    ).rowcount
    if moved != len(seqs):
        raise AssertionError(f"{len(seqs) - moved} submissions cannot become {to}")


def find(conn: Connection, where: Any, lock: bool = False) -> Row[Any] | None:
    """The submission's whole row; with `lock`, as it is when no worker is claiming or settling it any more."""
    query = select(Submission).where(where)
    return conn.execute(query.with_for_update() if lock else query).first()


def by_id(conn: Connection, submission: str, lock: bool = False) -> Row[Any] | None:
    """As `find`, by its id."""
    row: Row[Any] | None = (_BY_ID_LOCKED if lock else _BY_ID).first(conn, {"submission": submission})
    return row


_OF_ID = select(Submission).where(Submission.id == bindparam("submission"))
_BY_ID, _BY_ID_LOCKED = PreparedStatement(_OF_ID), PreparedStatement(_OF_ID.with_for_update())


def lock_chain(conn: Connection, kind: str, event_id: int, subject: str, first: str | None = None) -> Any:
    """The chain's row (id, head, versions), locked until the transaction ends. Where it is missing it is made, empty
    or with `first` as its only version."""
    key = {"kind": kind, "event_id": event_id, "date": subject, "head": first, "versions": 0 if first is None else 1}
    return _CHAIN[conn.dialect.name].one(conn, key)


def _made_or_locked(insert: Any) -> PreparedStatement:
    key = [Chain.kind, Chain.event_id, Chain.subject]
    # an update of nothing locks the row that is there, and returns it where DO NOTHING would return nothing
    return PreparedStatement(
        insert(Chain)
        .on_conflict_do_update(index_elements=key, set_={"versions": Chain.versions})
        .returning(Chain.id, Chain.head, Chain.versions)
    )


_CHAIN = {"postgresql": _made_or_locked(postgresql.insert), "sqlite": _made_or_locked(sqlite.insert)}


def lock_all(conn: Connection, *where: ColumnElement[bool]) -> None:
    """Lock the chains of these submissions and then the submissions, each in the order of their key: so no two that
    lock several wait for each other in a circle."""
    if conn.dialect.name == "postgresql":  # SQLite's writers take turns anyway
        conn.execute(chains_of(*where).with_for_update()).all()
        conn.execute(select(Submission.seq).where(*where).order_by(Submission.seq).with_for_update()).all()


def chains_of(*where: ColumnElement[bool]) -> Any:
    """The chains of these submissions, in the order of their key."""
    return select(Chain.id).where(Chain.id.in_(select(Submission.chain_id).where(*where))).order_by(Chain.id)


def lock_chain_of(conn: Connection, submission: str) -> Any:
    """The same row of the chain that the submission belongs to; None where there is no such submission."""
    return _CHAIN_OF.first(conn, {"submission": submission})


_CHAIN_OF = PreparedStatement(
    select(Chain.id, Chain.head, Chain.versions)
    .where(Chain.id == select(Submission.chain_id).where(Submission.id == bindparam("submission")).scalar_subquery())
    .with_for_update()
)
