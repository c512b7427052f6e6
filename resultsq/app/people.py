"""Events, accounts and tokens: who may use this node. Each change writes its line of the audit with it.

Every function that changes something works inside the caller's transaction.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

from sqlalchemy import Connection

from resultsq.app.context import Transaction
from resultsq.app.people_copies import demand_own_account, demand_own_event, demand_own_token
from resultsq.domain import cldr
from resultsq.domain.destinations import is_mail_address
from resultsq.domain.errors import Conflicting, FileRefused, InputRefused, NotThere
from resultsq.domain.i18n import gettext
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.role import PEOPLE, Role
from resultsq.readers.ranges import write_plausible
from resultsq.store.admin import accounts, addresses, events, tokens
from resultsq.store.engine import audit

MOST_ROWS = 10_000
ACCOUNT_COLUMNS = frozenset({"name", "role", "events"})


@dataclass(frozen=True, slots=True)
class NewPerson:
    """An account to be made: `events` are slugs, `mail` its owner's address."""

    name: str
    role: Role
    events: tuple[str, ...] = ()
    mail: str | None = None


# events


@dataclass(frozen=True, slots=True)
class EventDetails:
    """An event's details. `slug` is in addresses and at the master, so it never changes; `plausible` is what a
    run takes there (None: 5 km, or as it was); `language` is that of its pages (None: none, or as it was)."""

    slug: str
    name: str
    time_zone: str
    country: str = ""
    plausible: Plausible | None = None
    language: str | None = None


def add_event(tx: Transaction, event: EventDetails) -> int:
    """Add an event; its id.

    :raises InputRefused: see `events.add`."""
    takes = event.plausible or FIVE_K
    added = events.add(
        tx.conn, tx.now, event.slug, event.name, event.time_zone, event.country, takes, event.language or ""
    )
    tx.note("add event", {"event": event.slug, "name": event.name})
    return added


def change_event(tx: Transaction, event: EventDetails) -> None:
    """Give the event of that slug these other details.

    :raises NotThere: there is no such event.
    :raises InputRefused: see `events.change`."""
    demand_own_event(tx.conn, event.slug)
    before = events.change(
        tx.conn, event.slug, event.name, event.time_zone, event.country, event.plausible, event.language
    )
    changed = {
        field: f"{old} → {new}"
        for field, old, new in (
            ("name", before.name, event.name),
            ("time zone", before.time_zone, event.time_zone),
            ("country", before.country, event.country),
            ("language", before.language or "", before.language or "" if event.language is None else event.language),
            ("a run takes", _range(before.plausible), _range(event.plausible or before.plausible)),
        )
        if old != new
    }
    if changed:
        tx.note("change event", {"event": event.slug, **changed})


def _range(plausible: Plausible) -> str:
    return " ".join(f"{name} {time}" for name, time in write_plausible(plausible).items())


def import_events(tx: Transaction, rows: Sequence[Mapping[str, str]], default_zone: str) -> tuple[int, int]:
    """Add the events of a list; how many were added, and how many were known and left as they are.

    :raises InputRefused: a row cannot be taken; none is added."""
    added, known = events.import_rows(tx.conn, tx.now, rows, default_zone)
    if added:
        slugs = audit.names((row.get("slug") or "").strip() for row in rows)
        tx.note("import events", {"events": slugs}, added)
    return added, known


def show_results(tx: Transaction, slug: str, event_id: int, shown: bool) -> None:
    """Make the event's provisional results public, or not.

    :raises NotThere: there is no such event."""
    demand_own_event(tx.conn, slug)
    events.show_results(tx.conn, event_id, shown)
    tx.note("show results" if shown else "hide results", {"event": slug})


# accounts


def add_account(tx: Transaction, person: NewPerson, password_hash: str) -> None:
    """Add an account.

    :raises InputRefused, NotThere: see `accounts.add`."""
    slugs = sorted(set(person.events))
    accounts.add(tx.conn, tx.now, person.name, password_hash, person.role, slugs)
    if person.mail is not None:
        addresses.set_mail(tx.conn, person.name, mail_address(person.mail))
    tx.note("add account", {"account": person.name, "role": person.role, "events": slugs})


def set_mail(tx: Transaction, name: str, address: str) -> None:
    """Mail the account's owner at this address from now on; an empty one: not any more. The audit keeps no address.

    :raises InputRefused: it is not an address
    :raises NotThere: there is no such account."""
    demand_own_account(tx.conn, name)
    if not addresses.set_mail(tx.conn, name, mail_address(address)):
        raise NotThere(gettext("There is no account called {name}.", name=name))
    tx.note("set mail address" if address.strip() else "remove mail address", {"account": name})


def set_language(tx: Transaction, name: str, language: str) -> None:
    """The account's owner reads in this language from now on, on every device and in mails.

    :raises NotThere: there is no such account."""
    if not accounts.set_language(tx.conn, name, language):
        raise NotThere(gettext("There is no account called {name}.", name=name))
    tx.note("set language", {"account": name, "language": language})


def mail_address(text: str) -> str | None:
    """The address that a text is; None: it is empty.

    :raises InputRefused: it is not an address"""
    if text.strip() and not is_mail_address(text.strip()):
        raise InputRefused(gettext("A mail address looks like name@example.org. Nothing was changed."))
    return text.strip() or None


def invite(tx: Transaction, person: NewPerson) -> str:
    """Add an account whose owner chooses the password; the secret of the link with which to do so.

    :raises InputRefused, NotThere: see `accounts.add`."""
    add_account(tx, person, accounts.UNUSABLE)
    return accounts.make_password_link(tx.conn, tx.now, person.name)


