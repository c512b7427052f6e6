"""Events, accounts and tokens: who may use this node. Each change writes its line of the audit with it.

Every function works inside the caller's transaction. `who` is the person or program that asks, as the audit names it.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

from sqlalchemy import Connection

from resultsq.domain.errors import FileRefused, InputRefused, NotThere
from resultsq.domain.plausible import FIVE_K, Plausible
from resultsq.domain.role import Role
from resultsq.domain.words import say
from resultsq.readers.ranges import write_plausible
from resultsq.store import accounts, audit, events, tokens

MOST_ROWS = 10_000
ACCOUNT_COLUMNS = frozenset({"name", "role", "events"})


@dataclass(frozen=True, slots=True)
class NewPerson:
    """An account of a list: `events` are slugs."""

    name: str
    role: Role
    events: tuple[str, ...]


# events


def add_event(
    conn: Connection,
    now: datetime,
    who: str,
    slug: str,
    name: str,
    time_zone: str,
    country: str = "",
    plausible: Plausible = FIVE_K,
) -> int:
    """Add an event; its id.

    :raises InputRefused: see `events.add`."""
    event = events.add(conn, now, slug, name, time_zone, country, plausible)
    audit.note(conn, now, who, "add event", {"event": slug, "name": name})
    return event


def change_event(
    conn: Connection,
    now: datetime,
    who: str,
    slug: str,
    name: str,
    time_zone: str,
    country: str = "",
    plausible: Plausible | None = None,
) -> None:
    """Give an event another name, time zone or country, or other times that a run takes (None: as they are). Its
    slug stays: it is in addresses and at the master.

    :raises NotThere: there is no such event.
    :raises InputRefused: see `events.change`."""
    before = events.change(conn, slug, name, time_zone, country, plausible)
    changed = {
        field: f"{old} → {new}"
        for field, old, new in (
            ("name", before.name, name),
            ("time zone", before.time_zone, time_zone),
            ("country", before.country, country),
            ("a run takes", _range(before.plausible), _range(plausible or before.plausible)),
        )
        if old != new
    }
    if changed:
        audit.note(conn, now, who, "change event", {"event": slug, **changed})


def _range(plausible: Plausible) -> str:
    return " ".join(f"{name} {time}" for name, time in write_plausible(plausible).items())


def import_events(
    conn: Connection, now: datetime, who: str, rows: Sequence[Mapping[str, str]], default_zone: str
) -> tuple[int, int]:
    """Add the events of a list; how many were added, and how many were known and left as they are.

    :raises InputRefused: a row cannot be taken; none is added."""
    added, known = events.import_rows(conn, now, rows, default_zone)
    if added:
        slugs = audit.names((row.get("slug") or "").strip() for row in rows)
        audit.note(conn, now, who, "import events", {"events": slugs}, added)
    return added, known


def show_results(conn: Connection, now: datetime, who: str, slug: str, event_id: int, shown: bool) -> None:
    """Make the event's provisional results public, or not.

    :raises NotThere: there is no such event."""
    events.show_results(conn, event_id, shown)
    audit.note(conn, now, who, "show results" if shown else "hide results", {"event": slug})


# accounts


def add_account(
    conn: Connection, now: datetime, who: str, name: str, password_hash: str, role: Role, slugs: Iterable[str] = ()
) -> None:
    """Add an account.

    :raises InputRefused, NotThere: see `accounts.add`."""
    slugs = sorted(set(slugs))
    accounts.add(conn, now, name, password_hash, role, slugs)
    audit.note(conn, now, who, "add account", {"account": name, "role": role, "events": slugs})


def invite(conn: Connection, now: datetime, who: str, name: str, role: Role, slugs: Iterable[str] = ()) -> str:
    """Add an account whose owner chooses the password; the secret of the link with which to do so.

    :raises InputRefused, NotThere: see `accounts.add`."""
    add_account(conn, now, who, name, accounts.UNUSABLE, role, slugs)
    return accounts.make_password_link(conn, now, name)


def import_accounts(conn: Connection, now: datetime, who: str, people: Sequence[NewPerson]) -> list[tuple[str, str]]:
    """Add the accounts of a list, each as `invite` does; names and secrets.

    :raises InputRefused: a line cannot be taken; its number is named, and none is added."""
    made = []
    for line, person in enumerate(people, start=2):
        try:
            made.append((person.name, invite(conn, now, who, person.name, person.role, person.events)))
        except (InputRefused, NotThere) as refused:
            raise InputRefused(
                say("Line {line}: {refused} No account was added.", line=line, refused=refused)
            ) from None
    return made


def end_account(conn: Connection, now: datetime, who: str, name: str) -> None:
    """Nobody can log in with it any more, and its sessions end. It can be undone.

    :raises NotThere: there is no such account.
    :raises InputRefused: it has ended already."""
    accounts.disable(conn, now, name)
    audit.note(conn, now, who, "end account", {"account": name})


def restore_account(conn: Connection, now: datetime, who: str, name: str) -> None:
    """Undo the end of an account: it logs in with the password that it had.

    :raises NotThere: there is no such account.
    :raises InputRefused: it has not ended."""
    accounts.enable(conn, name)
    audit.note(conn, now, who, "restore account", {"account": name})


def set_password(conn: Connection, now: datetime, who: str, name: str, password_hash: str) -> None:
    """Give an account a password; its sessions end.

    :raises NotThere: there is no such account, or it has ended."""
    accounts.set_password(conn, name, password_hash)
    audit.note(conn, now, who, "set password", {"account": name})


def make_password_link(conn: Connection, now: datetime, who: str, name: str) -> str:
    """The secret of a link for a new password, good once and for a day.

    :raises NotThere: there is no such account, or it has ended."""
    secret = accounts.make_password_link(conn, now, name)
    audit.note(conn, now, who, "make password link", {"account": name})
    return secret


def use_password_link(conn: Connection, now: datetime, secret: str, password_hash: str) -> str:
    """Set the password that a link was made for; the account's name.

    :raises NotThere: the link is of no use any more."""
    name = accounts.use_password_link(conn, now, secret, password_hash)
    audit.note(conn, now, name, "use password link", {"account": name})
    return name


def end_sessions(conn: Connection, now: datetime, who: str, name: str) -> None:
    """Log the account out on every device.

    :raises NotThere: there is no such account."""
    accounts.end_sessions(conn, name)
    audit.note(conn, now, who, "end sessions", {"account": name})


# tokens


def issue_token(
    conn: Connection, now: datetime, who: str, role: Role, slug: str | None = None, label: str | None = None
) -> str:
    """A new token: it is returned here and nowhere else, ever. A team's is good for the event `slug`.

    :raises NotThere: there is no such event.
    :raises InputRefused: see `tokens.issue`."""
    event_id = None
    if slug is not None:
        event = events.find(conn, slug)
        if event is None:
            raise NotThere(say("There is no event called {slug} here. Add it first.", slug=slug))
        event_id = event.id
    token, number = tokens.issue_numbered(conn, now, label or slug or role, role, event_id)
    audit.note(conn, now, who, "issue token", {"token": number, "role": role, "event": slug})
    return token


def revoke_token(conn: Connection, now: datetime, who: str, number: int) -> None:
    """The token is refused from now on.

    :raises NotThere: there is no such token."""
    tokens.revoke(conn, now, number)
    audit.note(conn, now, who, "revoke token", {"token": number})


# lists


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV list whose first line names its columns.

    :raises FileRefused: it is no UTF-8 text, has no rows or too many, or a row has more cells than the head."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(say("The file is not UTF-8 text. Save it as “CSV UTF-8”. Nothing was added.")) from None
    reader = csv.DictReader(StringIO(text), restkey="")
    rows = []
    for row in reader:
        if "" in row:
            raise FileRefused(
                say("Line {line} has more cells than the first line. Nothing was added.", line=reader.line_num)
            )
        rows.append(row)
        if len(rows) > MOST_ROWS:
            raise FileRefused(say("The list has more than {most} lines. Nothing was added.", most=f"{MOST_ROWS:,}"))
    if not rows:
        raise FileRefused(say("The list has no lines below its first. Nothing was added."))
    return rows


def role_of(text: str) -> Role:
    """:raises InputRefused: there is no role of that name."""
    try:
        return Role(text)
    except ValueError:
        raise InputRefused(
            say("“{role}” is not a role; the roles are {roles}.", role=text[:80], roles=", ".join(Role))
        ) from None


def people_of(rows: Sequence[Mapping[str, str]]) -> list[NewPerson]:
    """The accounts of a list with the columns name, role and events (slugs with spaces between them).

    :raises FileRefused: it has other columns.
    :raises InputRefused: a line names no role; its number is named."""
    if set(rows[0]) != ACCOUNT_COLUMNS:
        raise FileRefused(say("The list's first line must be `name,role,events`. No account was added."))
    people = []
    for line, row in enumerate(rows, start=2):
        try:
            role = role_of((row["role"] or "").strip())
        except InputRefused as refused:
            raise InputRefused(
                say("Line {line}: {refused} No account was added.", line=line, refused=refused)
            ) from None
        people.append(NewPerson((row["name"] or "").strip(), role, tuple((row["events"] or "").split())))
    return people
