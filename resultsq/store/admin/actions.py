"""What an operator does to many submissions at once: in pieces, and each written in the audit.

An action names its submissions by a filter or by their ids. `start` counts them and notes the last seq, so that
a later submission is not touched; `advance` does one piece in one transaction. Its condition stands in the
WHERE of each piece: what moved on meanwhile is skipped and counted. An action outlives its process: the next call of
`go_on` (action_runner.py) continues where it stopped.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, insert, null, or_, select, update

from resultsq.domain import cldr
from resultsq.domain.errors import HeadMoved, InputRefused, NotThere
from resultsq.domain.filter import Filter
from resultsq.domain.i18n import gettext
from resultsq.domain.submission import WAITING, State
from resultsq.store import outbox
from resultsq.store.engine import audit
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Action, Hold, Submission
from resultsq.store.views import conditions

PIECE = 500
"""Most submissions in one transaction."""

REACH = 10
"""For each submission that a piece may take it looks through so many rows for what its filter fits: so both, and how
long others wait for it, shrink where a piece took long."""

MOST_IDS = 1_000
UNDO = timedelta(days=30)
"""For how long a withdrawal can be undone."""


class Verb(StrEnum):
    """The actions; each names the submissions to which it can be done."""

    RETRY = "retry"  # queued, but where the master's Retry-After runs; rejected: sent again as it is
    HOLD = "hold"  # queued, or on its way: that one is held if it is not published
    RELEASE = "release"  # held
    WITHDRAW = "withdraw"  # what the master cannot have
    RESEND = "resend"  # in conflict with nothing: what the master lost is sent again, and then these
    UNDO = "undo"  # withdrawn, for 30 days, while nothing has taken its place


Target = Filter | Sequence[str]
"""Which submissions: by a filter, or by their ids."""


@dataclass(frozen=True, slots=True)
class Progress:
    """An action as it stands. `total` were there at its start; `skipped` of them had moved on, or could not be done.
    `target` is {"filter": …}, {"ids": […]}, {"hold": id} or, of an undo, {"action": id}."""

    id: str
    verb: str
    target: dict[str, Any]
    reason: str
    who: str
    started_at: datetime
    ended_at: datetime | None
    cancelled: bool
    total: int
    done: int
    skipped: int


def count(conn: Connection, target: Target) -> int:
    """How many submissions these are, whole."""
    return _count(conn, _named(_written(target)))


def able(conn: Connection, now: datetime, verb: str, target: Target) -> int:
    """To how many of them it can be done now."""
    return _count(conn, [*_named(_written(target)), *_may(_verb(verb), now)])


def paused_until(conn: Connection, now: datetime, target: Target) -> datetime | None:
    """When the last of the pauses ends that the master asked for, and that a retry obeys; None: there is none."""
    these = [*_named(_written(target)), Submission.state == State.QUEUED, *_pauses(now)]
    return conn.execute(select(func.max(Submission.next_attempt_at)).where(*these)).scalar_one()


def start(
    database: Database,
    now: datetime,
    who: str,
    verb: str,
    target: Target,
    reason: str,
    release_at: datetime | None = None,
) -> str:
    """Begin an action; nothing is done before `advance`. `release_at` is when a hold ends by itself.

    :raises InputRefused: there is no such verb, or there are too many ids."""
    chosen, written = _verb(verb), _written(target)
    with database.read() as conn:  # counting may take a while, and no writer waits for it
        extent = _extent(conn, written)

    def begin(conn: Connection) -> str:
        if chosen is Verb.HOLD:
            hold = {"scope": "submission", "reason": reason, "placed_by": who, "placed_at": now}
            placed = insert(Hold).values(**hold, release_at=release_at).returning(Hold.id)
            written["hold"] = conn.execute(placed).scalar_one()
        return _start(conn, now, who, chosen, written, reason, extent)

    return database.write(begin)


def start_undo(database: Database, now: datetime, who: str, action: str, reason: str) -> str:
    """Begin to put back what this action withdrew.

    :raises NotThere: no such action withdrew anything."""
    target = {"action": action}
    with database.read() as conn:
        if conn.execute(select(Action.id).where(Action.id == action, Action.verb == Verb.WITHDRAW)).first() is None:
            raise NotThere(gettext("There is no such withdrawal here."))
        extent = _extent(conn, target)
    return database.write(lambda conn: _start(conn, now, who, Verb.UNDO, target, reason, extent))


def advance(conn: Connection, now: datetime, action: str, most: int = PIECE) -> bool:
    """Do the next piece of an action, to `most` submissions; whether there is more to do."""
    row = conn.execute(select(Action).where(Action.id == action).with_for_update()).first()
    if row is None or row.ended_at is not None:
        return False
    seqs, last = _piece(conn, now, row, most)
    changed = _WORK[Verb(row.verb)](conn, now, row, seqs) if seqs else []
    if row.audit_id is not None:
        audit.name(conn, row.audit_id, Submission.seq.in_(changed))
    done = row.done + len(changed)
    skipped = row.skipped + row.done + len(seqs) - done
    # a submission that fits the filter only since the count is done too
    total = max(row.total, done + skipped)
    facts: dict[str, Any] = {"last_seq": last, "total": total, "done": done, "skipped": skipped, "error": None}
    over = last >= row.until_seq
    if over:
        facts |= {"ended_at": now, "skipped": total - done}
        if total > done:
            audit.note(conn, now, row.who, f"{row.verb} skipped", {"action": action}, total - done, "")
    conn.execute(update(Action).where(Action.id == action).values(**facts))
    return not over


def _piece(conn: Connection, now: datetime, row: Any, most: int) -> tuple[list[int], int]:
    """What the next piece is done to, in order, and how far it reaches."""
    verb, seq, until = Verb(row.verb), Submission.seq, row.until_seq
    these: list[ColumnElement[bool]]
    if "ids" in row.target:
        named = conn.execute(select(seq).where(Submission.id.in_(row.target["ids"]))).scalars()
        left = sorted(one for one in named if one > row.last_seq)
        until = left[most - 1] if len(left) > most else until
        these = [seq.in_(left[:most])]
    else:
        if "hold" not in row.target:  # which has an index of its own
            until = min(until, row.last_seq + REACH * most)
        these = [seq > row.last_seq, seq <= until, *_named(row.target)]
    found = select(seq).where(*these, *_may(verb, now)).order_by(seq).limit(most)
    # a chain is locked before its versions; an action that goes chain by chain locks for itself
    seqs = list(conn.execute(found.with_for_update() if verb in _AT_ONCE else found).scalars())
    return seqs, seqs[-1] if len(seqs) == most else until


def cancel(conn: Connection, now: datetime, action: str, who: str) -> None:
    """Leave the rest as it is.

    :raises NotThere: there is no such action."""
    row = conn.execute(select(Action).where(Action.id == action).with_for_update()).first()
    if row is None:
        raise NotThere(gettext("There is no such action here."))
    if row.ended_at is None:
        conn.execute(update(Action).where(Action.id == action).values(cancelled=True, ended_at=now))
        audit.note(conn, now, who, "cancel", {"action": action}, row.total - row.done - row.skipped, "")


def progress(conn: Connection, action: str) -> Progress | None:
    """The action of that id."""
    row = conn.execute(_PROGRESS.where(Action.id == action)).first()
    return None if row is None else Progress(*row)


def latest(conn: Connection, most: int = 20) -> list[Progress]:
    """The last actions, newest first."""
    return [Progress(*row) for row in conn.execute(_PROGRESS.order_by(Action.started_at.desc()).limit(most))]


_PROGRESS = select(*(getattr(Action, name) for name in Progress.__slots__))


def failing(conn: Connection) -> int:
    """How many actions cannot be carried out, at least not yet."""
    stuck = select(func.count()).select_from(Action).where(Action.ended_at.is_(None), Action.error.is_not(None))
    return conn.execute(stuck).scalar_one()


def release_held(conn: Connection, now: datetime, who: str, hold: int, reason: str) -> str:
    """Begin to release what this hold, which is released, holds; the action's id."""
    target = {"hold": hold}
    return _start(conn, now, who, Verb.RELEASE, target, reason, _extent(conn, target))


