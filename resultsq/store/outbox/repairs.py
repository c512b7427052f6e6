"""Rows that an older version, or a fault, left as they must not be: how each kind is found, and how it is mended.

A repair never guesses what a person decides, removes nothing and publishes nothing: it lets waiting submissions go
on. It may be run at any time, beside workers, and again: it looks at each row anew once it holds the lock of its
chain."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update
from sqlalchemy.orm import aliased

from resultsq.clock import Clock
from resultsq.domain.i18n import gettext, ngettext, ngettext_noop
from resultsq.domain.outcome import Cause, Receipt
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State
from resultsq.store import outbox
from resultsq.store.engine import audit
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MASTER, Action, Attempt, Chain, Comparison, Hold, Payload, Submission
from resultsq.store.outbox.aside import NO_SHEET
from resultsq.store.outbox.states import move

MOST = 1_000
"""No more than these are counted, and mended in one transaction."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One kind of damage, and its sentence for one row and for several. `found` is true of the rows that have it.
    `mend` is called with some of them, whose chains are locked, and does nothing to a row that no longer has it.
    `watched`: the search costs little however many wait, so an alert tells of it; the others only `doctor` looks
    for. `stops`: something is not published, or not seen, because of it."""

    name: str
    sentences: tuple[str, str]
    found: ColumnElement[bool]
    mend: Callable[[Connection, datetime, Sequence[Any]], object]
    watched: bool = False
    stops: bool = True

    def sentence(self, count: int) -> str:
        """The fault of so many rows, as a sentence."""
        said = ngettext(*self.sentences, count)
        return said if count < MOST else " ".join((said, gettext("There may be more.")))


def found(conn: Connection, repair: Repair, most: int = MOST) -> Sequence[Any]:
    """The first rows that have this damage: their seq, id and chain_id."""
    columns = (Submission.seq, Submission.id, Submission.chain_id)
    return conn.execute(select(*columns).where(repair.found).order_by(Submission.seq).limit(most)).all()


def damaged(conn: Connection, watched: bool = False) -> Iterator[tuple[Repair, int]]:
    """Each kind that there is, and how many rows have it; only of those that are watched, where asked so."""
    for repair in REPAIRS:
        if (repair.watched or not watched) and (rows := found(conn, repair)):
            yield repair, len(rows)


def mend(database: Database, clock: Clock, who: str) -> Iterator[tuple[Repair, int]]:
    """Mend what there is, and write it into the audit: each kind, and how many rows of it."""
    for repair in REPAIRS:
        count = 0
        while done := database.write(partial(mend_some, now=clock.now(), who=who, repair=repair)):
            count += done
        if count:
            yield repair, count


def mend_some(conn: Connection, now: datetime, who: str, repair: Repair) -> int:
    """Mend some of the rows that have this damage; how many."""
    seen = [row.seq for row in found(conn, repair)]
    outbox.lock_all(conn, Submission.seq.in_(seen))
    rows = [row for row in found(conn, repair) if row.seq in set(seen)]
    repair.mend(conn, now, rows)
    still = {row.seq for row in found(conn, repair)}
    mended = [row for row in rows if row.seq not in still]
    if mended:
        target = {"repair": repair.name, "ids": [row.id for row in mended]}
        line = audit.note(conn, now, who, "mend", target, len(mended), "")
        audit.name(conn, line, Submission.seq.in_([row.seq for row in mended]))
    return len(mended)


_Other = aliased(Submission)
_THERE = (State.PUBLISHED, State.CORRECTED)


def _another(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the chain has another version of which this is true."""
    other = select(_Other.seq).where(_Other.chain_id == Submission.chain_id, _Other.seq != Submission.seq, *where)
    return other.exists()


_QUEUED = Submission.state == State.QUEUED
_FREE = and_(_QUEUED, Submission.blocked.is_(False))
_ON_ITS_WAY = and_(_Other.state.in_(WAITING), _Other.blocked.is_(False))
_SOONER = or_(_Other.state == State.SENDING, _Other.version < Submission.version)
_LIVING = Submission.state.not_in(GONE)
_HEAD = select(Chain.head).where(Chain.id == Submission.chain_id).scalar_subquery()
_NEWEST = ~_another(_Other.version > Submission.version, _Other.state.not_in(GONE))


