"""A first version is accepted by one statement on PostgreSQL: its chain, its row, its bytes, the client's key and the
event's count are made together or not at all, and the statement commits itself.

Each question to PostgreSQL is a way there and back, at which a thread of a web process gives way to the others; on the
usual path there are six of them. Whatever is unusual leaves nothing behind here and goes that way: a version that is
there already, a key that was used, a quota that is reached."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, String, and_, bindparam, case, insert, literal, or_, select, true
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import KeyedColumnElement

from resultsq.domain.entry import NO_EVENT, Entry
from resultsq.domain.submission import State
from resultsq.store.engine.prepared import PreparedStatement
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Chain, ClientKey, EventDay, Payload, Submission
from resultsq.store.outbox.acceptance import Acknowledgement, content_of, new_row
from resultsq.store.outbox.chains import ChainPlace
from resultsq.store.outbox.day_counts import counting, day_of
from resultsq.store.outbox.rounds import place_in_order

_FIRST = ChainPlace(None, blocked=False)


def accept_first(
    database: Database, now: datetime, entry: Entry, most_submissions: int, most_bytes: int
) -> Acknowledgement | None:
    """Store and commit a first version of an event, with which it hands in no more than so much today (0: no limit).
    None: nothing was stored, and the usual path tells what becomes of it.

    :raises StoreUnavailable, StoreUnsure: as `Database.write`"""
    unusual = entry.if_match is not None or entry.files or entry.slip is not None or entry.event_id == NO_EVENT
    if unusual or database.is_sqlite:
        return None
    row = new_row(now, entry, 1, _FIRST)
    given = {
        **row,
        "_lane": row["lane"],
        "_destination": entry.destination,
        "_subject": entry.subject or entry.date,
        "_body": entry.body,
        "_most_submissions": most_submissions,
        "_most_bytes": most_bytes,
        "_day": day_of(now),
    }
    if entry.client_key is not None:
        given |= {"_key": entry.client_key, "_content": content_of(entry)}
    statement = _statement(entry.weight - 1, entry.patience, entry.client_key is not None, tuple(row))

    def work(conn: Connection) -> bool:
        return statement.first(conn, given) is not None

    if not database.write_at_once(work, "accept"):
        return None
    return Acknowledgement(entry.id, State.QUEUED, entry.digest, created=True)


@cache
def _statement(more: int, patience: int, has_key: bool, columns: tuple[str, ...]) -> PreparedStatement:
    key = [Chain.kind, Chain.event_id, Chain.subject]
    chain = (
        postgresql.insert(Chain)
        .values(
            {
                Chain.kind: _given(Submission.kind),
                Chain.event_id: _given(Submission.event_id),
                Chain.subject: bindparam("_subject", type_=String),
                Chain.head: _given(Submission.id),
                Chain.versions: 1,
            }
        )
        .on_conflict_do_nothing(index_elements=key)
        .returning(Chain.id)
        .cte("made")
    )
    of_row = [_given(Submission.__table__.c[name]) for name in columns]
    order = place_in_order(bindparam("_lane", type_=String), more, bindparam("_destination", type_=String), patience)
    row = select(*of_row, chain.c.id, *order.values())
    stored = (
        insert(Submission)
        .from_select([*columns, "chain_id", *order], row, include_defaults=False)
        .returning(Submission.seq)
        .cte("stored")
    )
    body = select(stored.c.seq, bindparam("_body", type_=Payload.body.type))
    kept = insert(Payload).from_select(["seq", "body"], body).returning(Payload.seq).cte("kept")
    one_more = select(
        _given(Submission.event_id), bindparam("_day", type_=String), literal(1), _given(Submission.size)
    ).select_from(stored)
    into = ["event_id", "day", "submissions", "bytes"]
    used = counting(postgresql.insert(EventDay).from_select(into, one_more)).cte("used")
    over = or_(_is_over("_most_submissions", used.c.submissions), _is_over("_most_bytes", used.c.bytes))
    # a division by zero undoes it all
    whole = select(stored.c.seq, 1 / case((over, 0), else_=1)).select_from(stored.join(used, true())).add_cte(kept)
    return PreparedStatement(whole.add_cte(_key(stored)) if has_key else whole)


def _key(stored: Any) -> Any:
    values = select(
        _given(Submission.event_id),
        bindparam("_key", type_=String),
        bindparam("_content", type_=String),
        _given(Submission.id),
        _given(Submission.accepted_at),
    ).select_from(stored)
    columns = ["event_id", "key", "content", "submission", "created_at"]
    return insert(ClientKey).from_select(columns, values).returning(ClientKey.key).cte("noted")


def _given(column: Any) -> KeyedColumnElement[Any]:
    return bindparam(column.name, type_=column.type)


def _is_over(most: str, used: Any) -> Any:
    limit = bindparam(most, type_=BigInteger)
    return and_(limit > 0, used > limit)
