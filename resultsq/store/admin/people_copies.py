"""Accounts, events and tokens as copies: those of this node for another one, and another one's here.

A copy is never changed here but by its source. An account of this node's own is never touched: of two with one name,
each stays at its own node."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.domain.people_copy import SCHEMA, CopiedAccount, CopiedEvent, CopiedToken, PeopleList
from resultsq.domain.role import Role
from resultsq.store.engine.columns import by_code_point
from resultsq.store.engine.tables import NO_EVENT, Account, AccountEvent, ApiToken, Event, PeopleCopy

AT_ONCE = 500
"""Rows of one transaction: results are accepted between two."""

_RUN = ("first_least_s", "first_most_s", "shortest_s", "longest_s")


@dataclass(frozen=True, slots=True)
class CopyState:
    """How the copy of another node's accounts stands; see the table."""

    source: str = ""
    address: str = ""
    etag: str = ""
    made_at: datetime | None = None
    next_at: datetime | None = None
    wait_s: float = 0.0
    left_names: Sequence[str] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CopyCount:
    """How many copies in use are here."""

    events: int
    accounts: int
    tokens: int


def state(conn: Connection) -> CopyState:
    columns = (
        PeopleCopy.source,
        PeopleCopy.address,
        PeopleCopy.etag,
        PeopleCopy.made_at,
        PeopleCopy.next_at,
        PeopleCopy.wait_s,
        PeopleCopy.left_names,
        PeopleCopy.error,
    )
    row = conn.execute(select(*columns)).first()
    return CopyState() if row is None else CopyState(*row)


def locked_state(conn: Connection) -> CopyState:
    """The same; other processes that change copies wait for this transaction."""
    insert_ = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    empty = {"id": 1, "source": "", "address": "", "etag": "", "wait_s": 0.0}
    conn.execute(insert_(PeopleCopy).values(empty).on_conflict_do_nothing())
    conn.execute(select(PeopleCopy.id).with_for_update())
    return state(conn)


def write_state(conn: Connection, **values: object) -> None:
    """Change what the one row says. It is there once `locked_state` was asked."""
    conn.execute(update(PeopleCopy).values(**values))


def put_off(conn: Connection, now: datetime, wait_s: float, error: str | None) -> None:
    """Ask the source after so long."""
    locked_state(conn)
    write_state(conn, next_at=now + timedelta(seconds=wait_s), wait_s=wait_s, error=error)


def count(conn: Connection) -> CopyCount:
    """The copies that are in use."""
    events = select(func.count()).where(Event.is_copy)
    accounts = select(func.count()).where(Account.is_copy, Account.disabled_at.is_(None))
    tokens = select(func.count()).where(ApiToken.is_copy, ApiToken.revoked_at.is_(None))
    return CopyCount(*(int(conn.execute(one).scalar_one()) for one in (events, accounts, tokens)))


def is_copied_account(conn: Connection, name: str) -> bool:
    return conn.execute(select(Account.id).where(Account.name == name, Account.is_copy)).first() is not None


def is_copied_event(conn: Connection, slug: str) -> bool:
    return conn.execute(select(Event.id).where(Event.slug == slug, Event.is_copy)).first() is not None


def is_copied_token(conn: Connection, number: int) -> bool:
    return conn.execute(select(ApiToken.id).where(ApiToken.id == number, ApiToken.is_copy)).first() is not None


# this node's own, for another


