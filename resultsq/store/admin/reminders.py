"""Reminders that runners asked for, until a worker has answered them, and the links that open a profile."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, or_, select, update

from resultsq.store.engine import personal
from resultsq.store.engine.tables import ProfileLink, ReminderRequest

MOST_WAITING = 5000
"""Requests that wait at once: what is more is refused, so that no flood fills the disk."""

MOST_OF_AN_ADDRESS = 3
COUNTED = timedelta(days=1)
"""How long a request is counted for its address, and kept."""

LINK_LIFE = timedelta(days=2)

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits for its answer, in this language."""

    id: str
    asked_at: datetime
    language: str


class TooManyWait(Exception):
    """As many wait as may."""


def ask(conn: Connection, now: datetime, request: Asked, address: str, mark: bytes) -> bool:
    """Keep a request, its address sealed; False: this address (`mark`, a keyed hash of it) was asked for as often as it
    may be in a day.

    :raises TooManyWait: as many wait as may"""
    of_address = select(func.count()).where(ReminderRequest.mark == mark, ReminderRequest.asked_at > now - COUNTED)
    if conn.execute(of_address).scalar_one() >= MOST_OF_AN_ADDRESS:
        return False
    if conn.execute(_waiting().offset(MOST_WAITING - 1).limit(1)).first() is not None:
        raise TooManyWait
    row = {"id": request.id, "asked_at": request.asked_at, "language": request.language, "mark": mark}
    sealed = personal.seal(conn, address.encode(), request.id)
    conn.execute(insert(ReminderRequest), {**row, "sealed": sealed})
    return True


def _waiting() -> Select[str, datetime, str]:
    columns = (ReminderRequest.id, ReminderRequest.asked_at, ReminderRequest.language)
    return select(*columns).where(ReminderRequest.sealed.is_not(None)).order_by(ReminderRequest.asked_at)


def waiting(conn: Connection, limit: int) -> list[Asked]:
    """The first requests that wait for an answer."""
    return [Asked(*row) for row in conn.execute(_waiting().limit(limit))]


def take(conn: Connection, request: str) -> str | None:
    """The address of a request, which this transaction answers: it is deleted here. None: another one did.

    :raises KeyMissing, SealBroken: it cannot be opened"""
    waits = (ReminderRequest.id == request, ReminderRequest.sealed.is_not(None))
    sealed = conn.execute(select(ReminderRequest.sealed).where(*waits).with_for_update()).scalar()
    if sealed is None:
        return None
    conn.execute(update(ReminderRequest).where(*waits).values(sealed=None))
    return personal.opened(conn, sealed, request).decode()


def drop(conn: Connection, request: str) -> None:
    """This request gets no answer: its address is deleted."""
    conn.execute(update(ReminderRequest).where(ReminderRequest.id == request).values(sealed=None))


def forget_some(conn: Connection, now: datetime) -> int:
    """Delete requests that are no longer counted, and links that have expired, some hundred at once; how many."""
    count = 0
    for key, over in (
        (ReminderRequest.id, ReminderRequest.asked_at < now - COUNTED),
        (ProfileLink.hash, ProfileLink.expires_at < now),
    ):
        keys: Sequence[str] = conn.execute(select(key).where(over).limit(_AT_ONCE)).scalars().all()
        if keys:
            count += int(conn.execute(delete(key.class_).where(key.in_(keys))).rowcount)
    return count


def is_due(conn: Connection, now: datetime) -> bool:
    """Whether a request waits for an answer, or there is anything for `forget_some`."""
    return bool(conn.execute(_IS_DUE, {"now": now, "counted": now - COUNTED}).scalar_one())


_IS_DUE = select(  # built once: each worker asks every two seconds
    or_(
        select(ReminderRequest.id).where(ReminderRequest.sealed.is_not(None)).exists(),
        select(ReminderRequest.id).where(ReminderRequest.asked_at < bindparam("counted")).exists(),
        select(ProfileLink.hash).where(ProfileLink.expires_at < bindparam("now")).exists(),
    )
)


# links


def add_link(conn: Connection, now: datetime, number: str) -> str:
    """A new link that opens this athlete's profile; its secret, which is kept nowhere."""
    secret = secrets.token_urlsafe(32)
    row = {"hash": _hash(secret), "number": int(number[1:]), "expires_at": now + LINK_LIFE}
    conn.execute(insert(ProfileLink), row)
    return secret


def use_link(conn: Connection, now: datetime, secret: str) -> str | None:
    """The number of the athlete whose profile this secret opens, once; None: it is unknown, was used or has expired."""
    good = (ProfileLink.hash == _hash(secret), ProfileLink.expires_at > now)
    number = conn.execute(delete(ProfileLink).where(*good).returning(ProfileLink.number)).scalar()
    return None if number is None else f"A{number}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
