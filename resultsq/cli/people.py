"""Who may use this node: events, the accounts of people, the tokens of programs."""

import secrets
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import click

from resultsq.address import public_address
from resultsq.app import people
from resultsq.app.context import Transaction
from resultsq.app.people import EventDetails, NewPerson
from resultsq.cli.node import CliContext, Overrides, PathParam, as_json_option, show, who
from resultsq.domain import cldr
from resultsq.domain.collation import ordered
from resultsq.domain.errors import NotThere
from resultsq.domain.i18n import gettext, gettext_noop, ngettext
from resultsq.domain.plausible import PRESETS
from resultsq.domain.role import PEOPLE, Role
from resultsq.readers.ranges import read_plausible, write_plausible
from resultsq.store.admin import accounts, events, tokens

T = TypeVar("T")

_EVENTS = {
    "slug": gettext_noop("slug"),
    "name": gettext_noop("name"),
    "time_zone": gettext_noop("time zone"),
    "country": gettext_noop("country"),
    "shows_results": gettext_noop("shows results"),
}
_ACCOUNTS = {
    "name": gettext_noop("name"),
    "role": gettext_noop("role"),
    "events": gettext_noop("events"),
    "disabled_at": gettext_noop("disabled"),
}
_TOKENS = {
    "id": gettext_noop("id"),
    "label": gettext_noop("label"),
    "role": gettext_noop("role"),
    "event": gettext_noop("event"),
    "created_at": gettext_noop("created"),
    "revoked_at": gettext_noop("revoked"),
}
_TIMES = {
    "first_from": gettext_noop("first from"),
    "first_to": gettext_noop("first to"),
    "fastest": gettext_noop("fastest"),
    "slowest": gettext_noop("slowest"),
}

