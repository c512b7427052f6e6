"""Accounts of people: made, verified and disabled on this node, so that logging in needs no master.

Argon2 takes about a tenth of a second on purpose: hash with `hash_password` before the write transaction.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, or_, select, true, update

from resultsq.domain.errors import InputRefused, NotThere
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.role import PEOPLE, Role
from resultsq.store.engine.columns import by_code_point
from resultsq.store.engine.tables import Account as Stored
from resultsq.store.engine.tables import AccountEvent, EndedSession, Event, PasswordLink

LINK_LIFE = timedelta(hours=24)
PASSWORD_MIN, PASSWORD_MAX = 8, 200
_NAME_MAX = 100
_NO_LINK = gettext_noop("This link has expired or was already used. Ask an operator for a new one.")

UNUSABLE = "unusable"
"""Stored for an account that has no password yet: no password matches it."""

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """Verified for a name that does not exist, so that the time it takes does not tell. Made when first needed:
    a command that asks for no password need not wait for it."""
    return _hasher.hash(secrets.token_urlsafe())


@dataclass(frozen=True, slots=True)
class AccountView:
    """A person who may log in. `events` are the ids of the events a team account belongs to; `salt` changes
    with the password, so that a session that carries it ends with the old one. `mail`: for admins alone.
    `language` None: its owner has chosen none. `is_copy`: another node's, and changed there alone."""

    id: int
    name: str
    role: Role
    events: frozenset[int]
    salt: str
    disabled_at: datetime | None
    mail: str | None = None
    language: str | None = None
    is_copy: bool = False


def hash_password(password: str) -> str:
    """The hash that is stored of a password.

    :raises InputRefused: it is too short or too long."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise InputRefused(
            gettext(
                "A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters.",
                PASSWORD_MIN=PASSWORD_MIN,
                PASSWORD_MAX=PASSWORD_MAX,
            )
        )
    return _hasher.hash(password)


def add(conn: Connection, now: datetime, name: str, password_hash: str, role: Role, events: Iterable[str] = ()) -> int:
    """A new account; its id. `events` are slugs; a team account has at least one, others none.

    :raises InputRefused: the name is taken or empty, or the events do not fit the role.
    :raises NotThere: there is no such event."""
    slugs = sorted(set(events))
    if not 0 < len(name) <= _NAME_MAX or name != name.strip() or not name.isprintable():
        raise InputRefused(
            gettext("An account's name has 1 to {most} characters, and no space before or after.", most=_NAME_MAX)
        )
    if role not in PEOPLE:
        raise InputRefused(gettext("A node has a token, and no account: `resultsq node add` issues it."))
    if (role is Role.TEAM) != bool(slugs):
        raise InputRefused(
            gettext("A team account belongs to at least one event: name it.")
            if role is Role.TEAM
            else gettext("An account with the role {role} sees all events: name none.", role=role)
        )
    if conn.execute(select(Stored.id).where(Stored.name == name)).first() is not None:
        raise InputRefused(gettext("There is already an account called {name}. Nothing was changed.", name=name))
    ids = {row.slug: row.id for row in conn.execute(select(Event.slug, Event.id).where(Event.slug.in_(slugs)))}
    for slug in slugs:
        if slug not in ids:
            raise NotThere(gettext("There is no event called {slug} here. Add it first.", slug=slug))
    account = conn.execute(
        insert(Stored).returning(Stored.id),
        {
            "name": name,
            "password_hash": password_hash,
            "role": role,
            "created_at": now,
            "session_salt": secrets.token_hex(16),
        },
    ).scalar_one()
    if slugs:
        conn.execute(insert(AccountEvent), [{"account_id": account, "event_id": ids[slug]} for slug in slugs])
    return account


def set_password(conn: Connection, name: str, password_hash: str) -> None:
    """A new password; every session of the account ends.

    :raises NotThere: there is no such account, or it has ended: a password would not let anybody in."""
    if not _change_where(conn, name, Stored.disabled_at.is_(None), password_hash=password_hash):
        _demand(conn, name)
        raise NotThere(gettext("The account {name} has ended. Restore it first; nothing was changed.", name=name))


def end_sessions(conn: Connection, name: str) -> None:
    """End the account's sessions on all devices: people have to log in again.

    :raises NotThere: there is no such account."""
    _demand(conn, name)
    _change_where(conn, name, true())


def end_session(conn: Connection, now: datetime, session: str, until: datetime) -> None:
    """One session has ended before its time: its cookie is refused. `until`: it would have ended then."""
    conn.execute(delete(EndedSession).where(EndedSession.until < now))
    if not has_ended(conn, session):
        conn.execute(insert(EndedSession), {"hash": _digest(session), "until": until})


def has_ended(conn: Connection, session: str) -> bool:
    """Whether that session was ended."""
    return conn.execute(select(EndedSession.until).where(EndedSession.hash == _digest(session))).first() is not None


def set_language(conn: Connection, name: str, language: str) -> bool:
    """The language in which the account's owner reads; False: there is no such account. Its sessions go on."""
    return conn.execute(update(Stored).where(Stored.name == name).values(language=language)).rowcount > 0


