"""The command `master check`: a master by other hands against the upload contract."""

import sys
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from resultsq.cli import language
from resultsq.cli.node import PathParam, as_json_option, show_json
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext
from resultsq.master.conformance.client import Client
from resultsq.master.conformance.run import Result, RuleVerdict, announcement, run
from resultsq.master.conformance.trial import Trial


def tokens_of(file: Path | None) -> tuple[str, ...]:
    """The tokens of a file, a line each."""
    if file is None:
        return ()
    try:
        return tuple(line.strip() for line in file.read_text().splitlines() if line.strip())
    except OSError as error:
        raise SettingsError(gettext("The file of tokens cannot be read: {reason}.", reason=error.strerror)) from None


@click.command()
@click.argument("url")
@click.option("--token", help="A node's token at that master.")
@click.option(
    "--token-file",
    type=PathParam(dir_okay=False, path_type=Path),
    help="File with that token in its first line.",
)
@click.option(
    "--event", required=True, metavar="SLUG", help="An event for tests: made-up results are published for it."
)
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Use this day and those after it. Default: random days before 2000.",
)
@click.option("--other-token", default="", help="Another node's token, to check what the two see of each other.")
@click.option("--uncovered-event", default="", metavar="SLUG", help="An event that the token does not cover.")
@click.option("--ca-file", type=PathParam(exists=True, dir_okay=False), help="Certificates to trust, for https.")
@as_json_option
def check(
    url: str,
    token: str | None,
    token_file: Path | None,
    event: str,
    day: datetime | None,
    other_token: str,
    uncovered_event: str,
    ca_file: str | None,
    as_json: bool,
) -> None:
    """Check any master at URL against the upload contract, rule by rule.

    It publishes made-up results for the event that --event names, and receipts stay for ever: use a test event. The
    exit status is 1 if a rule does not hold. The contract: resultsq/master/CONTRACT.md."""
    language.speak_english()  # as the contract does, which the rules quote
    given = [one for one in (token, *tokens_of(token_file)) if one]
    if not given:
        raise SettingsError(gettext("The check needs a node's token: give --token or --token-file."))
    client = Client(url, given[0], ca_file)
    trial = Trial(client, event, other_token, uncovered_event, None if day is None else day.date())
    click.echo(announcement(trial), err=True)
    results = list(run(trial))
    if as_json:
        show_json({"url": client.url, "event": event, "rules": [asdict(result) for result in results]})
    else:
        _show(results)
    if any(result.result is RuleVerdict.FAILED for result in results):
        sys.exit(1)


_WIDE = 150
_COLOURS = {RuleVerdict.OK: "green", RuleVerdict.FAILED: "bold red", RuleVerdict.SKIPPED: "yellow"}


def _show(results: list[Result]) -> None:
    """The results as a table, and their count."""
    from rich import box  # loaded where something is to be drawn: `master` itself needs nothing of it
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    names = ("rule", "sent", "expected", "came", "result")
    table = Table(*(Column(name, overflow="fold") for name in names), box=box.SIMPLE_HEAD, show_lines=True)
    for result in results:
        came = escape("\n".join(part for part in (result.came, result.reason) if part))
        verdict = f"[{_COLOURS[result.result]}]{result.result}"
        table.add_row(result.rule, result.sent, result.expected, came, verdict)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    console.print(table)
    count = Counter(result.result for result in results)
    console.print(", ".join(f"{count[verdict]} {verdict}" for verdict in RuleVerdict) + ".")
