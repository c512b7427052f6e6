"""Keeping a node: its settings, its schema, its copies, and the data that it may forget."""

import re
import secrets
import sys
from datetime import timedelta
from pathlib import Path

import click

from resultsq import backup as copies
from resultsq.app import people
from resultsq.app.people import NewPerson
from resultsq.cli.node import CliContext, Overrides, PathParam, as_json_option, show, who
from resultsq.domain.i18n import gettext, gettext_noop, ngettext
from resultsq.domain.role import Role
from resultsq.settings_page import page, shown
from resultsq.store.admin import accounts, retention
from resultsq.store.athletes import lookup
from resultsq.store.engine import migrate
from resultsq.supervisor.folder import make_data_dir, write_secret

_SETTINGS = {
    "setting": gettext_noop("setting"),
    "value": gettext_noop("value"),
    "from": gettext_noop("from"),
    "meaning": gettext_noop("meaning"),
}
ADMIN = "admin"
PASSWORD_FILE = "admin-password"  # noqa: S105 - a file's name


@click.command()
@click.option("--page", "as_page", is_flag=True, help="All there are, with their defaults, as a page of Markdown.")
@as_json_option
@click.pass_obj
def settings(overrides: Overrides, as_page: bool, as_json: bool) -> None:
    """Show what is in force, and where from.

    Secrets are masked."""
    if as_page:
        click.echo(page(), nl=False)
        return
    rows = [dict(zip(_SETTINGS, row, strict=True)) for row in shown(CliContext(overrides).loaded)]
    show(rows, _SETTINGS, as_json)


@click.group()
def db() -> None:
    """The database's schema."""


@db.command("upgrade")
@click.argument("revision", default="head")
@click.option("--first-admin", is_flag=True, help="Make an account that may do everything, where there is none at all.")
@click.pass_obj
def db_upgrade(overrides: Overrides, revision: str, first_admin: bool) -> None:
    """Bring the schema to what this version needs. Workers of the version before may go on meanwhile.

    The password of a first account is shown on a terminal; elsewhere it is in a file that is named."""
    node = CliContext(overrides)
    before = migrate.current(node.new_database)
    node.migrate(migrate.upgrade, revision)
    after = migrate.current(node.unchecked_database)
    if after != before:
        click.echo(gettext("The database is now at revision {revision}.", revision=after))
    if first_admin and (sentence := _make_first_admin(node)) is not None:
        click.echo(sentence)


def _make_first_admin(node: CliContext) -> str | None:
    """Make an admin where there is no account yet; returns the sentence with its password."""
    database, password_file = node.database, node.settings.data_dir / PASSWORD_FILE
    with database.read() as conn:
        if accounts.every(conn):
            return None
    password = secrets.token_urlsafe(12)
    hashed = accounts.hash_password(password)
    on_terminal = sys.stdout.isatty()
    if not on_terminal:  # before the account is made: its password must be shown
        make_data_dir(node.settings)
        write_secret(password_file, password)
    node.context.transact(who(), lambda tx: people.add_account(tx, NewPerson(ADMIN, Role.ADMIN), hashed))
    if on_terminal:
        return gettext(
            "Log in as {name} with the password {password} (it is shown this once).", name=ADMIN, password=password
        )
    return gettext(
        "Log in as {name}; the password is in {file}. Remove that file when you have read it.",
        name=ADMIN,
        file=password_file,
    )


@db.command("downgrade")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask whether there is a backup.")
@click.pass_obj
def db_downgrade(overrides: Overrides, revision: str, yes: bool) -> None:
    """Bring the schema back to REVISION, for an older version of resultsq."""
    if not yes:
        click.confirm(gettext("This may drop columns with what is in them. Is there a backup?"), abort=True)
    node = CliContext(overrides)
    node.migrate(migrate.downgrade, revision)
    revision = migrate.current(node.unchecked_database) or gettext("none")
    click.echo(gettext("The database is at revision {revision}.", revision=revision))


@db.command("current")
@click.pass_obj
def db_current(overrides: Overrides) -> None:
    """Say at which revision the database is, and which one this version needs."""
    found, needed = migrate.current(CliContext(overrides).unchecked_database), migrate.newest()
    if found == needed:
        click.echo(gettext("{revision} (as needed)", revision=found))
    else:
        click.echo(gettext("{revision} ({needed} is needed)", revision=found or gettext("none"), needed=needed))


@click.command()
@click.argument("out", type=PathParam(path_type=Path))
@click.pass_obj
def backup(overrides: Overrides, out: Path) -> None:
    """Copy the node's database into the new file OUT, while it runs."""
    count = copies.backup(CliContext(overrides).database, out)
    said = ngettext("Wrote {number} submission to {file}.", "Wrote {number} submissions to {file}.", count, file=out)
    click.echo(said)
    click.echo(
        gettext("It holds personal data of results. The list of athletes is not in it: it comes anew from the master.")
    )


@click.command()
@click.argument("file", type=PathParam(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def restore(overrides: Overrides, file: Path) -> None:
    """Put the backup FILE into an empty database.

    What waited then is asked for at the master before it is sent again, so nothing is there twice."""
    node = CliContext(overrides)
    count = copies.restore(node.new_database, file, node.clock)
    click.echo(ngettext("Restored {number} submission.", "Restored {number} submissions.", count))


@click.command()
@click.option("--older-than", required=True, metavar="DAYSd", help="Settled longer ago than this, like 400d.")
@click.pass_obj
def prune(overrides: Overrides, older_than: str) -> None:
    """Remove personal data of what was published long ago.

    Sheets, files and drafts go; receipts and digests stay."""
    days = re.fullmatch(r"(\d{1,5})d?", older_than)
    if days is None:
        raise click.BadParameter(gettext("write a number of days, like 400d"), param_hint="--older-than")
    node = CliContext(overrides)
    before = node.clock.now() - timedelta(days=int(days[1]))
    submissions = drafts = 0
    while (done := node.database.write(lambda conn: retention.prune_some(conn, before))) != retention.NOTHING:
        submissions, drafts = submissions + done.submissions, drafts + done.drafts
    click.echo(
        gettext(
            "Pruned {submissions} and {drafts}.",
            submissions=ngettext("{number} submission", "{number} submissions", submissions),
            drafts=ngettext("{number} draft", "{number} drafts", drafts),
        )
    )
    with node.database.read() as conn:
        if (as_of := lookup.as_of(conn)) is not None:
            weeks = node.settings.athletes_keep_weeks
            said = ngettext(
                "The list of athletes stays: it is as of {day}, and forgotten {number} week after that.",
                "The list of athletes stays: it is as of {day}, and forgotten {number} weeks after that.",
                weeks,
                day=f"{as_of:%Y-%m-%d}",
            )
            click.echo(said)
