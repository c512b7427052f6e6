"""Copies of another node's accounts, events and tokens, so that people log in at both and programs submit to both.

They come over the network from the node that a setting names, or in a file. They are changed at their source alone."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from cryptography.fernet import Fernet, InvalidToken
from pydantic import ValidationError
from sqlalchemy import Connection

from resultsq.app.context import Transaction
from resultsq.clock import Clock
from resultsq.domain.errors import Conflicting, InputRefused, SettingsError
from resultsq.domain.i18n import gettext
from resultsq.domain.invalid import first
from resultsq.domain.people_copy import PeopleList
from resultsq.domain.role import Role
from resultsq.store.admin import people_copies as stored
from resultsq.store.admin import tokens
from resultsq.store.admin.people_copies import AT_ONCE, CopyCount
from resultsq.store.engine import audit
from resultsq.store.engine.session import Database
from resultsq.store.outbox.custody import known_name, node_name

WHO = "copy of people"
"""Who changed it, in the audit."""

FROM_FILE = ""
"""The address of copies that came in a file."""

MOST_NAMED = 20
"""Of the accounts that are not copied, because an account of this node's own has the name."""

_LARGEST = 64 * 1024 * 1024

T = TypeVar("T")
One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class CopiesTaken:
    """What a list changed here. `left` are accounts of this node's own that have a name on the list."""

    changed: int
    left: Sequence[str] = field(default_factory=tuple)


class OtherSource(Conflicting):
    """The list is another node's than the one whose copies are here."""


# at the source


def allow(tx: Transaction, label: str) -> str:
    """A token with which another node copies: it is returned here and nowhere else, ever.

    :raises InputRefused: the label cannot be taken"""
    token, number = tokens.issue_numbered(tx.conn, tx.now, label, Role.COPY)
    tx.note("issue token", {"token": number, "role": Role.COPY})
    return token


def listed(database: Database, now: datetime) -> tuple[PeopleList, str]:
    """What another node may copy, and a tag that changes with it."""
    with database.read() as conn:
        name = known_name(conn)
    if name is None:
        name = database.write(node_name)
    with database.read() as conn:
        found = stored.own_people(conn, now, name)
    text = found.model_dump_json(exclude={"made_at"})
    return found, f'"{hashlib.sha256(text.encode()).hexdigest()}"'


def seal(found: PeopleList, key: str) -> bytes:
    """The list as a file: encrypted and signed with a key that both nodes have. Password hashes are in it.

    :raises SettingsError: there is no key, or it makes no sense"""
    return _lock(key).encrypt(found.model_dump_json().encode())


def unseal(content: bytes, key: str) -> PeopleList:
    """The list in such a file.

    :raises SettingsError: there is no key, or it makes no sense
    :raises InputRefused: it was sealed with another key, was changed on its way, or is another file"""
    if len(content) > _LARGEST:
        raise InputRefused(gettext("The file is too large to be such a list. Nothing was changed."))
    try:
        return read(_lock(key).decrypt(content.strip()))
    except InvalidToken:
        raise InputRefused(
            gettext("The file was sealed with another key, or was changed on its way. Nothing was changed.")
        ) from None


def read(content: bytes) -> PeopleList:
    """The list in these bytes.

    :raises InputRefused: they are none"""
    try:
        return PeopleList.model_validate_json(content)
    except ValidationError as error:
        raise InputRefused(
            gettext("This is no list of accounts: {place}. Nothing was changed.", place=first(error).pointer or "/")
        ) from None


def _lock(key: str) -> Fernet:
    if not key:
        raise SettingsError(gettext("A list of accounts needs a key that both nodes have: set RESULTSQ_PEOPLE_KEY."))
    try:
        return Fernet(key)
    except ValueError:
        raise SettingsError(gettext("RESULTSQ_PEOPLE_KEY is no key: `resultsq bundle-key` prints one.")) from None


# at the node that has the copies


