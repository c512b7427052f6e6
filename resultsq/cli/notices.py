"""Notices to teams: what they read on top of their form."""

from zoneinfo import ZoneInfo

import click

from resultsq.app import notices, operations
from resultsq.cli.node import CliContext, Overrides, as_json_option, show, who
from resultsq.domain.i18n import gettext_noop
from resultsq.store.admin import notices as stored

_COLUMNS = {
    "id": gettext_noop("id"),
    "event": gettext_noop("event"),
    "title": gettext_noop("title"),
    "text": gettext_noop("text"),
    "written_by": gettext_noop("written by"),
    "shown_from": gettext_noop("shown from"),
    "shown_until": gettext_noop("shown until"),
    "ended_at": gettext_noop("ended"),
}


@click.group("notice")
def notice() -> None:
    """What teams read on top of their form."""


@notice.command("add")
@click.argument("title")
@click.argument("text")
@click.option("--event", metavar="SLUG", help="For the team of this event alone. Default: for all.")
@click.option("--until", required=True, metavar="TIME", help="Like 2013-12-07T14:00, in the node's time zone.")
@click.pass_obj
def notice_add(overrides: Overrides, title: str, text: str, event: str | None, until: str) -> None:
    """Show teams TITLE and TEXT until a time. Prints the notice's number."""
    cli = CliContext(overrides)
    at = operations.read_release_at(until, ZoneInfo(cli.settings.time_zone))
    click.echo(cli.context.transact(who(), lambda tx: notices.post(tx, event, title, text, at)))


@notice.command("list")
@as_json_option
@click.pass_obj
def notice_list(overrides: Overrides, as_json: bool) -> None:
    """The notices in force or to come, and some that are over."""
    ctx = CliContext(overrides).context
    with ctx.database.read() as conn:
        found = stored.latest(conn, ctx.clock.now())
    show(found, _COLUMNS, as_json)


@notice.command("end")
@click.argument("number", type=int)
@click.pass_obj
def notice_end(overrides: Overrides, number: int) -> None:
    """Show the notice with this NUMBER in the list no more."""
    CliContext(overrides).context.transact(who(), lambda tx: notices.end(tx, number))