_FILE = PathParam(exists=True, dir_okay=False, path_type=Path)
_ROLES = click.Choice([role.value for role in PEOPLE])
_password_stdin = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the standard input. Default: one is made and printed.",
)


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a run takes at an event."""
    for option in (
        click.option("--slowest", metavar="TIME", help="The slowest time that is plausible, like 4:00:00."),
        click.option("--fastest", metavar="TIME", help="The fastest time that is plausible, like 10:00."),
        click.option("--first-to", metavar="TIME", help="The latest first finisher, like 45:00."),
        click.option("--first-from", metavar="TIME", help="The earliest first finisher, like 12:00."),
        click.option("--run", type=click.Choice(list(PRESETS)), help="The times of a usual run. Default: 5k."),
    ):
        command = option(command)
    return command


@click.group()
def event() -> None:
    """Events that may submit."""


@event.command("add")
@click.argument("slug")
@click.argument("name")
@click.option("--timezone", help="Like Europe/London. Default: the setting time_zone.")
@click.option("--country", default="")
@click.option("--language", help="Of its pages and mails, for readers who have chosen none, like de.")
@_run_options
@click.pass_obj
def event_add(
    overrides: Overrides,
    /,
    slug: str,
    name: str,
    timezone: str | None,
    country: str,
    language: str | None,
    **run: str | None,
) -> None:
    """Add the event SLUG (its name in addresses), called NAME."""
    node = CliContext(overrides)
    added = EventDetails(slug, name, timezone or node.settings.time_zone, country, read_plausible(run), language)
    _change(node, lambda tx: people.add_event(tx, added))
    click.echo(gettext("Added the event {event}.", event=slug))


@event.command("set")
@click.argument("slug")
@click.option("--name")
@click.option("--timezone", help="Like Europe/London.")
@click.option("--country")
@click.option("--language", help="Of its pages and mails, for readers who have chosen none. Empty: none.")
@_run_options
@click.pass_obj
def event_set(
    overrides: Overrides,
    /,
    slug: str,
    name: str | None,
    timezone: str | None,
    country: str | None,
    language: str | None,
    **run: str | None,
) -> None:
    """Change the event SLUG; what no option names stays as it is."""
    node = CliContext(overrides)

    def change(tx: Transaction) -> dict[str, str]:
        one = events.find(tx.conn, slug)
        if one is None:
            raise NotThere(gettext("There is no event called {event} here.", event=slug))
        land = one.country if country is None else country
        takes = read_plausible(run, one.plausible)
        changed = EventDetails(slug, name or one.name, timezone or one.time_zone, land, takes, language)
        people.change_event(tx, changed)
        return write_plausible(takes)

    takes = ", ".join(" ".join((gettext(_TIMES[field]), time)) for field, time in _change(node, change).items())
    click.echo(gettext("Changed the event {event}. A run there: {times}.", event=slug, times=takes))


@event.command("import")
@click.argument("file", type=_FILE)
@click.pass_obj
def event_import(overrides: Overrides, file: Path) -> None:
    """Add the events of a CSV FILE: slug,name and, if you like, timezone,country,
    language,run (5k or junior),first_from,first_to,fastest,slowest.

    Events that are here already are left as they are. Where a line is wrong, none is added."""
    node = CliContext(overrides)
    zone, rows = node.settings.time_zone, people.rows_of(file.read_bytes())
    added, known = _change(node, lambda tx: people.import_events(tx, rows, zone))
    count = cldr.number(known)
    said = ngettext(
        "Added {number} event; {known} were here before.",
        "Added {number} events; {known} were here before.",
        added,
        known=count,
    )
    click.echo(said)


@event.command("list")
@as_json_option
@click.pass_obj
def event_list(overrides: Overrides, as_json: bool) -> None:
    """All events."""
    with CliContext(overrides).database.read() as conn:
        show(events.every(conn), _EVENTS, as_json)


@click.group()
def account() -> None:
    """People who log in."""


@account.command("add")
@click.argument("name")
@click.option("--role", type=_ROLES, default=Role.TEAM.value, show_default=True)
@click.option("--event", "slugs", multiple=True, metavar="SLUG", help="An event of this team; may be given again.")
@_password_stdin
@click.pass_obj
def account_add(overrides: Overrides, name: str, role: str, slugs: tuple[str, ...], password_stdin: bool) -> None:
    """Add the account NAME."""
    password, hashed = _new_password(password_stdin)
    _change(CliContext(overrides), lambda tx: people.add_account(tx, NewPerson(name, Role(role), slugs), hashed))
    _tell_password(name, password, password_stdin)


@account.command("import")
@click.argument("file", type=_FILE)
@click.pass_obj
def account_import(overrides: Overrides, file: Path) -> None:
    """Add the accounts of a CSV FILE: name,role,events (slugs with blanks between them).

    Prints for each a link, good once and for a day, with which its owner chooses a password. Where a line is
    wrong, none is added."""
    node = CliContext(overrides)
    given = people.people_of(people.rows_of(file.read_bytes()))
    for name, secret in _change(node, lambda tx: people.import_accounts(tx, given)):
        click.echo(f"{name}\t{_password_link(node, secret)}")


@account.command("mail")
@click.argument("name")
@click.argument("address", default="")
@click.pass_obj
def account_mail(overrides: Overrides, name: str, address: str) -> None:
    """Mail the owner of NAME at ADDRESS about its results. Without ADDRESS: not any more."""
    _change(CliContext(overrides), lambda tx: people.set_mail(tx, name, address))
    if address:
        click.echo(gettext("{name} is mailed at {address}.", name=name, address=address))
    else:
        click.echo(gettext("{name} is mailed no more.", name=name))


@account.command("disable")
@click.argument("name")
@click.pass_obj
def account_disable(overrides: Overrides, name: str) -> None:
    """Let nobody log in as NAME any more. What the account did stays. `account restore` undoes it."""
    _change(CliContext(overrides), lambda tx: people.end_account(tx, name))
    click.echo(gettext("Disabled the account {name}; its sessions have ended.", name=name))


@account.command("restore")
@click.argument("name")
@click.pass_obj
def account_restore(overrides: Overrides, name: str) -> None:
    """Let NAME log in again, with the password that it had."""
    _change(CliContext(overrides), lambda tx: people.restore_account(tx, name))
    click.echo(gettext("Restored the account {name}.", name=name))


@account.command("passwd")
@click.argument("name")
@_password_stdin
@click.pass_obj
def account_passwd(overrides: Overrides, name: str, password_stdin: bool) -> None:
    """Give NAME a new password; its sessions end."""
    password, hashed = _new_password(password_stdin)
    _change(CliContext(overrides), lambda tx: people.set_password(tx, name, hashed))
    _tell_password(name, password, password_stdin)


@account.command("link")
@click.argument("name")
@click.pass_obj
def account_link(overrides: Overrides, name: str) -> None:
    """Print a link, good once and for a day, with which NAME chooses a new password."""
    node = CliContext(overrides)
    click.echo(_password_link(node, _change(node, lambda tx: people.make_password_link(tx, name))))


@account.command("list")
@as_json_option
@click.pass_obj
def account_list(overrides: Overrides, as_json: bool) -> None:
    """All accounts."""
    with CliContext(overrides).database.read() as conn:
        slugs = {event.id: event.slug for event in events.every(conn)}
        rows = [
            {
                "name": one.name,
                "role": one.role,
                "events": sorted(slugs[event] for event in one.events),
                "disabled_at": one.disabled_at,
            }
            for one in ordered(accounts.every(conn), attrgetter("name"))
        ]
    show(rows, _ACCOUNTS, as_json)


@click.group()
def token() -> None:
    """Tokens that programs submit with."""


@token.command("issue")
@click.option("--event", "slug", metavar="SLUG", help="The event that a team's token is good for.")
@click.option("--role", type=_ROLES, default=Role.TEAM.value, show_default=True)
@click.option("--label", help="To know it by in the list. Default: the event or the role.")
@click.pass_obj
def token_issue(overrides: Overrides, slug: str | None, role: str, label: str | None) -> None:
    """Print a new token, alone and this once: only its hash is kept."""
    click.echo(_change(CliContext(overrides), lambda tx: people.issue_token(tx, Role(role), slug, label)))


@token.command("list")
@as_json_option
@click.pass_obj
def token_list(overrides: Overrides, as_json: bool) -> None:
    """All tokens ever issued, but not the tokens themselves."""
    with CliContext(overrides).database.read() as conn:
        rows = [
            {
                "id": issued.bearer.id,
                "label": issued.bearer.label,
                "role": issued.bearer.role,
                "event": issued.bearer.event_slug,
                "created_at": issued.created_at,
                "revoked_at": issued.revoked_at,
            }
            for issued in tokens.every(conn)
        ]
    show(rows, _TOKENS, as_json)


@token.command("revoke")
@click.argument("number", type=int)
@click.pass_obj
def token_revoke(overrides: Overrides, number: int) -> None:
    """Make the token with this NUMBER in the list good for nothing."""
    _change(CliContext(overrides), lambda tx: people.revoke_token(tx, number))
    click.echo(gettext("Token {token} is revoked: it is refused from now on.", token=number))


def _change(node: CliContext, do: Callable[[Transaction], T]) -> T:
    return node.context.transact(who(), do)


def _new_password(from_stdin: bool) -> tuple[str, str]:
    """A password and its hash."""
    password = sys.stdin.readline().rstrip("\r\n") if from_stdin else secrets.token_urlsafe(12)
    return password, accounts.hash_password(password)


def _tell_password(name: str, password: str, given: bool) -> None:
    click.echo(gettext("{name} has the password that you gave.", name=name) if given else f"{name}\t{password}")


def _password_link(node: CliContext, secret: str) -> str:
    return f"{public_address(node.settings)}/password/{secret}"
