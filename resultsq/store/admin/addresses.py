"""Mail addresses: those of accounts, and those to which nothing is sent any more.

An address is kept with its account alone; of a suppressed one only its hash is."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from resultsq.store.engine.tables import Account, SuppressedAddress

BOUNCED = "bounced"
UNSUBSCRIBED = "unsubscribed"


def fingerprint(address: str) -> str:
    """The hash of a suppressed address; it can be shown."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


def of_account(conn: Connection, account: str) -> str | None:
    """Where mails to this account go; None where it has no address, has ended, or is none."""
    query = select(Account.mail).where(Account.name == account, Account.disabled_at.is_(None))
    return conn.execute(query).scalar_one_or_none()


def any_of_teams(conn: Connection) -> bool:
    """Whether any account has an address."""
    return conn.execute(select(Account.id).where(Account.mail.is_not(None)).limit(1)).first() is not None


def set_mail(conn: Connection, account: str, address: str | None) -> bool:
    """The account's address from now on, to which mails are sent again if they were not; False: there is no such
    account."""
    if address is not None:
        conn.execute(delete(SuppressedAddress).where(SuppressedAddress.hash == fingerprint(address)))
    secret = None if address is None else secrets.token_urlsafe(32)
    change = update(Account).where(Account.name == account).values(mail=address, mail_secret=secret)
    return bool(conn.execute(change).rowcount)


def unsubscribe_secret(conn: Connection, account: str) -> str | None:
    """By which the account's owner unsubscribes from notices."""
    return conn.execute(select(Account.mail_secret).where(Account.name == account)).scalar_one_or_none()


def unsubscribe(conn: Connection, now: datetime, secret: str) -> bool:
    """Send no notice any more to the address of the account with this secret; False: there is none."""
    query = select(Account.mail).where(Account.mail_secret == secret, Account.mail.is_not(None))
    address = conn.execute(query).scalar_one_or_none()
    if address is not None:
        suppress(conn, now, address, UNSUBSCRIBED)
    return address is not None


def is_suppressed(conn: Connection, address: str, notice: bool) -> bool:
    """Whether nothing is to be sent there: to one that bounced; no notice to one whose owner unsubscribed."""
    query = select(SuppressedAddress.reason).where(SuppressedAddress.hash == fingerprint(address))
    reason = conn.execute(query).scalar_one_or_none()
    return reason == BOUNCED or (notice and reason is not None)


def suppress(conn: Connection, now: datetime, address: str, reason: str) -> None:
    """Send nothing, or no notices, there any more. One that bounced stays so."""
    make = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = make(SuppressedAddress).values(hash=fingerprint(address), reason=reason, since=now)
    if reason == BOUNCED:
        conn.execute(row.on_conflict_do_update(index_elements=["hash"], set_={"reason": reason, "since": now}))
    else:
        conn.execute(row.on_conflict_do_nothing())
