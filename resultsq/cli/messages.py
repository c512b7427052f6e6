"""A message to the office, kept by this node as the form keeps it."""

from textwrap import shorten

import click

from resultsq.app import submissions
from resultsq.cli.node import CliContext, Overrides, as_json_option, show_json
from resultsq.kinds.registry import KINDS

_SUBJECT = 80
"""Characters of a subject that is made of the text: fewer than it may have, so that a list shows it whole."""


@click.command()
@click.argument("event")
@click.argument("text")
@click.option("--subject", metavar="LINE", help="Its subject. Default: the first line of TEXT.")
@click.option("--about", metavar="ID", help="The submission that it is about.")
@click.option("--by", "submitted_by", default="operator", show_default=True, help="Who writes.")
@as_json_option
@click.pass_obj
def message(
    overrides: Overrides,
    event: str,
    text: str,
    subject: str | None,
    about: str | None,
    submitted_by: str,
    as_json: bool,
) -> None:
    """Write TEXT to the office, for EVENT.

    Prints the message's id. Neither the web process nor the master is needed: when this ends well, the message is
    safe, and a worker delivers it."""
    value = {"event": event, "about": about, "subject": _first_line(text) if subject is None else subject, "text": text}
    node = CliContext(overrides)
    accepted, _entry = submissions.submit(
        node.context, KINDS["messages"], value, lambda slug: node.event(slug).id, submitted_by=submitted_by
    )
    if as_json:
        show_json({"id": accepted.id, "event": event, "state": accepted.state, "digest": accepted.digest})
    else:
        click.echo(accepted.id)


def _first_line(text: str) -> str:
    """Shortened, and without tabs, which a subject cannot have."""
    return shorten(text.strip().partition("\n")[0], _SUBJECT, placeholder="…")
