"""Submissions that the master has: their receipts are kept, and older versions are corrected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, or_, select, update
from sqlalchemy.orm import aliased

from resultsq.domain.outcome import Head, Receipt
from resultsq.domain.submission import GONE, State
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import slips
from resultsq.store.outbox.chains import follow_on, set_head


@dataclass(frozen=True, slots=True)
class HeldByMaster:
    """A submission that the master has: its row, under which id and since when, and the status that its receipt came
    with where it came by an attempt. `accompanied`: another version may wait for it."""

    row: Row[Any]
    head: Head
    received_at: datetime
    status: int | None = None
    accompanied: bool = True


def received(row: Row[Any], receipt: Receipt, status: int | None = None, accompanied: bool = True) -> HeldByMaster:
    return HeldByMaster(row, receipt, receipt.received_at, status, accompanied)


def publish(conn: Connection, now: datetime, receipts: Sequence[HeldByMaster]) -> None:
    """The master has these. Their corrections may go, and the versions before them are corrected."""
    if not receipts:
        return
    conn.execute(
        _RECEIVED,
        [
            {
                "_seq": one.row.seq,
                "_now": now,
                "_as": one.head.submission,
                "_revision": one.head.revision or None,
                "_received_at": one.received_at,
                "_status": one.status,
            }
            for one in receipts
        ],
    )
    if personal := [one for one in receipts if one.row.personal]:
        slips.delivered(conn, [(one.row.seq, getattr(one.head, "athlete", "")) for one in personal])
    corrected = [
        {
            "_chain": one.row.chain_id,
            "_seq": one.row.seq,
            "_version": one.row.version,
            "_revision": one.head.revision,
            "_now": now,
        }
        for one in receipts
        if one.accompanied
    ]
    if corrected:
        conn.execute(_CORRECTED, corrected)
    for one in receipts:
        if one.accompanied:
            _follow(conn, now, one)


def publish_by_receipt(conn: Connection, now: datetime, receipts: Sequence[tuple[Row[Any], Receipt]]) -> None:
    """The master's own list says that it has these, which wait here."""
    publish(conn, now, [received(row, receipt) for row, receipt in receipts])


def _follow(conn: Connection, now: datetime, one: HeldByMaster) -> None:
    conn.execute(_CORRECTED_SINCE, {"_seq": one.row.seq, "_now": now})
    if one.row.state in GONE:  # it stands again, whatever was decided here
        set_head(conn, one.row.chain_id)
    follow_on(conn, one.row.chain_id)


_RECEIVED = (
    update(Submission)
    .where(
        Submission.seq == bindparam("_seq"),
        # whatever became of it here meanwhile: the master has it (an IN cannot be run many at once)
        and_(Submission.state != State.PUBLISHED, Submission.state != State.CORRECTED),
    )
    .values(
        state=State.PUBLISHED,
        state_at=bindparam("_now"),
        lease=None,
        lease_owner=None,
        lease_until=None,
        hold_id=None,
        in_doubt=False,
        failures=0,
        cause=None,
        detail=None,
        fingerprint=None,
        status=bindparam("_status"),
        published_as=bindparam("_as"),
        revision=bindparam("_revision"),
        received_at=bindparam("_received_at"),
        published_at=bindparam("_now"),
    )
)
_CORRECTED = (
    update(Submission)
    .where(
        Submission.chain_id == bindparam("_chain"),
        Submission.seq != bindparam("_seq"),
        # not by its base alone: another node's version in between is corrected too, and so are all before that
        or_(Submission.version < bindparam("_version"), Submission.revision < bindparam("_revision")),
        Submission.state == State.PUBLISHED,
    )
    .values(state=State.CORRECTED, state_at=bindparam("_now"))
)
_Above = aliased(Submission)
_CORRECTED_SINCE = (  # a receipt that comes late
    update(Submission)
    .where(
        Submission.seq == bindparam("_seq"),
        Submission.state == State.PUBLISHED,
        select(_Above.seq)
        .where(_Above.chain_id == Submission.chain_id, _Above.state == State.PUBLISHED)
        .where(_Above.revision > Submission.revision)
        .exists(),
    )
    .values(state=State.CORRECTED, state_at=bindparam("_now"))
)