def _let_the_next_go(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    for chain in sorted({row.chain_id for row in rows}):
        outbox.follow_on(conn, chain)


def _let_wait(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    # a worker may have taken one of them meanwhile: that one is left alone, and its chain is found again
    these = Submission.seq.in_([row.seq for row in rows])
    conn.execute(update(Submission).where(these, _QUEUED).values(blocked=True))


def _set_heads(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    for chain in sorted({row.chain_id for row in rows}):
        outbox.set_head(conn, chain)


def _name_bases(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    for row in rows:
        base = conn.execute(select(Submission.base).where(Submission.seq == row.seq)).scalar_one()
        place = outbox.place_on(conn, row.chain_id, base)
        conn.execute(update(Submission).where(Submission.seq == row.seq, _QUEUED).values(base=place.base))


def _put_aside(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    outbox.put_aside(conn, now, [row.seq for row in rows], NO_SHEET)


def _let_go(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    these = Submission.seq.in_([row.seq for row in rows])
    conn.execute(update(Submission).where(these, _OF_A_RELEASED_HOLD).values(hold_id=None))


def _take_off_receipts(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    these = Submission.seq.in_([row.seq for row in rows])
    lost = {"published_as": None, "published_at": None, "received_at": None, "revision": None}
    conn.execute(update(Submission).where(these, _QUEUED).values(**lost))


def _put_below(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    """The newer version stays on top. What the master once had is corrected, as it was, and the rest is superseded."""
    for row in conn.execute(select(Submission).where(Submission.seq.in_([one.seq for one in rows]))).all():
        if row.published_as is None:
            move(conn, now, [row.seq], State.SUPERSEDED)
            continue
        its_own = Receipt(
            submission=row.published_as, revision=row.revision, digest=row.digest, received_at=row.received_at
        )
        outbox.publish_by_receipt(conn, now, [(row, its_own)])
        kept = {"published_at": row.published_at, "conflict_head": None, "conflict_revision": None}
        conn.execute(update(Submission).where(Submission.seq == row.seq).values(**kept))


def _doubt(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    these = Submission.seq.in_([row.seq for row in rows])
    conn.execute(update(Submission).where(these, _GIVEN_UP).values(in_doubt=True))


def _end_attempts(conn: Connection, now: datetime, rows: Sequence[Any]) -> None:
    end = {"ended_at": now, "outcome": "unknown", "cause": Cause.WORKER_GONE, "fingerprint": Cause.WORKER_GONE}
    unknown = update(Attempt).where(Attempt.ended_at.is_(None), Attempt.lease.not_in(_LEASES)).values(**end)
    conn.execute(unknown.where(Attempt.seq.in_([row.seq for row in rows])))


_LEASES = select(Submission.lease).where(Submission.state == State.SENDING, Submission.lease.is_not(None))
_LEFT_OPEN = select(Attempt.seq).where(Attempt.ended_at.is_(None), Attempt.lease.not_in(_LEASES))
_RELEASED = select(Hold.id).where(Hold.id == Submission.hold_id, Hold.released_at.is_not(None)).exists()
# one that fails again and again releases nothing
_RELEASING = (
    select(Action.id).where(Action.verb == "release", Action.ended_at.is_(None), Action.error.is_(None)).exists()
)
_OF_A_RELEASED_HOLD = and_(Submission.hold_id.is_not(None), _RELEASED, ~_RELEASING)

_ABOVE = (_Other.state == State.PUBLISHED, _Other.version > Submission.version)
_HAD_A_RECEIPT = and_(
    Submission.state.in_([State.QUEUED, State.CONFLICT]),
    Submission.published_as.is_not(None),
    Submission.published_at.is_not(None),
    _another(*_ABOVE, _Other.revision > Submission.revision),
)
_IN_THE_WAY = _Other.published_as == Submission.conflict_head
_CORRECTS_IT = or_(_Other.base == Submission.id, _Other.corrects == Submission.id)
_CONFLICT_WITH_ITS_CORRECTION = and_(
    Submission.state == State.CONFLICT, Submission.in_doubt.is_(False), _another(*_ABOVE, _IN_THE_WAY, _CORRECTS_IT)
)
_GIVEN_UP = Submission.state.in_([*NEEDS_A_PERSON, *GONE])
_REACHED = select(Comparison.reached_since).where(Comparison.link == MASTER).scalar_subquery()
NOT_REACHED = or_(_REACHED.is_(None), Submission.accepted_at < _REACHED)
"""No comparison with the master that left nothing open has gone back to this version."""

REPAIRS: tuple[Repair, ...] = (
    Repair(
        "held",
        ngettext_noop(
            "{number} version is held by a hold that was released, so it would never be published.",
            "{number} versions are held by a hold that was released, so they would never be published.",
        ),
        _OF_A_RELEASED_HOLD,
        _let_go,
    ),
    Repair(
        "overtaken",
        ngettext_noop(
            "{number} version waits or is in conflict though a newer one is published: published "
            "now it would hide the newer one.",
            "{number} versions wait or are in conflict though newer ones are published: published "
            "now they would hide these.",
        ),
        or_(_HAD_A_RECEIPT, _CONFLICT_WITH_ITS_CORRECTION),
        _put_below,
    ),
    Repair(
        "abreast",
        ngettext_noop(
            "{number} version is on its way beside another of the same event and date.",
            "{number} versions are on their way beside another of the same event and date.",
        ),
        and_(_FREE, _another(_ON_ITS_WAY, _SOONER)),
        _let_wait,
    ),
    Repair(
        "stranded",
        ngettext_noop(
            "{number} correction waits behind a version that is settled, so it would never be published.",
            "{number} corrections wait behind a version that is settled, so they would never be published.",
        ),
        and_(_QUEUED, Submission.blocked.is_(True), ~_another(_ON_ITS_WAY)),
        _let_the_next_go,
        watched=True,
    ),
    Repair(
        "headless",
        ngettext_noop(
            "{number} event and date has lost sight of its newest version, so it cannot be corrected.",
            "{number} events and dates have lost sight of their newest version, so they cannot be corrected.",
        ),
        or_(
            and_(_LIVING, _NEWEST, _HEAD.is_distinct_from(Submission.id)),
            and_(Submission.state.in_(GONE), Submission.id == _HEAD),
        ),
        _set_heads,
    ),
    Repair(
        "misnamed",
        ngettext_noop(
            "{number} correction names the version it corrects by an id that the master does not know.",
            "{number} corrections name the version they correct by an id that the master does not know.",
        ),
        and_(
            _FREE,
            Submission.base.is_not(None),
            _another(_Other.id == Submission.base, _Other.state.in_(_THERE), _Other.published_as != _Other.id),
        ),
        _name_bases,
    ),
    Repair(
        "sheetless",
        ngettext_noop(
            "{number} version waits whose sheet is no longer here; it will be held, and says so.",
            "{number} versions wait whose sheets are no longer here; they will be held, and say so.",
        ),
        and_(
            _QUEUED,
            Submission.hold_id.is_(None),
            ~select(Payload.seq).where(Payload.seq == Submission.seq).correlate(Submission).exists(),
        ),
        _put_aside,
    ),
    Repair(
        "receipted",
        ngettext_noop(
            "{number} version waits with a receipt that the master has lost, so its wait is not counted.",
            "{number} versions wait with receipts that the master has lost, so their wait is not counted.",
        ),
        and_(
            _QUEUED,
            or_(Submission.published_as.is_not(None), Submission.published_at.is_not(None)),
            ~_HAD_A_RECEIPT,
        ),
        _take_off_receipts,
    ),
    Repair(
        "unended",
        ngettext_noop(
            "{number} submission has an attempt that is shown as under way and has ended.",
            "{number} submissions have attempts that are shown as under way and have ended.",
        ),
        Submission.seq.in_(_LEFT_OPEN),
        _end_attempts,
    ),
    Repair(
        "unasked",
        ngettext_noop(
            "{number} version was given up by an older resultsq, which did not ask whether the master has it.",
            "{number} versions were given up by an older resultsq, which did not ask whether the master has them.",
        ),
        # a row without a lane was given up before there were lanes; one attempt alone ended with what the master said
        and_(
            _GIVEN_UP, Submission.in_doubt.is_(False), Submission.lane.is_(None), Submission.attempts > 1, NOT_REACHED
        ),
        _doubt,
        stops=False,
    ),
)
"""In the order of mending: a row that one lets wait is let go by the next, if it is its turn."""