# targets


def _written(target: Target) -> dict[str, Any]:
    if isinstance(target, Filter):
        return {"filter": target.model_dump(mode="json", exclude_defaults=True)}
    if len(target) > MOST_IDS:
        raise InputRefused(
            gettext("To name more than {most} submissions, use a filter instead of their ids.", most=MOST_IDS)
        )
    return {"ids": sorted(set(target))}


def _named(target: dict[str, Any]) -> list[ColumnElement[bool]]:
    match target:
        case {"filter": fields}:
            return conditions.where(Filter.model_validate(fields))
        case {"ids": ids}:
            return [Submission.id.in_(ids)]
        case {"action": action}:
            return [Submission.withdrawn_in == action]
        case {"hold": hold}:
            return [Submission.hold_id == hold]
        case _:
            raise AssertionError("an action that names nothing")


def _may(verb: Verb, now: datetime) -> list[ColumnElement[bool]]:
    match verb:
        case Verb.RETRY:
            put_off = Submission.next_attempt_at
            free = or_(
                Submission.wait_for.is_(None), Submission.wait_for != "master", put_off.is_(None), put_off <= now
            )
            waits = and_(Submission.state == State.QUEUED, Submission.hold_id.is_(None), free)
            return [or_(Submission.state == State.REJECTED, waits)]
        case Verb.HOLD:
            # those being sent too: should one come back, it is held
            return [Submission.state.in_(WAITING), Submission.hold_id.is_(None)]
        case Verb.RELEASE:
            return [Submission.hold_id.is_not(None)]
        case Verb.WITHDRAW:
            states = (State.QUEUED, State.REJECTED, State.CONFLICT)
            return [Submission.state.in_(states), Submission.in_doubt.is_(False)]
        case Verb.RESEND:
            nothing = and_(Submission.conflict_head.is_(None), Submission.base.is_not(None))
            return [Submission.state == State.CONFLICT, nothing]
        case Verb.UNDO:
            return [Submission.state == State.WITHDRAWN, Submission.state_at > now - UNDO]


