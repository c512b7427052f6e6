"""What a team or an operator decides about a version that is here: withdraw it, put it back, publish it over another.

What an undo needs is kept with the withdrawn version (`before_withdrawal`): its state, its hold, how many versions
the chain had, and which of them waited behind it. Its base stays in its row."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from resultsq.domain.errors import HeadMoved, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.submission import GONE, NEEDS_A_PERSON, WAITING, State, may_move
from resultsq.store.engine.tables import Payload, Submission
from resultsq.store.outbox.acceptance import Acknowledgement
from resultsq.store.outbox.chains import (
    ChainPlace,
    follow_on,
    give_up_place,
    give_way,
    in_force,
    place_on,
    set_head,
    waits,
)
from resultsq.store.outbox.states import by_id, find, lock_chain_of, move


def withdraw(conn: Connection, now: datetime, submission: str, action: str | None = None) -> Acknowledgement:
    """Take back what the master cannot have. What waited behind it stands where it stood, and the version below it
    may be the head again. `action` is the one that it is part of, and that can be undone whole.

    :raises NotThere: no such submission.
    :raises HeadMoved: it is published, on its way or in doubt: it can only be corrected; nothing changed."""
    chain, row = _locked(conn, submission)
    if row.state == State.WITHDRAWN:
        return Acknowledgement(row.id, State.WITHDRAWN, row.digest, created=False)
    if row.in_doubt or not may_move(State(row.state), State.WITHDRAWN):
        raise HeadMoved(
            gettext("This version cannot be taken back: the master has it, or may have it. Send a correction instead."),
            chain.head,
        )
    behind = list(give_way(conn, chain.id, row)) if chain.versions > 1 else []
    before = {"state": row.state, "hold": row.hold_id, "versions": chain.versions, "behind": behind}
    move(conn, now, [row.seq], State.WITHDRAWN, withdrawn_in=action, before_withdrawal=before)
    if chain.versions > 1:
        follow_on(conn, chain.id)
    set_head(conn, chain.id)
    return Acknowledgement(row.id, State.WITHDRAWN, row.digest, created=False)


def undo_withdrawal(conn: Connection, now: datetime, submission: str) -> Acknowledgement:
    """Put a withdrawn version back as it was, while nothing has taken its place.

    :raises HeadMoved: another version came since, or went on its way in its place, or its sheet was removed (`prune`);
        nothing changed."""
    chain, row = _locked(conn, submission)
    if row.state != State.WITHDRAWN:
        return Acknowledgement(row.id, State(row.state), row.digest, created=False)
    _must_have_its_sheet(conn, chain, row)
    # the version before this one kept no more than the row
    before = row.before_withdrawal or {"state": State.QUEUED, "hold": None, "versions": row.version, "behind": []}
    state = State(before["state"])
    newer = _newer(conn, chain.id, row.version)
    if any(one.version > before["versions"] for one in newer) or (
        state is State.QUEUED and any(one.state != State.QUEUED for one in newer)
    ):
        raise HeadMoved(
            gettext("There is a newer version, so this one cannot be put back. Send it as a correction."),
            chain.head,
        )
    place = ChainPlace(row.base, blocked=False)
    if state is State.QUEUED:
        place = _back_in_line(conn, now, chain.id, row, newer, before["behind"])
    back = {"base": place.base, "blocked": place.blocked, "hold_id": in_force(conn, before["hold"])}
    move(conn, now, [row.seq], state, before_withdrawal=None, **back)
    set_head(conn, chain.id)
    return Acknowledgement(row.id, state, row.digest, created=False)


def publish_over(conn: Connection, now: datetime, submission: str) -> Acknowledgement:
    """A person has looked at a conflict, or at a rejection, and wants this sheet published on top of what
    is there.

    :raises HeadMoved: it is in no state that a person decides about, or a newer version is to be published."""
    chain, row = _locked(conn, submission)
    if State(row.state) not in NEEDS_A_PERSON:
        raise HeadMoved(gettext("There is nothing to decide about this version any more."), row.id)
    _must_have_its_sheet(conn, chain, row)
    if any(one.state in WAITING for one in _newer(conn, chain.id, row.version)):
        raise HeadMoved(
            gettext("A newer version of these results is on its way. Look again when it is published."), chain.head
        )
    place = place_on(conn, chain.id, row.base)
    if row.state == State.CONFLICT:  # what the master itself has shown
        place = ChainPlace(row.conflict_head, blocked=False)
    blocked = place.blocked or waits(conn, chain.id)
    move(conn, now, [row.seq], State.QUEUED, base=place.base, blocked=blocked, next_attempt_at=None, failures=0)
    return Acknowledgement(row.id, State.QUEUED, row.digest, created=False)


def _locked(conn: Connection, submission: str) -> tuple[Any, Row[Any]]:
    """The submission's chain and its row, both locked."""
    chain = lock_chain_of(conn, submission)
    row = by_id(conn, submission, lock=True)
    if row is None or chain is None:
        raise NotThere(gettext("There is no such submission here."))
    return chain, row


def _must_have_its_sheet(conn: Connection, chain: Any, row: Row[Any]) -> None:
    if conn.execute(select(Payload.seq).where(Payload.seq == row.seq)).first() is None:
        raise HeadMoved(
            gettext("The sheet of this version was removed from this node (prune), so it cannot be sent any more."),
            chain.head,
        )


def _newer(conn: Connection, chain_id: int, version: int) -> Sequence[Any]:
    """The living versions above this one; no worker takes one of them before the transaction ends."""
    columns = (Submission.seq, Submission.id, Submission.version, Submission.state)
    above = (Submission.chain_id == chain_id, Submission.version > version, Submission.state.not_in(GONE))
    return conn.execute(select(*columns).where(*above).order_by(Submission.seq).with_for_update()).all()


def _back_in_line(
    conn: Connection, now: datetime, chain_id: int, row: Row[Any], newer: Sequence[Any], behind: Sequence[str]
) -> ChainPlace:
    """The place of a version that waits again: before all newer ones, and behind the version that it corrects."""
    corrected = and_(Submission.chain_id == chain_id, Submission.id == (row.corrects or row.base))
    give_up_place(conn, now, find(conn, corrected, lock=True))
    seqs = [one.seq for one in newer]
    conn.execute(update(Submission).where(Submission.seq.in_(seqs)).values(blocked=True))
    waited_for_it = or_(Submission.id.in_(behind), Submission.corrects == row.id)
    conn.execute(update(Submission).where(Submission.seq.in_(seqs), waited_for_it).values(base=row.id))
    older = select(Submission.seq).where(
        Submission.chain_id == chain_id, Submission.version < row.version, Submission.state.in_(WAITING)
    )
    place = place_on(conn, chain_id, row.base)
    return ChainPlace(place.base, place.blocked or conn.execute(older.limit(1)).first() is not None)