def own_people(conn: Connection, now: datetime, source: str) -> PeopleList:
    """What this node lets copy: its own accounts and tokens that are good, and the events. A copy is not copied on, and
    neither is a token with which nodes copy."""
    slugs = {row.id: row.slug for row in conn.execute(select(Event.id, Event.slug).where(Event.id != NO_EVENT))}
    belongs: dict[int, list[str]] = {}
    for row in conn.execute(select(AccountEvent.account_id, AccountEvent.event_id)):
        belongs.setdefault(row.account_id, []).append(slugs[row.event_id])
    accounts = (
        select(Account).where(~Account.is_copy, Account.disabled_at.is_(None)).order_by(by_code_point(Account.name))
    )
    tokens = select(ApiToken).where(~ApiToken.is_copy, ApiToken.revoked_at.is_(None), ApiToken.role != Role.COPY)
    return PeopleList(
        format=SCHEMA,
        source=source,
        made_at=now,
        events=tuple(
            _copied_event(row)
            for row in conn.execute(select(Event).where(Event.id != NO_EVENT).order_by(by_code_point(Event.slug)))
        ),
        accounts=tuple(
            CopiedAccount(
                name=row.name,
                role=row.role,
                password_hash=row.password_hash,
                sessions=hashlib.sha256(f"sessions {row.session_salt}".encode()).hexdigest(),
                mail=row.mail,
                language=row.language,
                events=tuple(sorted(belongs.get(row.id, ()))),
            )
            for row in conn.execute(accounts)
        ),
        tokens=tuple(
            CopiedToken(
                hash=row.hash,
                label=row.label,
                role=row.role,
                event=None if row.event_id is None else slugs[row.event_id],
                events=None if row.events is None else tuple(row.events),
            )
            for row in conn.execute(tokens.order_by(ApiToken.id))
        ),
    )


def _copied_event(row: Any) -> CopiedEvent:
    return CopiedEvent(
        slug=row.slug,
        name=row.name,
        time_zone=row.time_zone,
        country=row.country,
        language=row.language,
        shows_results=row.shows_results,
        run_s=tuple(getattr(row, name) for name in _RUN),
        own=not row.is_copy,
    )


# another node's, here


def put_events(conn: Connection, now: datetime, given: Sequence[CopiedEvent]) -> int:
    """These are as the source says; how many were changed. An event that both nodes have is the source's from now on:
    its slug is one at the master."""
    known = {row.slug: row for row in conn.execute(select(Event).where(Event.slug.in_([one.slug for one in given])))}
    changed = 0
    for one in given:
        values = {
            "name": one.name,
            "time_zone": one.time_zone,
            "country": one.country,
            "language": one.language,
            "shows_results": one.shows_results,
            **dict(zip(_RUN, one.run_s, strict=True)),
            "is_copy": one.own,
        }
        row = known.get(one.slug)
        if row is None:
            conn.execute(insert(Event), {"slug": one.slug, "created_at": now, **values})
        elif one.own and _differs(row, values):
            conn.execute(update(Event).where(Event.id == row.id).values(values))
        else:
            continue
        changed += 1
    return changed


def put_accounts(conn: Connection, now: datetime, given: Sequence[CopiedAccount]) -> tuple[int, list[str]]:
    """These may log in as the source says; how many were changed, and the names that an account of this node has."""
    named = select(Account).where(Account.name.in_([one.name for one in given]))
    known = {row.name: row for row in conn.execute(named)}
    ids = _event_ids(conn, [slug for one in given for slug in one.events])
    belongs: dict[int, set[int]] = {}
    theirs = select(AccountEvent).where(AccountEvent.account_id.in_([row.id for row in known.values()]))
    for link in conn.execute(theirs):
        belongs.setdefault(link.account_id, set()).add(link.event_id)
    changed, taken = 0, []
    for one in given:
        row, events = known.get(one.name), {ids[slug] for slug in one.events if slug in ids}
        if row is not None and not row.is_copy:
            taken.append(one.name)
        elif _put_account(conn, now, one, row) | _put_account_events(conn, one, events, belongs, row):
            changed += 1
    return changed, taken