def _pauses(now: datetime) -> list[ColumnElement[bool]]:
    return [Submission.wait_for == "master", Submission.next_attempt_at > now]


def _verb(name: str) -> Verb:
    try:
        return Verb(name)
    except ValueError:
        raise InputRefused(
            gettext("There is no such action; there are {known}. Nothing was changed.", known=cldr.listed(Verb))
        ) from None


def _count(conn: Connection, where: Sequence[ColumnElement[bool]]) -> int:
    return conn.execute(select(func.count()).select_from(Submission).where(*where)).scalar_one()


def _extent(conn: Connection, target: dict[str, Any]) -> tuple[int, int, int]:
    """How many these are, and the first and the last seq."""
    query = select(func.count(), func.min(Submission.seq), func.max(Submission.seq)).where(*_named(target))
    total, first, last = conn.execute(query).one()
    return total, first or 1, last or 0


def _start(
    conn: Connection,
    now: datetime,
    who: str,
    verb: Verb,
    target: dict[str, Any],
    reason: str,
    extent: tuple[int, int, int],
) -> str:
    action, (total, first, last) = str(uuid.uuid4()), extent
    line = audit.note(conn, now, who, verb, {**target, "of": action}, total, reason)
    values = {"id": action, "verb": verb, "target": target, "reason": reason, "who": who, "total": total}
    values |= {"started_at": now, "last_seq": first - 1, "until_seq": last, "audit_id": line}
    conn.execute(insert(Action), values)
    return action


# how a piece is done, and to which it was


def _retry(conn: Connection, now: datetime, row: Any, seqs: Sequence[int]) -> list[int]:
    waiting = and_(Submission.seq.in_(seqs), Submission.state == State.QUEUED, *_may(Verb.RETRY, now))
    done = _change(conn, waiting, next_attempt_at=None, wait_for=None)
    rejected = and_(Submission.seq.in_(seqs), Submission.state == State.REJECTED)
    return done + _chain_by_chain(conn, rejected, lambda one: outbox.publish_over(conn, now, one))


def _hold(conn: Connection, now: datetime, row: Any, seqs: Sequence[int]) -> list[int]:
    hold = row.target["hold"]
    if outbox.in_force(conn, hold) is None:
        return []  # its time has come before it was all placed
    return _change(conn, Submission.seq.in_(seqs), hold_id=hold)


def _release(conn: Connection, now: datetime, row: Any, seqs: Sequence[int]) -> list[int]:
    """Due at once, but where the master's Retry-After runs."""
    due = case((and_(*_pauses(now)), Submission.next_attempt_at), else_=null())
    return _change(conn, Submission.seq.in_(seqs), hold_id=None, next_attempt_at=due)


def _withdraw(conn: Connection, now: datetime, row: Any, seqs: Sequence[int]) -> list[int]:
    return _chain_by_chain(conn, Submission.seq.in_(seqs), lambda one: outbox.withdraw(conn, now, one, row.id))


def _resend(conn: Connection, now: datetime, row: Any, seqs: Sequence[int]) -> list[int]:
    return _chain_by_chain(conn, Submission.seq.in_(seqs), lambda one: outbox.send_lost_again(conn, now, one))


def _undo(conn: Connection, now: datetime, row: Any, seqs: Sequence[int]) -> list[int]:
    return _chain_by_chain(conn, Submission.seq.in_(seqs), lambda one: outbox.undo_withdrawal(conn, now, one))


def _change(conn: Connection, these: ColumnElement[bool], **values: Any) -> list[int]:
    return list(conn.execute(update(Submission).where(these).values(**values).returning(Submission.seq)).scalars())


def _chain_by_chain(conn: Connection, these: ColumnElement[bool], do: Callable[[str], object]) -> list[int]:
    outbox.lock_all(conn, these)
    done = []
    # the latest first: a withdrawn version uncovers the one below it
    latest_first = select(Submission.seq, Submission.id).where(these).order_by(Submission.seq.desc())
    for seq, one in conn.execute(latest_first).all():
        try:
            do(one)
        except HeadMoved:  # raised before anything is written
            continue
        done.append(seq)
    return done


_WORK: dict[Verb, Callable[[Connection, datetime, Any, Sequence[int]], list[int]]] = {
    Verb.RETRY: _retry,
    Verb.HOLD: _hold,
    Verb.RELEASE: _release,
    Verb.WITHDRAW: _withdraw,
    Verb.RESEND: _resend,
    Verb.UNDO: _undo,
}
_AT_ONCE = {Verb.HOLD, Verb.RELEASE}