def disable(conn: Connection, now: datetime, name: str) -> None:
    """Disable the account: it cannot log in, and its sessions end. Its submissions stay.

    :raises NotThere: there is no such account.
    :raises InputRefused: it has ended already."""
    if not _change_where(conn, name, Stored.disabled_at.is_(None), disabled_at=now):
        _demand(conn, name)
        raise InputRefused(gettext("The account {name} has ended already.", name=name))


def enable(conn: Connection, name: str) -> None:
    """Undo `disable`: the account logs in with the password that it had.

    :raises NotThere: there is no such account.
    :raises InputRefused: it has not ended."""
    if not _change_where(conn, name, Stored.disabled_at.is_not(None), disabled_at=None):
        _demand(conn, name)
        raise InputRefused(gettext("The account {name} has not ended.", name=name))


def every(conn: Connection) -> list[AccountView]:
    """All accounts, by name."""
    events: dict[int, set[int]] = {}
    for row in conn.execute(select(AccountEvent.account_id, AccountEvent.event_id)):
        events.setdefault(row.account_id, set()).add(row.event_id)
    return [
        _account(row, events.get(row.id, ()))
        for row in conn.execute(select(Stored).order_by(by_code_point(Stored.name)))
    ]


def search(conn: Connection, text: str, most: int) -> list[AccountView]:
    """The first accounts by name whose name, or an event's slug, has `text` in it."""
    query = select(Stored).order_by(by_code_point(Stored.name)).limit(most)
    if text:
        mine = select(AccountEvent.account_id).join(Event, Event.id == AccountEvent.event_id)
        belongs = Stored.id.in_(mine.where(Event.slug.contains(text.lower(), autoescape=True)))
        query = query.where(or_(func.lower(Stored.name).contains(text.lower(), autoescape=True), belongs))
    return [_with_events(conn, row) for row in conn.execute(query).all()]


def has_team(conn: Connection) -> bool:
    """Whether there is an account of a team."""
    return conn.execute(select(Stored.id).where(Stored.role == Role.TEAM).limit(1)).first() is not None


def known_names(conn: Connection, names: Iterable[str]) -> set[str]:
    """Those of the names that are taken."""
    return set(conn.execute(select(Stored.name).where(Stored.name.in_(list(names)))).scalars())


def load(conn: Connection, account_id: int) -> AccountView | None:
    """The account of that id, while it is not disabled."""
    row = conn.execute(select(Stored).where(Stored.id == account_id, Stored.disabled_at.is_(None))).first()
    return None if row is None else _with_events(conn, row)