def take_in(
    database: Database, clock: Clock, found: PeopleList, address: str, etag: str = "", *, other_source: bool = False
) -> CopiesTaken:
    """Make the copies here as the list says. It is done in pieces: a process that dies leaves some of it, and the next
    try does the rest. `other_source`: also where the copies came from another node.

    :raises OtherSource: the copies are another node's, or the list is this node's own
    :raises InputRefused: the list is in a file, and older than the copies"""
    is_file = address == FROM_FILE

    def piece(do: Callable[[Connection, datetime], T]) -> T:
        def work(conn: Connection) -> T:
            _demand_same(conn, found, is_file, other_source)
            return do(conn, clock.now())

        return database.write(work)

    changed, left = 0, list[str]()
    for events in _pieces(found.events):
        changed += piece(partial(_in_turn, stored.put_events, events))
    for accounts in _pieces(found.accounts):
        some, taken = piece(partial(_in_turn, stored.put_accounts, accounts))
        changed, left = changed + some, left + taken
    for good in _pieces(found.tokens):
        changed += piece(partial(_in_turn, stored.put_tokens, good))

    def finish(conn: Connection, now: datetime) -> int:
        ended = stored.end_others(conn, now, found)
        values = {"source": found.source, "address": address, "etag": etag, "made_at": found.made_at}
        stored.write_state(conn, left_names=left[:MOST_NAMED], error=None, **values)
        if changed + ended:
            audit.note(
                conn, now, WHO, "copy people", {"source": found.source, "from": address or "a file"}, changed + ended
            )
        return ended

    return CopiesTaken(changed + piece(finish), tuple(left))


def _in_turn(
    put: Callable[[Connection, datetime, Sequence[One]], T], some: Sequence[One], conn: Connection, now: datetime
) -> T:
    return put(conn, now, some)


def _pieces(rows: Sequence[One]) -> list[Sequence[One]]:
    return [rows[begin : begin + AT_ONCE] for begin in range(0, len(rows), AT_ONCE)]


def _demand_same(conn: Connection, found: PeopleList, is_file: bool, other_source: bool) -> None:
    """A node that lost its database answers with a new name and without accounts: what is here stays then."""
    before = stored.locked_state(conn)
    if found.source == known_name(conn):
        raise OtherSource(gettext("This list is this node's own. Nothing was changed."))
    if before.source and before.source != found.source:
        if not other_source:
            raise OtherSource(
                gettext(
                    "The copies here are of another node, or the node they came from was set up anew. Nothing was "
                    "changed. If the accounts there are right, run `resultsq sync --other-source`."
                )
            )
        stored.write_state(conn, source=found.source, made_at=None)
    elif is_file and before.made_at is not None and found.made_at < before.made_at:
        raise InputRefused(
            gettext(
                "The list in this file is of {file}, and the copies here are of {here}. Nothing was changed: export "
                "the list again.",
                file=f"{found.made_at:%Y-%m-%d %H:%M} UTC",
                here=f"{before.made_at:%Y-%m-%d %H:%M} UTC",
            )
        )


def adopt(tx: Transaction) -> CopyCount:
    """Make all copies this node's own: their source will not come back."""
    found = stored.adopt(tx.conn)
    tx.note("adopt people", {"events": found.events, "accounts": found.accounts, "tokens": found.tokens})
    return found


# what is refused for a copy


def demand_own_account(conn: Connection, name: str) -> None:
    """:raises Conflicting: the account is a copy."""
    if stored.is_copied_account(conn, name):
        raise _is_copy(conn)


def demand_own_event(conn: Connection, slug: str) -> None:
    """:raises Conflicting: the event is a copy."""
    if stored.is_copied_event(conn, slug):
        raise _is_copy(conn)


def demand_own_token(conn: Connection, number: int) -> None:
    """:raises Conflicting: the token is a copy."""
    if stored.is_copied_token(conn, number):
        raise _is_copy(conn)


def _is_copy(conn: Connection) -> Conflicting:
    return Conflicting(
        gettext(
            "This is a copy from {source}. Nothing was changed. Change it there; the copy follows in a minute or two.",
            source=stored.state(conn).address or gettext("another node"),
        )
    )
