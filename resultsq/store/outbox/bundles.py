"""Submissions that leave in a bundle, and those that come in one.

An exported submission stays in the queue. It may reach the master by the link and by the bundle; its id makes the
second a repetition."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, select, true, update

from resultsq.domain.entry import Slip
from resultsq.domain.errors import KnownOtherwise
from resultsq.domain.i18n import gettext
from resultsq.domain.sheet import finishers_digest
from resultsq.domain.submission import NEEDS_A_PERSON, WAITING, State
from resultsq.store.engine.personal import opened
from resultsq.store.engine.tables import MASTER, Attempt, Chain, Event, Payload, Submission
from resultsq.store.engine.whole import is_whole
from resultsq.store.outbox.aside import DAMAGED, put_aside
from resultsq.store.outbox.chains import give_up_place, place_on, waits
from resultsq.store.outbox.rounds import lane_of, place_in_order
from resultsq.store.outbox.slips import keep_body
from resultsq.store.outbox.states import by_id, find, lock_chain

EXPORTED = "exported"
_BESIDE = 2048
"""More bytes than are ever written beside a sheet in a bundle."""


@dataclass(frozen=True, slots=True)
class BundledVersion:
    """A submission as it travels in a bundle: everything that another node needs to go on with it. `subject` is that
    of its chain, and `slip` that of a personal one, which its kind reads from the body; None: its date, and none."""

    id: str
    kind: str
    event: str
    date: str
    base: str | None
    digest: str
    rows_digest: str
    finishers: int
    submitted_by: str
    accepted_at: datetime
    body: bytes
    subject: str | None = None
    slip: Slip | None = None


def export(
    conn: Connection,
    now: datetime,
    states: Iterable[State],
    transport: str,
    after: int = 0,
    most: int = 500,
    room: int | None = None,
    kinds: Collection[str] = (),
) -> tuple[list[BundledVersion], int]:
    """The next of the waiting submissions behind the seq `after`, in order, and the last one's seq. Each gets an
    attempt with an unknown end, because the bundle may reach the master. A submission that does not fit into `room`
    bytes is left as it is. `kinds`: of these alone; none: of all."""
    found = conn.execute(
        select(Submission, Event.slug, Payload.body)
        .join(Event, Event.id == Submission.event_id)
        .join(Payload, Payload.seq == Submission.seq)
        .where(_carried(states, kinds), Submission.seq > after)
        .order_by(Submission.seq)
        .limit(most)
        .with_for_update(of=Submission)  # as it is once no other transaction withdraws, supersedes or settles it
    ).all()
    spoiled = {row.seq: row.state for row in found if not is_whole(opened(conn, row.body, row.id), row.digest)}
    put_aside(conn, now, [seq for seq, state in spoiled.items() if state in WAITING], DAMAGED)
    rows = _that_fit([row for row in found if row.seq not in spoiled], room)
    _note_export(conn, now, rows, transport)
    return [_version(conn, row) for row in rows], rows[-1].seq if rows else after


def _note_export(conn: Connection, now: datetime, rows: Sequence[Any], transport: str) -> None:
    """Write the attempts, and that the submissions are in doubt."""
    if not rows:
        return
    attempt = {
        "worker": transport,
        "started_at": now,
        "ended_at": now,
        "duration_s": 0.0,
        "outcome": "unknown",
        "cause": EXPORTED,
        "fingerprint": EXPORTED,
        "detail": "Written into a bundle; the next attempt asks the master whether the bundle arrived.",
    }
    conn.execute(
        insert(Attempt),
        [{**attempt, "seq": row.seq, "number": row.attempts + 1, "lease": str(uuid.uuid4())} for row in rows],
    )
    conn.execute(
        update(Submission)
        .where(Submission.seq.in_([row.seq for row in rows]))
        .values(in_doubt=True, attempts=Submission.attempts + 1)
    )


def _version(conn: Connection, row: Any) -> BundledVersion:
    return BundledVersion(
        row.id,
        row.kind,
        row.slug,
        row.date,
        row.base,
        row.digest,
        row.rows_digest,
        row.finishers,
        row.submitted_by,
        row.accepted_at,
        opened(conn, row.body, row.id),
    )


def bundled_size(sheet: int) -> int:
    """No fewer bytes than a sheet of this size takes in a bundle, where it is in base64."""
    return sheet * 4 // 3 + _BESIDE


def _that_fit(rows: Sequence[Any], room: int | None) -> Sequence[Any]:
    if room is None:
        return rows
    filled = accumulate(bundled_size(len(row.body)) for row in rows)
    return rows[: sum(size <= room for size in filled)]


def waits_behind(conn: Connection, states: Iterable[State], after: int, kinds: Collection[str] = ()) -> bool:
    """Whether a submission waits behind this seq that `export` would take."""
    behind = select(Submission.seq).join(Payload, Payload.seq == Submission.seq).order_by(Submission.seq).limit(1)
    return conn.execute(behind.where(_carried(states, kinds), Submission.seq > after)).first() is not None


def _carried(states: Iterable[State], kinds: Collection[str]) -> ColumnElement[bool]:
    """What a bundle carries of these states: it is for the master, which does not have it."""
    for_master = and_(Submission.destination == MASTER, Submission.published_at.is_(None))
    chosen = Submission.kind.in_(kinds) if kinds else true()
    return and_(Submission.state.in_(list(states)), for_master, chosen)


def adopt(conn: Connection, now: datetime, parted: BundledVersion, event_id: int) -> bool:
    """Take in another node's submission under its own id; False: it is here already. It is in doubt from the
    start, for the other node may have sent it.

    :raises KnownOtherwise: another sheet is here under this id; nothing changed

    It goes on top of what its own base names, and of nothing else that is here: a version that is being sent goes
    first, and where the master then has another version than the base, a person decides."""
    if (known := by_id(conn, parted.id)) is not None:
        if known.digest != parted.digest:
            raise KnownOtherwise(
                gettext(
                    "{id} of {event} is here already with another sheet. It was not taken.",
                    id=parted.id,
                    event=parted.event,
                )
            )
        return False
    chain = lock_chain(conn, parted.kind, event_id, parted.subject or parted.date)
    below = and_(Submission.chain_id == chain.id, Submission.id == parted.base)
    corrected = find(conn, below, lock=True) if parted.base is not None else None
    if corrected is not None and corrected.state in NEEDS_A_PERSON:
        give_up_place(conn, now, corrected)
    place, lane = place_on(conn, chain.id, parted.base), lane_of(event_id, parted.kind)
    seq = conn.execute(
        insert(Submission).values(place_in_order(lane, 0, MASTER)).returning(Submission.seq),
        {
            "id": parted.id,
            "kind": parted.kind,
            "lane": lane,
            "chain_id": chain.id,
            "event_id": event_id,
            "date": parted.date,
            "version": chain.versions + 1,
            "state": State.QUEUED,
            "state_at": now,
            "digest": parted.digest,
            "rows_digest": parted.rows_digest,
            "finishers_digest": finishers_digest(parted.body, parted.finishers),
            "size": len(parted.body),
            "finishers": parted.finishers,
            "submitted_by": parted.submitted_by,
            "personal": parted.slip is not None,
            "accepted_at": now,
            "base": place.base,
            "blocked": place.blocked or waits(conn, chain.id),
            "corrects": parted.base,
            "in_doubt": True,
        },
    ).scalar_one()
    keep_body(conn, seq, parted.id, parted.body, parted.slip)
    conn.execute(update(Chain).where(Chain.id == chain.id).values(head=parted.id, versions=chain.versions + 1))
    return True