def verify(conn: Connection, name: str, password: str) -> AccountView | None:
    """The account, if the password is its own. An unknown or disabled name takes as long as a wrong password.
    To be called inside `Database.read`: the transaction is ended before the hash is computed."""
    row = conn.execute(select(Stored).where(Stored.name == name, Stored.disabled_at.is_(None))).first()
    account = None if row is None else _with_events(conn, row)
    conn.rollback()  # a reader that stays for a tenth of a second holds up a rollback journal's writers
    try:
        has_password = row is not None and row.password_hash != UNUSABLE
        _hasher.verify(
            row.password_hash if row is not None and has_password else _nobody(), password[: PASSWORD_MAX + 1]
        )
    except (VerificationError, InvalidHashError):
        return None
    return account


def may_see(account: AccountView, event_id: int) -> bool:
    """Whether the account may see that event's submissions."""
    return account.role.sees_all_events or event_id in account.events


def make_password_link(conn: Connection, now: datetime, name: str) -> str:
    """The secret of a one-time link for a new password, good for 24 hours. Only its hash is kept.

    :raises NotThere: there is no such account, or it is disabled."""
    account = conn.execute(
        select(Stored.id).where(Stored.name == name, Stored.disabled_at.is_(None))
    ).scalar_one_or_none()
    if account is None:
        raise NotThere(gettext("There is no account called {name} that can log in.", name=name))
    secret = secrets.token_urlsafe(32)
    conn.execute(insert(PasswordLink), {"hash": _digest(secret), "account_id": account, "expires_at": now + LINK_LIFE})
    return secret


def demand_password_link(conn: Connection, now: datetime, secret: str) -> None:
    """To be asked before a password is hashed for a stranger; uses nothing up.

    :raises NotThere: `use_password_link` would raise it too."""
    if conn.execute(_good_link(now, secret)).first() is None:
        raise NotThere(gettext(_NO_LINK))


def use_password_link(conn: Connection, now: datetime, secret: str, password_hash: str) -> str:
    """Set the password that the link was made for; the account's name. The link is good no more, and no
    other link of this account is.

    :raises NotThere: the link was never made, was used, is too old, or its account is disabled."""
    row = conn.execute(_good_link(now, secret).with_for_update(of=PasswordLink)).first()
    if row is None:
        raise NotThere(gettext(_NO_LINK))
    conn.execute(
        update(PasswordLink)
        .where(PasswordLink.account_id == row.account_id, PasswordLink.used_at.is_(None))
        .values(used_at=now)
    )
    set_password(conn, row.name, password_hash)
    return str(row.name)


def _good_link(now: datetime, secret: str) -> Select[int, str]:
    return (
        select(PasswordLink.account_id, Stored.name)
        .join(Stored, Stored.id == PasswordLink.account_id)
        .where(
            PasswordLink.hash == _digest(secret),
            PasswordLink.used_at.is_(None),
            PasswordLink.expires_at > now,
            Stored.disabled_at.is_(None),
        )
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _change_where(conn: Connection, name: str, where: ColumnElement[bool], **values: object) -> bool:
    """Change the account where the condition holds, and end its sessions; whether it did."""
    change = update(Stored).where(Stored.name == name, where)
    return conn.execute(change.values(session_salt=secrets.token_hex(16), **values)).rowcount > 0


def _demand(conn: Connection, name: str) -> None:
    if conn.execute(select(Stored.id).where(Stored.name == name)).first() is None:
        raise NotThere(gettext("There is no account called {name}.", name=name))


def _with_events(conn: Connection, row: Row[Any]) -> AccountView:
    events = conn.execute(select(AccountEvent.event_id).where(AccountEvent.account_id == row.id)).scalars()
    return _account(row, events)


def _account(row: Row[Any], events: Iterable[int]) -> AccountView:
    return AccountView(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        events=frozenset(events),
        salt=row.session_salt,
        disabled_at=row.disabled_at,
        mail=row.mail,
        language=row.language,
        is_copy=row.is_copy,
    )