def _put_account(conn: Connection, now: datetime, one: CopiedAccount, row: Any) -> bool:
    values: dict[str, Any] = {
        "password_hash": one.password_hash,
        "role": one.role,
        "mail": one.mail,
        "copied_sessions": one.sessions,
        "disabled_at": None,
    }
    if row is not None and not _differs(row, values):
        return False
    if row is None or row.copied_sessions != one.sessions or row.disabled_at is not None:
        values["session_salt"] = secrets.token_hex(16)
    if row is None or row.mail != one.mail:
        values["mail_secret"] = None if one.mail is None else secrets.token_urlsafe(32)
    if row is None:  # the language is its owner's to choose here, too
        first = {"name": one.name, "created_at": now, "language": one.language, "is_copy": True}
        conn.execute(insert(Account), {**first, **values})
    else:
        conn.execute(update(Account).where(Account.id == row.id).values(values))
    return True


def _put_account_events(
    conn: Connection, one: CopiedAccount, events: set[int], belongs: dict[int, set[int]], row: Any
) -> bool:
    account = conn.execute(select(Account.id).where(Account.name == one.name)).scalar_one() if row is None else row.id
    before = belongs.get(account, set())
    if gone := before - events:
        mine = AccountEvent.account_id == account
        conn.execute(delete(AccountEvent).where(mine, AccountEvent.event_id.in_(gone)))
    if new := events - before:
        conn.execute(insert(AccountEvent), [{"account_id": account, "event_id": event} for event in sorted(new)])
    return before != events


def put_tokens(conn: Connection, now: datetime, given: Sequence[CopiedToken]) -> int:
    """These are good here as the source says; how many were changed."""
    hashes = [one.hash for one in given]
    known = {row.hash: row for row in conn.execute(select(ApiToken).where(ApiToken.hash.in_(hashes)))}
    ids = _event_ids(conn, [one.event for one in given if one.event is not None])
    changed = 0
    for one in given:
        row = known.get(one.hash)
        values: dict[str, Any] = {
            "label": one.label,
            "role": one.role,
            "event_id": None if one.event is None else ids.get(one.event),
            "revoked_at": None,
        }
        if one.events is not None:
            values["events"] = list(one.events)
        if one.event is not None and values["event_id"] is None:
            continue  # a team's token is good for an event, or for nothing
        if row is None:
            conn.execute(insert(ApiToken).values(hash=one.hash, created_at=now, is_copy=True, **values))
        elif row.is_copy and _differs(row, values):
            conn.execute(update(ApiToken).where(ApiToken.id == row.id).values(values))
        else:
            continue
        changed += 1
    return changed


def end_others(conn: Connection, now: datetime, given: PeopleList) -> int:
    """Copies that are not on the list end, as they did at the source; how many."""
    names, hashes = {one.name for one in given.accounts}, {one.hash for one in given.tokens}
    accounts = conn.execute(select(Account.id, Account.name).where(Account.is_copy, Account.disabled_at.is_(None)))
    tokens = conn.execute(select(ApiToken.id, ApiToken.hash).where(ApiToken.is_copy, ApiToken.revoked_at.is_(None)))
    ended = [row.id for row in accounts if row.name not in names]
    revoked = [row.id for row in tokens if row.hash not in hashes]
    for account in ended:
        values = {"disabled_at": now, "session_salt": secrets.token_hex(16)}
        conn.execute(update(Account).where(Account.id == account).values(values))
    for token in revoked:
        conn.execute(update(ApiToken).where(ApiToken.id == token).values(revoked_at=now))
    return len(ended) + len(revoked)


def adopt(conn: Connection) -> CopyCount:
    """All copies are this node's own from now on."""
    found = count(conn)
    for table in (Event, Account, ApiToken):
        conn.execute(update(table).where(table.is_copy).values(is_copy=False))
    conn.execute(delete(PeopleCopy))
    return found


def _event_ids(conn: Connection, slugs: Sequence[str]) -> dict[str, int]:
    found = select(Event.slug, Event.id).where(Event.slug.in_(sorted(set(slugs))), Event.id != NO_EVENT)
    return {row.slug: row.id for row in conn.execute(found)}


def _differs(row: Any, values: dict[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in values.items())
