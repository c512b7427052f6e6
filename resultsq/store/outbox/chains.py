"""The order within a chain: which version may go, what its precondition is, and which version is the head.

Of each chain at most one version is on its way: `QUEUED` and not `blocked`, or `SENDING`. The others that wait are
`blocked`. Every function that ends the waiting of a version calls `follow_on`, which lets the next one go: the one
place that unblocks a version. The head is the newest version that is neither superseded nor withdrawn.

Every function here expects the chain's row to be locked (states.py)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select, update
from sqlalchemy.orm import aliased

from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import Chain, Hold, Submission
from resultsq.store.outbox.aside import BY_ITSELF
from resultsq.store.outbox.states import move


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """Where a version stands: the id that its If-Match names, whether it has to wait, and what holds it."""

    base: str | None
    blocked: bool
    hold: int | None = None


_THERE = (State.PUBLISHED, State.CORRECTED)
_OF_CHAIN = Submission.chain_id == bindparam("chain")
_NAMED = (
    select(Submission.id, Submission.state, Submission.base, Submission.published_as)
    .where(_OF_CHAIN, or_(Submission.id == bindparam("name"), Submission.published_as == bindparam("name")))
    # of two that answer to the name, the one that the master has
    .order_by(case((Submission.state.in_(_THERE), 0), else_=1))
    .limit(1)
)
_WAITING = (
    select(Submission.seq, Submission.id, Submission.base, Submission.blocked, Submission.state, Submission.in_doubt)
    .where(_OF_CHAIN, Submission.state.in_(WAITING))
    .order_by(Submission.version)
)
_Later = aliased(Submission)
ACCOMPANIED = or_(
    # an older version may wait as well: a comparison sends lost versions again, behind the one being sent
    Submission.version > 1,
    # whether it waits is asked once there is one: to ask it here would go through all corrections that wait
    select(_Later.seq).where(_Later.chain_id == Submission.chain_id, _Later.version > Submission.version).exists(),
).label("accompanied")
"""A column of a query of submissions: whether the chain has other versions, which may wait for this one's end."""


def place_on(conn: Connection, chain_id: int, base: str | None) -> ChainPlace:
    """The place on top of `base`. A version that the master cannot have is stepped over. One that it has under another
    id is named by that id. While one is being sent, the new version waits."""
    passed = set()
    while base is not None and base not in passed:
        passed.add(base)
        below = conn.execute(_NAMED, {"chain": chain_id, "name": base}).first()
        if below is None:
            break
        if below.state in _THERE:
            return ChainPlace(below.published_as, blocked=False)
        if below.state in WAITING:
            return ChainPlace(below.id, blocked=True)
        base = below.base
    return ChainPlace(base, blocked=False)


def place_after(conn: Connection, now: datetime, chain_id: int, below: Row[Any] | None) -> ChainPlace:
    """The place of a version that corrects `below`. What the master cannot have gives up its place, and its hold."""
    if below is None:
        return ChainPlace(None, blocked=False)
    gave_up = give_up_place(conn, now, below)
    if below.state in WAITING and not gave_up:
        return ChainPlace(below.id, blocked=True)
    place = place_on(conn, chain_id, below.published_as if below.state in _THERE else below.base)
    return ChainPlace(place.base, place.blocked or waits(conn, chain_id), _inherited(conn, below.hold_id))


def give_up_place(conn: Connection, now: datetime, row: Row[Any] | None) -> bool:
    """If the master cannot have this version, a newer one supersedes it; whether it did."""
    if row is None or row.in_doubt or not (row.state in NEEDS_A_PERSON or row.state == State.QUEUED):
        return False
    move(conn, now, [row.seq], State.SUPERSEDED)
    return True


def waits(conn: Connection, chain_id: int) -> bool:
    """Whether a version of the chain is on its way, or waits to be."""
    return conn.execute(_WAITING.limit(1), {"chain": chain_id}).first() is not None


def in_force(conn: Connection, hold: int | None) -> int | None:
    """The hold, if it was not released. It cannot be before this transaction ends: a version put under it here is
    among what its release finds."""
    if hold is None:
        return None
    standing = select(Hold.id).where(Hold.id == hold, Hold.released_at.is_(None))
    return conn.execute(standing.with_for_update(read=True)).scalar()


def _inherited(conn: Connection, hold: int | None) -> int | None:
    """The same for a version that takes the place of a held one: people hold the results, and a version that was put
    aside is that one sheet."""
    found = in_force(conn, hold)
    if found is None:
        return None
    return conn.execute(select(Hold.id).where(Hold.id == found, Hold.placed_by != BY_ITSELF)).scalar()


