"""The comparison with the master's list: its versions are published here too, and versions that it lost are sent again.

The master is asked between two transactions: `open_questions` says what its list leaves open, and `bring_in_line`
does what follows for one chain, whose rows it locks and looks at anew."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, true, update

from resultsq.domain.errors import HeadMoved, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.outcome import Receipt
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State
from resultsq.store.engine.tables import MASTER, Attempt, Payload, Submission
from resultsq.store.outbox.acceptance import Acknowledgement
from resultsq.store.outbox.bundles import EXPORTED
from resultsq.store.outbox.chains import follow_on, in_their_order
from resultsq.store.outbox.publication import publish_by_receipt
from resultsq.store.outbox.states import by_id, lock_all, lock_chain_of, move

LISTED_AFTER = timedelta(minutes=1)
"""A version published since the list was asked for is not in it, and not lost."""

BUNDLE_TRAVELS = timedelta(days=30)
"""A version that was given up and is in a younger bundle stays in doubt: the bundle may reach the master yet."""

_AT_ONCE = 500
_THERE = (State.PUBLISHED, State.CORRECTED)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The changes made by a comparison. `skipped`: how many were not compared or not mended, by reason."""

    settled: int  # waited here or was given up, and the master has it
    lost: int  # published here, and the master has it no more: queued again
    different: int  # the same id with another digest: for a person
    resumed: int = 0  # in conflict for a predecessor that was lost, and that is there again or on its way
    skipped: Mapping[str, int] = field(default_factory=dict, compare=False)

    def __add__(self, other: "Reconciled") -> "Reconciled":
        causes = {*self.skipped, *other.skipped}
        return Reconciled(
            self.settled + other.settled,
            self.lost + other.lost,
            self.different + other.different,
            self.resumed + other.resumed,
            {cause: self.skipped.get(cause, 0) + other.skipped.get(cause, 0) for cause in sorted(causes)},
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A name that the master's list does not hold, and the chain that the answer concerns."""

    name: str
    chain_id: int


@dataclass(frozen=True, slots=True)
class Open:
    """What the list leaves open: the chains that have something on it, the names to ask for one by one, and how many
    are too old or too new to be compared."""

    chains: Collection[int]
    questions: Sequence[Question]
    different: int
    older: int
    newer: int


def open_questions(
    conn: Connection, now: datetime, receipts: Mapping[str, Receipt], since: datetime, kinds: Collection[str] = ()
) -> Open:
    """What to ask, where `receipts` are all that the master lists since then: about these kinds, or about all. Reads
    only."""
    meant = Submission.kind.in_(sorted(kinds)) if kinds else true()
    chains: set[int] = set()
    different = 0
    columns = (Submission.id, Submission.chain_id, Submission.digest, Submission.state)
    names = list(receipts)
    for start in range(0, len(names), _AT_ONCE):
        named = and_(Submission.id.in_(names[start : start + _AT_ONCE]), meant)
        for row in conn.execute(select(*columns).where(named)):
            different += receipts[row.id].digest != row.digest
            if row.state not in _THERE and receipts[row.id].digest == row.digest:
                chains.add(row.chain_id)
    there = and_(Submission.state.in_(_THERE), Submission.destination == MASTER, meant)
    # by an index: a receipt from since then was written here at most a day before
    lately = and_(Submission.received_at >= since, Submission.published_at >= since - timedelta(days=1))
    settled = and_(there, lately, ~just_now(now))
    whole = or_(Submission.state.in_(NEEDS_A_PERSON), Submission.accepted_at >= since)
    undecided = and_(Submission.state.in_([*NEEDS_A_PERSON, *GONE]), Submission.destination == MASTER, meant)
    given_up = and_(undecided, Submission.in_doubt, whole)
    headless = and_(
        Submission.state == State.CONFLICT, Submission.conflict_head.is_(None), Submission.base.is_not(None), meant
    )
    asked: tuple[tuple[Any, Any], ...] = (
        (Submission.published_as, settled),
        (Submission.id, given_up),
        (Submission.base, headless),
    )
    questions = [
        Question(*row)
        for name, where in asked
        for row in conn.execute(select(name, Submission.chain_id).where(where).order_by(Submission.seq))
    ]
    # where a predecessor is on the list nothing has to be asked
    chains |= set(conn.execute(select(Submission.chain_id).where(headless)).scalars())
    return Open(
        chains,
        [one for one in dict.fromkeys(questions) if one.name not in receipts],
        different,
        older=_count(conn, there, Submission.published_at < since),
        newer=_count(conn, there, just_now(now)),
    )


def just_now(now: datetime) -> ColumnElement[bool]:
    """Whether it was published so lately that the master may not list it yet. What was published later than that was
    published before the clock was set back."""
    return Submission.published_at.between(now - LISTED_AFTER, now + LISTED_AFTER)


def bring_in_line(
    conn: Connection, now: datetime, chain_id: int, has: Mapping[str, Receipt], gone: Collection[str]
) -> Reconciled:
    """Bring one chain in line with the master, which `has` these and said of the others that it has them not (`gone`).

    Only lost versions above the newest that it has are sent again: an older version must not come to lie on top."""
    lock_all(conn, Submission.chain_id == chain_id)
    settled = _settle(conn, now, chain_id, has)
    rows = _versions(conn, chain_id)
    sure = [row.seq for row in rows if row.in_doubt and row.id in gone and row.state not in WAITING]
    sure_now = and_(Submission.seq.in_(sure), or_(Submission.state.not_in(GONE), ~_on_its_way_by_bundle(now)))
    conn.execute(update(Submission).where(sure_now).values(in_doubt=False))
    there = list({row.published_as: row for row in rows if row.state in _THERE}.values())
    lost = {row.published_as for row in there if row.published_as in gone}
    ordered = in_their_order(there, rows) if lost else there
    kept = [at for at, row in enumerate(ordered) if row.published_as not in lost]
    above = ordered[kept[-1] + 1 :] if kept else ordered
    newest = ordered[kept[-1]].published_as if kept else None
    again = [row for row in above if row.sheet is not None]
    _send_again(conn, now, again, lost, newest)
    resumed = _resume(conn, now, rows, again, has)
    if again or resumed:
        _in_line(conn, chain_id, {row.published_as: row.id for row in again})
    unsendable = len(above) - len(again)
    return Reconciled(settled, len(again), 0, resumed, {"its sheet was removed": unsendable} if unsendable else {})


def send_lost_again(conn: Connection, now: datetime, submission: str) -> Acknowledgement:
    """A person has looked at a conflict with nothing: the master lost the version that this one corrects. The lost
    ones are sent again, and then this one.

    :raises NotThere: no such submission.
    :raises HeadMoved: it is in no such conflict, or the version that it corrects has no sheet here; nothing changed."""
    chain = lock_chain_of(conn, submission)
    row = by_id(conn, submission)
    if row is None or chain is None:
        raise NotThere(gettext("There is no such submission here."))
    if row.state != State.CONFLICT or row.conflict_head is not None:
        raise HeadMoved(gettext("The master has not lost what this version corrects. Nothing was changed."), chain.head)
    there = [one for one in _versions(conn, chain.id) if one.state in _THERE]
    if not any(row.base in (one.id, one.published_as) and one.sheet is not None for one in there):
        raise HeadMoved(
            gettext(
                "The version that this one corrects is not kept here, so it cannot be sent again. Publish this one."
            ),
            chain.head,
        )
    # where nothing is published, all of them are gone
    bring_in_line(conn, now, chain.id, {}, {one.published_as for one in there})
    return Acknowledgement(row.id, State.QUEUED, row.digest, created=False)


def _settle(conn: Connection, now: datetime, chain_id: int, has: Mapping[str, Receipt]) -> int:
    """A version that the master has is published, whatever its state here. One being sent is left to its sender."""
    open_ = Submission.state.not_in([*_THERE, State.SENDING])
    rows = conn.execute(select(Submission).where(Submission.chain_id == chain_id, open_)).all()
    found = [(row, has[row.id]) for row in rows if row.id in has and has[row.id].digest == row.digest]
    publish_by_receipt(conn, now, sorted(found, key=lambda one: one[1].revision))
    return len(found)


def _on_its_way_by_bundle(now: datetime) -> ColumnElement[bool]:
    """Whether it was written into a bundle that may still reach the master."""
    lately = and_(Attempt.cause == EXPORTED, Attempt.ended_at > now - BUNDLE_TRAVELS)
    return select(Attempt.id).where(Attempt.seq == Submission.seq, lately).exists()


def _versions(conn: Connection, chain_id: int) -> Sequence[Any]:
    query = select(Submission.__table__, Payload.seq.label("sheet")).join(
        Payload, Payload.seq == Submission.seq, isouter=True
    )
    return conn.execute(query.where(Submission.chain_id == chain_id).order_by(Submission.version)).all()


def _send_again(
    conn: Connection, now: datetime, again: Sequence[Row[Any]], lost: Collection[str], newest: str | None
) -> None:
    """Queue these, each on top of the one before."""
    below: str | None = None
    for row in again:
        base = below or (newest if row.base in lost else row.base)
        fresh = {"published_as": None, "published_at": None, "received_at": None, "revision": None}
        move(
            conn, now, [row.seq], State.QUEUED, base=base, blocked=True, in_doubt=True, next_attempt_at=None, **fresh
        )  # fmt: skip
        below = row.id


def _resume(
    conn: Connection, now: datetime, rows: Sequence[Row[Any]], again: Sequence[Row[Any]], has: Mapping[str, Receipt]
) -> int:
    """A version in conflict because its predecessor was lost goes on, where that one is there again or goes first."""
    count = 0
    back = {name for row in again for name in (row.id, row.published_as)}
    for row in rows:
        headless = row.state == State.CONFLICT and row.conflict_head is None and row.base is not None
        if headless and row.sheet is not None and (row.base in back or row.base in has):
            move(conn, now, [row.seq], State.QUEUED, blocked=True, next_attempt_at=None, failures=0)
            count += 1
    return count


def _in_line(conn: Connection, chain_id: int, names: Mapping[str, str]) -> None:
    """The versions that wait go in their order, and name the version that is sent again by its own id."""
    waiting = and_(Submission.chain_id == chain_id, Submission.state == State.QUEUED)
    conn.execute(update(Submission).where(waiting).values(blocked=True))
    for name, id_ in names.items():
        conn.execute(update(Submission).where(waiting, Submission.base == name).values(base=id_))
    follow_on(conn, chain_id)


def _count(conn: Connection, *where: Any) -> int:
    return conn.execute(select(func.count()).select_from(Submission).where(*where)).scalar_one()
