"""What a team or an operator does with submissions: accept, withdraw and its undo, publish over."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from resultsq.domain.errors import HeadMoved, KeyReused, NotThere
from resultsq.domain.submission import NEEDS_A_PERSON, State, may_move
from resultsq.domain.words import say
from resultsq.store.outbox.states import find, lock_chain, lock_chain_of, move
from resultsq.store.prepared import Prepared
from resultsq.store.tables import Chain, ClientKey, Original, Payload, Submission


@dataclass(frozen=True, slots=True)
class File:
    """A file as the team gave it."""

    name: str
    kind: str
    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """What comes in. `body` are the bytes that will travel; `if_match` the version that this one corrects;
    `client_key` the client's Idempotency-Key; `id` stands for nothing else yet."""

    kind: str
    event_id: int
    date: str
    body: bytes
    digest: str
    rows_digest: str
    finishers: int
    submitted_by: str
    if_match: str | None = None
    client_key: str | None = None
    files: tuple[File, ...] = ()
    request_id: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Accepted:
    """`created` False: this very submission was here before."""

    id: str
    state: State
    digest: str
    created: bool


def accept(conn: Connection, now: datetime, entry: Entry) -> Accepted:
    """Store one version. The caller commits, and only then says so.

    The same rows as the present head are the head; the same client key is the same submission.

    :raises KeyReused: the client key stands for other content.
    :raises HeadMoved: the event and date have a version that the entry does not name, or lost the one it names."""
    content = f"{entry.date} {entry.rows_digest}"
    if entry.client_key is not None:
        known = conn.execute(_KNOWN_KEY, {"event_id": entry.event_id, "key": entry.client_key}).first()
        if known is not None:
            if known.content != content:
                raise KeyReused(
                    say(
                        "This Idempotency-Key was used for other results. Nothing was stored; send them with a new key."
                    )
                )
            return _present(conn, known.submission)
    chain = lock_chain(conn, entry.kind, entry.event_id, entry.date, first=entry.id)
    made = chain.head == entry.id  # just now: nearly every entry is the first of its event and date
    head = find(conn, Submission.id == chain.head, lock=True) if chain.head is not None and not made else None
    if head is not None and head.rows_digest == entry.rows_digest:
        _remember(conn, now, entry, content, head.id)
        return Accepted(head.id, State(head.state), head.digest, created=False)
    if entry.if_match != (head.id if head is not None else None):
        raise HeadMoved(
            "There are already results for this event and date. Look at them; "
            "if yours are better, send them as a correction of that version."
            if head is not None
            else "The version that this corrects is not the present one: there is none for this event and date.",
            head.id if head is not None else None,
        )
    base, blocked = _place_after(conn, now, head)
    seq = _NEW.run(
        conn,
        {
            "id": entry.id,
            "kind": entry.kind,
            "chain_id": chain.id,
            "event_id": entry.event_id,
            "date": entry.date,
            "version": chain.versions if made else chain.versions + 1,
            "state": State.QUEUED,
            "state_at": now,
            "digest": entry.digest,
            "rows_digest": entry.rows_digest,
            "size": len(entry.body),
            "finishers": entry.finishers,
            "submitted_by": entry.submitted_by,
            "accepted_at": now,
            "request_id": entry.request_id,
            "base": base,
            "blocked": blocked,
            **_UNTRIED,
        },
    ).scalar_one()
    _NEW_PAYLOAD.run(conn, {"seq": seq, "body": entry.body})
    if entry.files:
        conn.execute(
            _NEW_ORIGINAL,
            [
                {"seq": seq, "name": f.name, "kind": f.kind, "digest": f.digest, "content": f.content}
                for f in entry.files
            ],
        )
    if not made:
        conn.execute(_NEW_HEAD, {"_chain": chain.id, "_head": entry.id})
    _remember(conn, now, entry, content, entry.id)
    return Accepted(entry.id, State.QUEUED, entry.digest, created=True)


# built once: accepting is what everything else waits for
_KNOWN_KEY = select(ClientKey.content, ClientKey.submission).where(
    ClientKey.event_id == bindparam("event_id"), ClientKey.key == bindparam("key")
)
_NEW = Prepared(insert(Submission).returning(Submission.seq))
_UNTRIED = {"wait_s": 0.0, "attempts": 0, "failures": 0, "silences": 0, "in_doubt": False, "lease_s": 0.0}
_NEW_PAYLOAD = Prepared(insert(Payload))
_NEW_ORIGINAL = insert(Original)
_NEW_KEY = insert(ClientKey)
_NEW_HEAD = (
    update(Chain).where(Chain.id == bindparam("_chain")).values(head=bindparam("_head"), versions=Chain.versions + 1)
)


