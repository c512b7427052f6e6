"""Submissions that another node handed to this one, which publishes them as its own."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.domain.outcome import Receipt
from resultsq.domain.submission import State
from resultsq.store.engine.tables import Custody, Event, NodeIdentity, SlipRow, Submission
from resultsq.store.outbox.bundles import BundledVersion, adopt
from resultsq.store.outbox.states import lock_chain


@dataclass(frozen=True, slots=True)
class Holder:
    """The node that hands a submission over: its token's number, and the names in its header Via."""

    token_id: int
    via: str


@dataclass(frozen=True, slots=True)
class HeldHere:
    """A submission as this node can tell another one about it. `received_at`: when it was stored here. `receipt`: the
    master's, which may carry another id where its rows were equal; None: there is none. `head`: the version that
    stands in the way of a conflict, and its revision."""

    id: str
    event: str
    state: State
    digest: str
    received_at: datetime
    receipt: Receipt | None
    head: str | None
    head_revision: int | None
    status: int | None
    detail: str
    reasons: tuple[dict[str, Any], ...]


def node_name(conn: Connection) -> str:
    """This node's own name among nodes; it is made when it is first asked for."""
    if (found := known_name(conn)) is not None:
        return found
    insert_ = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = {"id": 1, "name": f"node-{secrets.token_hex(6)}"}
    conn.execute(insert_(NodeIdentity).values(row).on_conflict_do_nothing())
    return conn.execute(select(NodeIdentity.name)).scalar_one()


def known_name(conn: Connection) -> str | None:
    """The same without making it."""
    return conn.execute(select(NodeIdentity.name)).scalar()


def take_custody(conn: Connection, now: datetime, version: BundledVersion, event_id: int, holder: Holder) -> bool:
    """Store another node's submission; False: it is here already. The caller commits, and only then says so.

    :raises KnownOtherwise: another sheet is here under this id"""
    # locked first, so that of two calls with the same id the second one finds what the first one stored
    lock_chain(conn, version.kind, event_id, version.subject or version.date)
    if not adopt(conn, now, version, event_id):
        return False
    seq = select(Submission.seq).where(Submission.id == version.id).scalar_subquery()
    values = {"token_id": holder.token_id, "via": holder.via, "received_at": now}
    conn.execute(insert(Custody).values(seq=seq, **values))
    return True


def held_here(conn: Connection, submission: str) -> HeldHere | None:
    """The submission of that id; None: it is not known here."""
    row = conn.execute(_HELD.where(Submission.id == submission)).first()
    if row is None:
        return None
    return HeldHere(
        row.id,
        row.slug,
        State(row.state),
        row.digest,
        row.accepted_at,
        _receipt(row),
        row.conflict_head,
        row.conflict_revision,
        row.status,
        row.detail or "",
        tuple(row.reasons or ()),
    )


_HELD = (
    select(
        Submission.id,
        Submission.kind,
        Submission.date,
        Submission.state,
        Submission.digest,
        Submission.accepted_at,
        Submission.published_as,
        Submission.revision,
        Submission.received_at,
        Submission.conflict_head,
        Submission.conflict_revision,
        Submission.status,
        Submission.detail,
        Submission.reasons,
        Event.slug,
        SlipRow.number,
    )
    .join(Event, Event.id == Submission.event_id)
    .join(SlipRow, SlipRow.seq == Submission.seq, isouter=True)
)


def _receipt(row: Any) -> Receipt | None:
    if row.state not in (State.PUBLISHED, State.CORRECTED):
        return None
    known = {"submission": row.published_as or row.id, "digest": row.digest, "received_at": row.received_at}
    if row.revision is None:
        number = {} if row.number is None else {"athlete": row.number}
        return Receipt(kind=row.kind, **known, **number)
    return Receipt(event=row.slug, date=row.date, revision=row.revision, **known)
