"""Other nodes that may hand submissions to this one."""

import click

from resultsq.app import people
from resultsq.cli.node import CliContext, Overrides, who
from resultsq.domain.role import Role


@click.group("node")
def nodes() -> None:
    """Other nodes that hand what they accepted to this one."""


@nodes.command("add")
@click.argument("name")
@click.option("--event", "slugs", metavar="SLUG", multiple=True, help="It may hand on this event alone. Default: all.")
@click.pass_obj
def node_add(overrides: Overrides, name: str, slugs: tuple[str, ...]) -> None:
    """Print a token for the node called NAME, alone and this once: only its hash is kept.

    `token list` shows it, and `token revoke` ends it."""
    context = CliContext(overrides).context
    click.echo(context.transact(who(), lambda tx: people.issue_token(tx, Role.NODE, None, name, slugs or None)))