def follow_on(conn: Connection, chain_id: int) -> None:
    """If no version of the chain is on its way, the first of those that wait is. One that came back from its sender
    goes behind those that a comparison has put before it meanwhile; in doubt it is asked about first."""
    waiting: Sequence[Any] = conn.execute(_WAITING, {"chain": chain_id}).all()
    if not waiting:
        return
    behind = {row.id for row in waiting}
    first = next((row for row in waiting if row.base not in behind), waiting[0])
    back = next((row for row in waiting if not row.blocked), None)
    if back is not None:
        if back.seq == first.seq or back.state != State.QUEUED or back.in_doubt:
            return
        below = back.base if back.base in behind else waiting[waiting.index(back) - 1].id
        conn.execute(update(Submission).where(Submission.seq == back.seq).values(base=below, blocked=True))
    base = place_on(conn, chain_id, first.base).base
    conn.execute(update(Submission).where(Submission.seq == first.seq).values(base=base, blocked=False))


def step_over(conn: Connection, now: datetime, chain_id: int, seq: int) -> None:
    """The master cannot have this version: where a correction waits behind it, the correction takes its place."""
    row = conn.execute(_STANDS.where(Submission.seq == seq)).one()
    if give_way(conn, chain_id, row):
        move(conn, now, [seq], State.SUPERSEDED)


_STANDS = select(Submission.id, Submission.base, Submission.hold_id)


def give_way(conn: Connection, chain_id: int, row: Any) -> Sequence[str]:
    """The versions behind this one wait for its base from now on, and are held if it was; their ids."""
    values: dict[str, Any] = {"base": row.base}
    if (hold := _inherited(conn, row.hold_id)) is not None:
        values["hold_id"] = func.coalesce(Submission.hold_id, hold)
    behind = and_(Submission.chain_id == chain_id, Submission.base == row.id, Submission.blocked.is_(True))
    moved = update(Submission).where(behind, Submission.state == State.QUEUED).values(**values)
    return conn.execute(moved.returning(Submission.id)).scalars().all()


def set_head(conn: Connection, chain_id: int) -> str | None:
    """Make the newest living version the head, and say which that is."""
    found = _NEWEST_LIVING.first(conn, {"chain": chain_id})
    head = None if found is None else found.id
    _SET_HEAD.run(conn, {"chain": chain_id, "head": head})
    return head


_NEWEST_LIVING = PreparedStatement(
    select(Submission.id)
    .where(_OF_CHAIN, *(Submission.state != gone for gone in sorted(GONE)))
    .order_by(Submission.version.desc())
    .limit(1)
)
_SET_HEAD = PreparedStatement(update(Chain).where(Chain.id == bindparam("chain")).values(head=bindparam("head")))


def is_ancestor(conn: Connection, row: Row[Any], name: str) -> bool:
    """Whether the version that the master calls `name` is one that this row knowingly replaces."""
    versions = select(Submission.id, Submission.base, Submission.corrects, Submission.published_as)
    of_chain = conn.execute(versions.where(Submission.chain_id == row.chain_id)).all()
    return any(name in (one.id, one.published_as) for one in ancestors(row, of_chain))


def ancestors(row: Row[Any], of_chain: Sequence[Any]) -> Iterator[Row[Any]]:
    """The versions that this row knowingly replaces: the base of it or of another ancestor, or what stood here when
    one of these was accepted."""
    known: dict[str, Any] = {}
    for one in of_chain:
        known[one.id] = one
        known.setdefault(one.published_as or one.id, one)
    looked_at: set[str] = set()
    ahead: list[str] = [lower for lower in (row.base, row.corrects) if lower is not None]
    while ahead:
        below = known.get(ahead.pop())
        if below is None or below.id in looked_at or below.id == row.id:
            continue
        yield below
        looked_at.add(below.id)
        ahead += [lower for lower in (below.base, below.corrects) if lower is not None]


def in_their_order(rows: Sequence[Row[Any]], of_chain: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Published versions, each above those that it knowingly replaces. The others are in the order of their revisions,
    which begin anew where the master lost some: so they prove nothing where the versions themselves say more."""
    placed: list[tuple[Row[Any], set[str]]] = []
    for row in sorted(rows, key=lambda one: (one.revision or 0, one.version)):
        above = (at for at, (_, below) in enumerate(placed) if row.id in below)
        placed.insert(next(above, len(placed)), (row, {one.id for one in ancestors(row, of_chain)}))
    return [row for row, _ in placed]