def import_accounts(tx: Transaction, people: Sequence[NewPerson]) -> list[tuple[str, str]]:
    """Add the accounts of a list, each as `invite` does; names and secrets.

    :raises InputRefused: a line cannot be taken; its number is named, and none is added."""
    made = []
    for line, person in enumerate(people, start=2):
        try:
            made.append((person.name, invite(tx, person)))
        except (InputRefused, NotThere) as refused:
            raise InputRefused(
                gettext("Line {line}: {refused} No account was added.", line=line, refused=refused)
            ) from None
    return made


def end_account(tx: Transaction, name: str) -> None:
    """Disable the account and end its sessions. It can be undone.

    :raises NotThere: there is no such account.
    :raises InputRefused: it has ended already.
    :raises Conflicting: it is the account of the person who asks."""
    demand_own_account(tx.conn, name)
    if name == tx.who:
        raise Conflicting(gettext("You cannot end your own account. Ask another admin."))
    accounts.disable(tx.conn, tx.now, name)
    tx.note("end account", {"account": name})


def restore_account(tx: Transaction, name: str) -> None:
    """Undo the end of an account: it logs in with the password that it had.

    :raises NotThere: there is no such account.
    :raises InputRefused: it has not ended."""
    demand_own_account(tx.conn, name)
    accounts.enable(tx.conn, name)
    tx.note("restore account", {"account": name})


def set_password(tx: Transaction, name: str, password_hash: str) -> None:
    """Give an account a password; its sessions end.

    :raises NotThere: there is no such account, or it has ended."""
    demand_own_account(tx.conn, name)
    accounts.set_password(tx.conn, name, password_hash)
    tx.note("set password", {"account": name})


def make_password_link(tx: Transaction, name: str) -> str:
    """The secret of a link for a new password, good once and for a day.

    :raises NotThere: there is no such account, or it has ended."""
    demand_own_account(tx.conn, name)
    secret = accounts.make_password_link(tx.conn, tx.now, name)
    tx.note("make password link", {"account": name})
    return secret


def use_password_link(conn: Connection, now: datetime, secret: str, password_hash: str) -> str:
    """Set the password that a link was made for; the account's name.

    :raises NotThere: the link was used, replaced or is too old."""
    name = accounts.use_password_link(conn, now, secret, password_hash)
    audit.note(conn, now, name, "use password link", {"account": name})
    return name


def end_sessions(tx: Transaction, name: str) -> None:
    """Log the account out on every device.

    :raises NotThere: there is no such account."""
    accounts.end_sessions(tx.conn, name)
    tx.note("end sessions", {"account": name})


# tokens


def issue_token(
    tx: Transaction,
    role: Role,
    slug: str | None = None,
    label: str | None = None,
    node_events: Sequence[str] | None = None,
) -> str:
    """A new token: it is returned here and nowhere else, ever. A team's is good for the event `slug`, a node's for
    `node_events`; None: for all.

    :raises NotThere: there is no such event.
    :raises InputRefused: see `tokens.issue`."""
    event_id = None
    if slug is not None:
        event = events.find(tx.conn, slug)
        if event is None:
            raise NotThere(gettext("There is no event called {slug} here. Add it first.", slug=slug))
        event_id = event.id
    token, number = tokens.issue_numbered(tx.conn, tx.now, label or slug or role, role, event_id, node_events)
    covered = {} if node_events is None else {"events": audit.names(node_events)}
    tx.note("issue token", {"token": number, "role": role, "event": slug, **covered})
    return token


def revoke_token(tx: Transaction, number: int) -> None:
    """The token is refused from now on.

    :raises NotThere: there is no such token."""
    demand_own_token(tx.conn, number)
    tokens.revoke(tx.conn, tx.now, number)
    tx.note("revoke token", {"token": number})


# lists


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV list whose first line names its columns.

    :raises FileRefused: it is no UTF-8 text, has no rows or too many, or a row has more cells than the head."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(gettext("The file is not UTF-8 text. Save it as “CSV UTF-8”. Nothing was added.")) from None
    reader = csv.DictReader(StringIO(text), restkey="")
    rows = []
    for row in reader:
        if "" in row:
            raise FileRefused(
                gettext("Line {line} has more cells than the first line. Nothing was added.", line=reader.line_num)
            )
        rows.append(row)
        if len(rows) > MOST_ROWS:
            raise FileRefused(
                gettext("The list has more than {most} lines. Nothing was added.", most=cldr.number(MOST_ROWS))
            )
    if not rows:
        raise FileRefused(gettext("The list has no lines below its first. Nothing was added."))
    return rows


def role_of(text: str) -> Role:
    """:raises InputRefused: there is no role of that name."""
    if text not in PEOPLE:
        raise InputRefused(
            gettext("“{role}” is not a role; the roles are {roles}.", role=text[:80], roles=cldr.listed(PEOPLE))
        )
    return Role(text)


def people_of(rows: Sequence[Mapping[str, str]]) -> list[NewPerson]:
    """The accounts of a list with the columns name, role, events (slugs with spaces between them) and, if there
    are any, mail.

    :raises FileRefused: it has other columns.
    :raises InputRefused: a line names no role; its number is named."""
    if set(rows[0]) - {"mail"} != ACCOUNT_COLUMNS:
        raise FileRefused(
            gettext(
                "The list's first line must be `name,role,events` or `name,role,events,mail`. No account was added."
            )
        )
    people = []
    for line, row in enumerate(rows, start=2):
        try:
            role = role_of((row["role"] or "").strip())
            mail = mail_address(row.get("mail") or "")
        except InputRefused as refused:
            raise InputRefused(
                gettext("Line {line}: {refused} No account was added.", line=line, refused=refused)
            ) from None
        people.append(NewPerson((row["name"] or "").strip(), role, tuple((row["events"] or "").split()), mail))
    return people
