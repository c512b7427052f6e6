"""When this node is compared with the master, and what the last comparison found.

One is due after each outage, once an hour, and at once where the master says that it has less than it had, or where
one is asked for. The row is locked by the worker that takes it, so of several workers one compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from resultsq.domain.link import LinkState
from resultsq.domain.ports import Latest
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, State
from resultsq.store.engine.tables import MASTER, Comparison, Link, Outage, Submission
from resultsq.store.outbox import Reconciled
from resultsq.store.outbox.comparison import LISTED_AFTER, just_now
from resultsq.store.outbox.repairs import NOT_REACHED

EVERY = timedelta(hours=1)
AGAIN = timedelta(minutes=1)
"""How soon after one that could not be made the next is tried."""

REACH = timedelta(days=30)
"""How far back a comparison that comes by itself looks."""

NAMED = 3
"""So many of the newest receipts are looked for in a cheap comparison, at least."""

MOST = 2_000
"""Where more than these are new, a whole month is compared."""

_OURS = Submission.destination == MASTER
_ROW = select(Comparison).where(Comparison.link == MASTER)


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """What the last comparison found, for people. `whole` False: only the newest receipts were looked at; `error`: it
    could not be made."""

    compared_at: datetime
    whole: bool
    lost: int
    settled: int
    skipped: Mapping[str, int]
    error: str | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """How many versions there are of which only the master can say whether it has them, and how far back a comparison
    has to go for them."""

    count: int
    since: datetime


def note_latest(conn: Connection, now: datetime, latest: Latest | None) -> bool:
    """Write down what the master says that it has; whether it has less than it had."""
    if latest is None:
        return False
    row = conn.execute(_ROW.with_for_update()).first()
    values: dict[str, Any] = {"latest_at": latest.received_at, "latest_count": latest.count}
    if row is None:
        conn.execute(insert(Comparison).values(link=MASTER, lost=0, **values))
        return False
    if (row.latest_at, row.latest_count) == (latest.received_at, latest.count):
        return False
    less = row.latest_count is not None and latest.count < row.latest_count
    older = row.latest_at is not None and (latest.received_at is None or latest.received_at < row.latest_at)
    if less or older:
        values["rewound_at"] = now
    conn.execute(update(Comparison).where(Comparison.link == MASTER).values(**values))
    return less or older


def is_due(conn: Connection, now: datetime) -> bool:
    """Whether one is due; takes nothing."""
    if conn.execute(_STATE).scalar() != LinkState.UP:
        return False
    row = conn.execute(_ROW).first()
    if row is None or row.compared_at is None or row.rewound_at is not None or row.asked_since is not None:
        return row is None or row.compared_at is None or now - row.compared_at >= AGAIN or row.compared_at > now
    if (row.found or {}).get("again") and now - row.compared_at > LISTED_AFTER:
        return True
    if not now - EVERY < row.compared_at <= now:
        return True
    return conn.execute(_OUTAGE_SINCE, {"since": row.compared_at}).first() is not None


_STATE = select(Link.state).where(Link.name == MASTER)
_OUTAGE_SINCE = select(Outage.id).where(Outage.ended_at > bindparam("since"), Outage.link == MASTER).limit(1)


def take(conn: Connection, now: datetime) -> bool | None:
    """Become the one who compares; None: it is not due any more. True: the master has less than it had."""
    row = conn.execute(_ROW.with_for_update()).first()
    if not is_due(conn, now):
        return None
    if row is None:
        conn.execute(insert(Comparison).values(link=MASTER, lost=0, compared_at=now))
        return False
    conn.execute(update(Comparison).where(Comparison.link == MASTER).values(compared_at=now))
    return row.rewound_at is not None


def ask(conn: Connection, since: datetime) -> None:
    """Ask for a whole comparison that goes back at least to then. A worker makes it when the link is up."""
    row = conn.execute(_ROW.with_for_update()).first()
    if row is None:
        conn.execute(insert(Comparison).values(link=MASTER, lost=0, asked_since=since))
        return
    earliest = since if row.asked_since is None else min(since, row.asked_since)
    conn.execute(update(Comparison).where(Comparison.link == MASTER).values(asked_since=earliest))


def asked_since(conn: Connection) -> datetime | None:
    """How far back the comparison goes that somebody asked for; None: nobody did."""
    return conn.execute(_ROW.with_only_columns(Comparison.asked_since)).scalar()


def unanswered(conn: Connection) -> Unanswered | None:
    """What only the master knows, and was not asked about. Reads the whole table, as `doctor` may."""
    query = select(func.count(), func.min(Submission.accepted_at), func.min(Submission.received_at))
    count, *times = conn.execute(query.where(or_(_GIVEN_UP_IN_DOUBT, _UNDERCUT))).one()
    return Unanswered(count, min(one for one in times if one is not None)) if count else None


_THERE = (State.PUBLISHED, State.CORRECTED)
_GIVEN_UP_IN_DOUBT = and_(Submission.state.in_([*NEEDS_A_PERSON, *GONE]), Submission.in_doubt, _OURS)
_Older = aliased(Submission)
_OLDER_AGAIN = select(_Older.seq).where(
    _Older.chain_id == Submission.chain_id,
    _Older.version < Submission.version,
    _Older.state.in_(_THERE),
    _Older.published_at > Submission.published_at,
)
# 0.1.0 published lost versions again, except one that was there under another node's id
_UNDERCUT = and_(
    Submission.state.in_(_THERE), Submission.published_as != Submission.id, NOT_REACHED, _OLDER_AGAIN.exists()
)


def newest_names(conn: Connection, now: datetime, since: datetime) -> Sequence[str]:
    """The names under which the newest were published, and all those with a receipt of since then. Of these, one more
    than `MOST` at most."""
    published = and_(~just_now(now), Submission.published_as.is_not(None), _OURS)
    query = select(Submission.published_as).where(published).order_by(Submission.published_at.desc())
    # by an index: a receipt from since then was written here at most a day before
    lately = and_(Submission.received_at >= since, Submission.published_at >= since - timedelta(days=1))
    found = (*conn.execute(query.limit(NAMED)).scalars(), *conn.execute(query.where(lately).limit(MOST + 1)).scalars())
    return list(dict.fromkeys(name for name in found if name is not None))


def heard_until(conn: Connection) -> datetime | None:
    """Until when the last comparison knows what the master had committed; None: none did."""
    until = (conn.execute(_ROW.with_only_columns(Comparison.found)).scalar() or {}).get("until")
    return None if until is None else datetime.fromisoformat(until)


def anything_open(conn: Connection) -> bool:
    """Whether something waits for a comparison: a conflict with nothing, or a version given up before a restore."""
    headless = and_(Submission.state == State.CONFLICT, Submission.conflict_head.is_(None))
    given_up = and_(Submission.state.in_(NEEDS_A_PERSON), Submission.in_doubt, _OURS)
    return conn.execute(select(Submission.seq).where(or_(headless, given_up)).limit(1)).first() is not None


def record(
    conn: Connection,
    now: datetime,
    found: Reconciled,
    whole: bool,
    reached: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Keep the result. `reached`: it went back to then, and left nothing open; `until`: it knows what the master had
    committed by then. Where something was too new to be looked at, one more follows soon: one, or a node at which
    something is always new would ask each minute."""
    before = conn.execute(_ROW).first()
    is_second = before is not None and (before.found or {}).get("again", False)
    result: dict[str, Any] = {"whole": whole, "lost": found.lost, "settled": found.settled}
    result |= {"skipped": dict(found.skipped) if whole else {}, "until": until and until.isoformat()}
    values: dict[str, Any] = {"found": result | {"again": not is_second and _anything_new(conn, now)}}
    if whole:
        values["rewound_at"] = None
    if found.lost:
        values |= {"lost_at": now, "lost": found.lost}
    if before is not None and reached is not None:
        values["reached_since"] = min(reached, before.reached_since or reached)
        if before.asked_since is not None and reached <= before.asked_since:
            values["asked_since"] = None
    conn.execute(update(Comparison).where(Comparison.link == MASTER).values(**values))


def _anything_new(conn: Connection, now: datetime) -> bool:
    return conn.execute(select(Submission.seq).where(just_now(now)).limit(1)).first() is not None


def record_failure(conn: Connection, now: datetime, error: str) -> None:
    """It could not be made; it is tried again in a minute."""
    before = conn.execute(_ROW.with_only_columns(Comparison.found)).scalar() or {}
    later = {"found": {"error": error, "until": before.get("until")}, "compared_at": now - EVERY + AGAIN}
    conn.execute(update(Comparison).where(Comparison.link == MASTER).values(**later))


def last(conn: Connection) -> ComparisonView | None:
    """The last comparison; None before the first."""
    row = conn.execute(_ROW).first()
    if row is None or row.compared_at is None or row.found is None:
        return None
    found = row.found
    counts = (found.get("lost", 0), found.get("settled", 0), found.get("skipped", {}))
    return ComparisonView(row.compared_at, found.get("whole", False), *counts, found.get("error"))


def lost_lately(conn: Connection, now: datetime) -> int:
    """How many were found lost at the master within a day."""
    lately = _ROW.with_only_columns(Comparison.lost).where(Comparison.lost_at > now - timedelta(days=1))
    return conn.execute(lately).scalar() or 0
