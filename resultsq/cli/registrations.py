"""Registrations of runners, as operators read them."""

import click

from resultsq.app import registrations
from resultsq.cli.node import CliContext, Overrides, as_json_option, show
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.submission import State

_COLUMNS = {
    "id": gettext_noop("id"),
    "state": gettext_noop("state"),
    "name": gettext_noop("name"),
    "number": gettext_noop("number"),
    "accepted_at": gettext_noop("accepted"),
    "published_at": gettext_noop("published"),
}


@click.group("registration")
def registration() -> None:
    """Runners who registered here."""


@registration.command("list")
@click.option("--state", type=click.Choice([one.value for one in State]), help="Only those in this state.")
@click.option("--size", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many at most.")
@click.option("--after", type=click.IntRange(0), metavar="KEY", help="Go on behind the last page, which says the KEY.")
@as_json_option
@click.pass_obj
def registration_list(overrides: Overrides, state: str | None, size: int, after: int | None, as_json: bool) -> None:
    """Name, number and state of registrations, the newest first. Nothing else of a runner is shown."""
    ctx = CliContext(overrides).context
    found = registrations.page(ctx, size, after, None if state is None else State(state))
    show(found.lines, _COLUMNS, as_json)
    if found.next is not None:
        click.echo(gettext("There are more: {option}", option=f"--after {found.next}"), err=True)
