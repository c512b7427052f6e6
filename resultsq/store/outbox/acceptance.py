"""Accept: store one version at the end of its chain."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, String, bindparam, delete, insert, select, update

from resultsq.domain.entry import NO_EVENT
from resultsq.domain.entry import Entry as Entry
from resultsq.domain.entry import File as File
from resultsq.domain.errors import HeadMoved, KeyReused, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.submission import State
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.tables import Chain, ClientKey, Original, Submission
from resultsq.store.outbox import no_event
from resultsq.store.outbox.chains import ChainPlace, place_after
from resultsq.store.outbox.rounds import lane_of, place_in_order
from resultsq.store.outbox.slips import keep_body
from resultsq.store.outbox.states import by_id, lock_chain


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """`created` False: this very submission was here before."""

    id: str
    state: State
    digest: str
    created: bool


def accept(conn: Connection, now: datetime, entry: Entry) -> Acknowledgement:
    """Store one version. The caller commits, and only then says so.

    The same rows as the present head are the head; the same client key is the same submission, and so is the same id
    of a kind without versions: the sender gives that id.

    :raises KeyReused: the client key, or the id, stands for other content.
    :raises HeadMoved: the event and date have a version that the entry does not name, or lost the one it names."""
    if entry.event_id == NO_EVENT:
        no_event.ensure_no_event(conn, now)
    if (known := _by_client_key(conn, entry)) is not None:
        return known
    chain = lock_chain(conn, entry.kind, entry.event_id, entry.subject or entry.date, first=entry.id)
    if entry.subject == entry.id and (same := by_id(conn, entry.id)) is not None:
        return _again(same, entry)
    is_first = chain.head == entry.id  # just now: nearly every entry is the first of its event and date
    head = by_id(conn, chain.head, lock=True) if chain.head is not None and not is_first else None
    if head is not None and head.rows_digest == entry.rows_digest:
        _keep_client_key(conn, now, entry, head.id)
        return Acknowledgement(head.id, State(head.state), head.digest, created=False)
    _demand_that_it_corrects(head, entry)
    place = place_after(conn, now, chain.id, head)
    _store(conn, now, entry, chain.id, chain.versions if is_first else chain.versions + 1, place)
    if not is_first:
        conn.execute(_NEW_HEAD, {"_chain": chain.id, "_head": entry.id})
    _keep_client_key(conn, now, entry, entry.id)
    return Acknowledgement(entry.id, State.QUEUED, entry.digest, created=True)


def _by_client_key(conn: Connection, entry: Entry) -> Acknowledgement | None:
    """The submission that the client's key stands for, where the key was used before."""
    if entry.client_key is None:
        return None
    known = conn.execute(_KNOWN_KEY, {"event_id": entry.event_id, "key": entry.client_key}).first()
    if known is None:
        return None
    if known.content != content_of(entry):
        raise KeyReused(
            gettext("This Idempotency-Key was used for other results. Nothing was stored; send them with a new key.")
        )
    return _present(conn, known.submission)


def content_of(entry: Entry) -> str:
    """What a client's key stands for."""
    return f"{entry.date} {entry.rows_digest}"


def _demand_that_it_corrects(head: Row[Any] | None, entry: Entry) -> None:
    if entry.if_match == (None if head is None else head.id):
        return
    if head is None:
        raise HeadMoved(
            gettext("The version that this corrects is not the present one: there is none for this event and date."),
            None,
        )
    raise HeadMoved(
        gettext(
            "There are already results for this event and date. Look at them; "
            "if yours are better, send them as a correction of that version."
        ),
        head.id,
    )


def new_row(now: datetime, entry: Entry, version: int, place: ChainPlace) -> dict[str, Any]:
    """The submission's row as its INSERT is given it, all but its chain."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "destination": entry.destination,
        "event_id": entry.event_id,
        "lane": lane_of(entry.event_id, entry.kind),
        "date": entry.date,
        "version": version,
        "state": State.QUEUED,
        "state_at": now,
        "digest": entry.digest,
        "rows_digest": entry.rows_digest,
        "finishers_digest": entry.finishers_digest,
        "size": len(entry.body),
        "finishers": entry.finishers,
        "submitted_by": entry.submitted_by,
        "personal": entry.slip is not None,
        "accepted_at": now,
        "request_id": entry.request_id,
        "base": place.base,
        "blocked": place.blocked,
        "hold_id": place.hold,
        "corrects": entry.if_match,
        **_UNTRIED,
    }


def _store(conn: Connection, now: datetime, entry: Entry, chain_id: int, version: int, place: ChainPlace) -> None:
    """Insert the submission, its bytes and its files."""
    given = new_row(now, entry, version, place)
    given |= {"chain_id": chain_id, "_lane": given["lane"], "_destination": entry.destination}
    row = _new(entry.weight - 1, entry.patience).one(conn, given)
    seq = row.seq
    keep_body(conn, seq, entry.id, entry.body, entry.slip)
    if entry.files:
        conn.execute(
            _NEW_ORIGINAL,
            [
                {"seq": seq, "name": f.name, "kind": f.kind, "digest": f.digest, "content": f.content}
                for f in entry.files
            ],
        )


# built once: accepting is what everything else waits for
_LANE = bindparam("_lane", type_=String)
_DESTINATION = bindparam("_destination", type_=String)
_KNOWN_KEY = select(ClientKey.content, ClientKey.submission).where(
    ClientKey.event_id == bindparam("event_id"), ClientKey.key == bindparam("key")
)
_UNTRIED = {"wait_s": 0.0, "attempts": 0, "failures": 0, "silences": 0, "in_doubt": False, "lease_s": 0.0}
_NEW_ORIGINAL = insert(Original)
_NEW_KEY = insert(ClientKey)
_NEW_HEAD = (
    update(Chain).where(Chain.id == bindparam("_chain")).values(head=bindparam("_head"), versions=Chain.versions + 1)
)


@cache
def _new(more: int, patience: int) -> PreparedStatement:
    """The INSERT of a submission of which `more` others share a round, and whose kind begins `patience` rounds later.
    There are as many as kinds differ in these; with the first as a parameter SQLite would plan it anew each time, which
    takes twice as long as the rest of an acceptance."""
    return PreparedStatement(
        insert(Submission).values(place_in_order(_LANE, more, _DESTINATION, patience)).returning(Submission.seq)
    )


def forget_client_keys(conn: Connection, before: datetime) -> None:
    """Clients repeat themselves within minutes; a key that is older stands for nothing any more."""
    conn.execute(delete(ClientKey).where(ClientKey.created_at < before))


def _again(known: Row[Any], entry: Entry) -> Acknowledgement:
    """A submission of a kind without versions is here under the same id."""
    if (known.kind, known.event_id, known.rows_digest) != (entry.kind, entry.event_id, entry.rows_digest):
        raise KeyReused(gettext("This id was used for something else. Nothing was stored; send it with a new id."))
    return Acknowledgement(known.id, State(known.state), known.digest, created=False)


def _present(conn: Connection, submission: str) -> Acknowledgement:
    row = by_id(conn, submission)
    if row is None:
        raise NotThere(gettext("There is no such submission here."))
    return Acknowledgement(row.id, State(row.state), row.digest, created=False)


def _keep_client_key(conn: Connection, now: datetime, entry: Entry, submission: str) -> None:
    if entry.client_key is not None:
        conn.execute(
            _NEW_KEY,
            {
                "event_id": entry.event_id,
                "key": entry.client_key,
                "content": content_of(entry),
                "submission": submission,
                "created_at": now,
            },
        )
