"""Copies of accounts, events and tokens between nodes: `sync`, `people`."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from resultsq.app import people_copies
from resultsq.app.people_copies import CopiesTaken
from resultsq.cli.node import CliContext, Overrides, PathParam, as_json_option, show_json, who
from resultsq.delivery import people_sync
from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused, ResultsqError
from resultsq.domain.i18n import gettext, ngettext, retold
from resultsq.store.admin import people_copies as stored

_other_source = click.option(
    "--other-source", is_flag=True, help="Also if the copies here are of another node: those that it lacks end."
)


@click.command()
@_other_source
@click.pass_obj
def sync(overrides: Overrides, other_source: bool) -> None:
    """Copy the accounts, events and tokens of another node now.

    A worker does it each minute where RESULTSQ_PEOPLE_SOURCE names the node."""
    node = CliContext(overrides)
    _tell(people_sync.sync(node.settings, node.database, node.clock, other_source=other_source))


@click.group()
def people() -> None:
    """Accounts, events and tokens as copies of another node's."""


@people.command()
@click.argument("name")
@click.pass_obj
def allow(overrides: Overrides, name: str) -> None:
    """Print a token with which the node called NAME copies, alone and this once.

    It can read password hashes and is good for nothing else. `token list` shows it, and `token revoke` ends it."""
    click.echo(CliContext(overrides).context.transact(who(), lambda tx: people_copies.allow(tx, name)))


@people.command("export")
@click.argument("out", type=PathParam(dir_okay=False, path_type=Path))
@click.pass_obj
def export(overrides: Overrides, out: Path) -> None:
    """Write this node's accounts, events and tokens into the new file OUT, sealed with RESULTSQ_PEOPLE_KEY."""
    node = CliContext(overrides)
    found, _etag = people_copies.listed(node.database, node.clock.now())
    sealed = people_copies.seal(found, node.settings.people_key.get_secret_value())
    try:
        with out.open("xb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise InputRefused(
            gettext("{file} is there already and was left alone. Choose another name.", file=out)
        ) from None
    except OSError as error:
        out.unlink(missing_ok=True)
        raise ResultsqError(gettext("{file} cannot be written: {reason}.", file=out, reason=error.strerror)) from None
    click.echo(
        gettext(
            "Wrote {counts} to {file}. Password hashes are in it: keep the file private, and the key apart from it.",
            counts=_counts(len(found.accounts), len(found.events), len(found.tokens)),
            file=out,
        )
    )


@people.command("import")
@click.argument("file", type=PathParam(exists=True, dir_okay=False, path_type=Path))
@_other_source
@click.pass_obj
def import_(overrides: Overrides, file: Path, other_source: bool) -> None:
    """Make the copies here as the FILE of another node says. What is not in it ends here."""
    node = CliContext(overrides)
    found = people_copies.unseal(file.read_bytes(), node.settings.people_key.get_secret_value())
    _tell(people_copies.take_in(node.database, node.clock, found, people_copies.FROM_FILE, other_source=other_source))


@people.command()
@as_json_option
@click.pass_obj
def status(overrides: Overrides, as_json: bool) -> None:
    """Say whose copies are here, and as of when."""
    node = CliContext(overrides)
    with node.database.read() as conn:
        found, held = stored.state(conn), stored.count(conn)
    if as_json:
        counts = {"events": held.events, "accounts": held.accounts, "tokens": held.tokens}
        left = list(found.left_names or ())
        show_json({"from": found.address, "as_of": found.made_at, **counts, "left": left, "error": found.error})
        return
    if found.made_at is None:
        click.echo(gettext("No copies of another node's accounts are here."))
    else:
        whose, at = _counts(held.accounts, held.events, held.tokens), f"{found.made_at:%Y-%m-%d %H:%M} UTC"
        if found.address:
            said = gettext(
                "{counts} are copies from {address}, as of {time}.", counts=whose, address=found.address, time=at
            )
        else:
            said = gettext("{counts} are copies from a file, as of {time}.", counts=whose, time=at)
        click.echo(said)
    if found.left_names:
        click.echo(_left(found.left_names))
    if found.error is not None:
        click.echo(gettext("The last try got nothing: {reason}", reason=retold(found.error)))


@people.command()
@click.pass_obj
def adopt(overrides: Overrides) -> None:
    """Make all copies this node's own, when their source will not come back. Take RESULTSQ_PEOPLE_SOURCE away first."""
    node = CliContext(overrides)
    if node.settings.people_source:
        raise InputRefused(gettext("RESULTSQ_PEOPLE_SOURCE is set, and would copy them again. Take it away first."))
    found = node.context.transact(who(), people_copies.adopt)
    counts = _counts(found.accounts, found.events, found.tokens)
    click.echo(gettext("{counts} are this node's own now.", counts=counts))


def _tell(taken: CopiesTaken) -> None:
    if taken.changed:
        click.echo(gettext("Changed {number}.", number=cldr.number(taken.changed)))
    else:
        click.echo(gettext("Nothing had changed."))
    if taken.left:
        click.echo(_left(taken.left[: people_copies.MOST_NAMED]))


def _left(names: Sequence[str]) -> str:
    return gettext(
        "Left as they are, because accounts of this node's own have the names: {names}.", names=", ".join(names)
    )


def _counts(accounts: int, events: int, tokens: int) -> str:
    """So many of each, as a part of a sentence."""
    parts = (
        ngettext("{number} account", "{number} accounts", accounts),
        ngettext("{number} event", "{number} events", events),
        ngettext("{number} token", "{number} tokens", tokens),
    )
    return cldr.listed(parts)
