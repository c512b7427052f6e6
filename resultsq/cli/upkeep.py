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
from resultsq.cli.node import CliContext, Overrides, as_json_option, show, who
from resultsq.domain.role import Role
from resultsq.settings_page import page, shown
from resultsq.store.admin import accounts, retention
from resultsq.store.athletes import lookup
from resultsq.store.engine import migrate
from resultsq.supervisor.folder import make_data_dir, write_secret

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
    columns = ("setting", "value", "from", "meaning")
    rows = [dict(zip(columns, row, strict=True)) for row in shown(CliContext(overrides).loaded)]
    show(rows, columns, as_json)


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
        click.echo(f"The database is now at revision {after}.")
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
        return f"Log in as {ADMIN} with the password {password} (it is shown this once)."
    return f"Log in as {ADMIN}; the password is in {password_file}. Remove that file when you have read it."


@db.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="This may drop columns with what is in them. Is there a backup?")
@click.pass_obj
def db_downgrade(overrides: Overrides, revision: str) -> None:
    """Bring the schema back to REVISION, for an older version of resultsq."""
    node = CliContext(overrides)
    node.migrate(migrate.downgrade, revision)
    click.echo(f"The database is at revision {migrate.current(node.unchecked_database) or 'none'}.")


@db.command("current")
@click.pass_obj
def db_current(overrides: Overrides) -> None:
    """Say at which revision the database is, and which one this version needs."""
    found, needed = migrate.current(CliContext(overrides).unchecked_database), migrate.newest()
    click.echo(f"{found or 'none'} ({'as needed' if found == needed else f'{needed} is needed'})")


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.pass_obj
def backup(overrides: Overrides, out: Path) -> None:
    """Copy the node's database into the new file OUT, while it runs."""
    click.echo(f"Wrote {copies.backup(CliContext(overrides).database, out)} submissions to {out}.")
    click.echo("It holds personal data of results. The list of athletes is not in it: it comes anew from the master.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def restore(overrides: Overrides, file: Path) -> None:
    """Put the backup FILE into an empty database.

    What waited then is asked for at the master before it is sent again, so nothing is there twice."""
    node = CliContext(overrides)
    click.echo(f"Restored {copies.restore(node.new_database, file, node.clock)} submissions.")


@click.command()
@click.option("--older-than", required=True, metavar="DAYSd", help="Settled longer ago than this, like 400d.")
@click.pass_obj
def prune(overrides: Overrides, older_than: str) -> None:
    """Remove personal data of what was published long ago.

    Sheets, files and drafts go; receipts and digests stay."""
    days = re.fullmatch(r"(\d{1,5})d?", older_than)
    if days is None:
        raise click.BadParameter("write a number of days, like 400d", param_hint="--older-than")
    node = CliContext(overrides)
    before = node.clock.now() - timedelta(days=int(days[1]))
    submissions = drafts = 0
    while (done := node.database.write(lambda conn: retention.prune_some(conn, before))) != retention.NOTHING:
        submissions, drafts = submissions + done.submissions, drafts + done.drafts
    click.echo(f"Pruned {submissions} submissions and {drafts} drafts.")
    with node.database.read() as conn:
        if (as_of := lookup.as_of(conn)) is not None:
            weeks = node.settings.athletes_keep_weeks
            click.echo(f"The list of athletes stays: as of {as_of:%Y-%m-%d}, forgotten {weeks} weeks after that.")