def _place_after(conn: Connection, now: datetime, head: Row[Any] | None) -> tuple[str | None, bool]:
    """The precondition of a version on top of `head`, and whether it must wait for `head` to settle."""
    if head is None:
        return None, False
    match State(head.state):
        case State.PUBLISHED | State.CORRECTED:
            return head.published_as, False
        case State.SENDING:
            return head.id, True
        case State.QUEUED if head.in_doubt:
            return head.id, True
        case State.QUEUED | State.REJECTED | State.CONFLICT:
            move(conn, now, [head.seq], State.SUPERSEDED)
            return head.base, head.blocked
        case State.SUPERSEDED | State.WITHDRAWN:
            return head.base, head.blocked


def withdraw(conn: Connection, now: datetime, submission: str, action: str | None = None) -> Accepted:
    """Take back what the master cannot have. The version below it is the head again. `action` is the one that
    it is part of, and that can be undone whole.

    :raises NotThere: no such submission.
    :raises HeadMoved: it is published, on its way or in doubt: it can only be corrected; nothing changed."""
    chain = lock_chain_of(conn, submission)
    row = find(conn, Submission.id == submission, lock=True)
    if row is None or chain is None:
        raise NotThere(say("There is no such submission here."))
    if row.state == State.WITHDRAWN:
        return Accepted(row.id, State.WITHDRAWN, row.digest, created=False)
    if row.in_doubt or not may_move(State(row.state), State.WITHDRAWN):
        raise HeadMoved(
            say("This version cannot be taken back: the master has it, or may have it. Send a correction instead."),
            chain.head,
        )
    move(conn, now, [row.seq], State.WITHDRAWN, withdrawn_in=action)
    if chain.head == row.id:
        conn.execute(update(Chain).where(Chain.id == chain.id).values(head=_known_version(conn, chain.id, row.base)))
    return Accepted(row.id, State.WITHDRAWN, row.digest, created=False)


def undo_withdrawal(conn: Connection, now: datetime, submission: str) -> Accepted:
    """Put a withdrawn version back in the queue, while nothing has taken its place.

    :raises HeadMoved: another version came since; nothing changed."""
    chain = lock_chain_of(conn, submission)
    row = find(conn, Submission.id == submission, lock=True)
    if row is None or chain is None:
        raise NotThere(say("There is no such submission here."))
    if row.state != State.WITHDRAWN:
        return Accepted(row.id, State(row.state), row.digest, created=False)
    if chain.head != _known_version(conn, chain.id, row.base):
        raise HeadMoved(
            say("Another version has come since; this one cannot be put back. Send it as a correction."),
            chain.head,
        )
    base, blocked = row.base, False
    if chain.head is not None:  # what lies below may have been settled since
        base, blocked = _place_after(conn, now, find(conn, Submission.id == chain.head, lock=True))
    move(conn, now, [row.seq], State.QUEUED, base=base, blocked=blocked, next_attempt_at=None)
    conn.execute(update(Chain).where(Chain.id == chain.id).values(head=row.id))
    return Accepted(row.id, State.QUEUED, row.digest, created=False)


def publish_over(conn: Connection, now: datetime, submission: str) -> Accepted:
    """A person has looked at a conflict, or at a rejection, and wants this sheet published on top of what
    is there.

    :raises HeadMoved: it is in no state that a person decides about."""
    lock_chain_of(conn, submission)
    row = find(conn, Submission.id == submission, lock=True)
    if row is None:
        raise NotThere(say("There is no such submission here."))
    if State(row.state) not in NEEDS_A_PERSON:
        raise HeadMoved(say("There is nothing to decide about this version any more."), row.id)
    base = row.conflict_head if row.state == State.CONFLICT else row.base
    move(conn, now, [row.seq], State.QUEUED, base=base, blocked=False, next_attempt_at=None, failures=0)
    return Accepted(row.id, State.QUEUED, row.digest, created=False)


def forget_client_keys(conn: Connection, before: datetime) -> None:
    """Clients repeat themselves within minutes; a key that is older stands for nothing any more."""
    conn.execute(delete(ClientKey).where(ClientKey.created_at < before))


def _present(conn: Connection, submission: str) -> Accepted:
    row = find(conn, Submission.id == submission)
    if row is None:
        raise NotThere(say("There is no such submission here."))
    return Accepted(row.id, State(row.state), row.digest, created=False)


def _known_version(conn: Connection, chain_id: int, base: str | None) -> str | None:
    """Our version that stands at the master (or waits) under the id `base`; None where it is another node's."""
    if base is None:
        return None
    return (
        conn.execute(
            select(Submission.id).where(
                Submission.chain_id == chain_id, or_(Submission.id == base, Submission.published_as == base)
            )
        )
        .scalars()
        .first()
    )


def _remember(conn: Connection, now: datetime, entry: Entry, content: str, submission: str) -> None:
    if entry.client_key is not None:
        conn.execute(
            _NEW_KEY,
            {
                "event_id": entry.event_id,
                "key": entry.client_key,
                "content": content,
                "submission": submission,
                "created_at": now,
            },
        )
