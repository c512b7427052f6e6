"""How the node is: the queue at a glance, and every part of it in sentences."""

import sys
from dataclasses import asdict
from datetime import datetime

import click
from rich.console import Console

from resultsq import doctor as examination
from resultsq.app import heard
from resultsq.cli.node import CliContext, Overrides, as_json_option, show_json, who
from resultsq.doctor import CheckTarget, Finding, Level, last_heard
from resultsq.domain.submission import State
from resultsq.store.engine import migrate
from resultsq.store.outbox import repairs
from resultsq.store.views import queries
from resultsq.store.views.queries import LinkView

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "bold red"}


@click.command()
@as_json_option
@click.pass_obj
def status(overrides: Overrides, as_json: bool) -> None:
    """Say what waits, and how the link to the master is."""
    node = CliContext(overrides)
    heard.listen(node.database, node.clock)
    now = node.clock.now()
    with node.database.read() as conn:
        found = queries.status(conn, now)
    link = found.link
    if as_json:
        show_json(
            {
                "counts": found.counts,
                "waiting": found.waiting,
                "held": found.held,
                "oldest_waiting_at": found.oldest_waiting_at,
                "link": None if link is None else _as_reported(link, now),
                "holds": [asdict(hold) for hold in found.holds],
            }
        )
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"The node: {node.where}", markup=False)
    if link is None:
        console.print("The state of the link is unknown: no worker has run here yet.")
    else:
        console.print(_link_line(link, now), markup=False)
    if found.oldest_waiting_at is None:
        console.print("Nothing waits.")
    elif not found.to_send:
        console.print(f"Everything else is published. {found.held} are held.")
    else:
        if found.held:
            console.print(f"{found.held} are held.")
        console.print(f"{found.to_send} wait, the oldest since {found.oldest_waiting_at:%Y-%m-%d %H:%M} UTC.")
    for hold in found.holds:
        console.print(f"On hold ({hold.scope} {hold.event or ''}): {hold.reason}", markup=False)
    for state in State:
        if found.counts[state]:
            console.print(f"{found.counts[state]:>8} {state}")


def _as_reported(link: LinkView, now: datetime) -> dict[str, object]:
    told = {**asdict(link), "state": link.word, "since": link.word_since}
    return {**told, "stalled": link.stalled, "known": link.fresh(now)}


def _link_line(link: LinkView, now: datetime) -> str:
    since = f"since {link.word_since:%Y-%m-%d %H:%M} UTC"
    if link.stalled:
        known = "" if link.fresh(now) else f" The master was {last_heard(link)}."
        return f"The master answers, but takes no results, {since}. One is tried each second.{known}"
    if not link.fresh(now):
        return f"The state of the link is not known at present; up when the master was {last_heard(link)}."
    return f"The link is {link.state} {since}. {link.detail or ''}"


@click.command()
@click.option("--part", "parts", type=click.Choice(list(examination.CHECKS)), multiple=True,
              help="Look at this part alone; may be given again.")  # fmt: skip
@click.option("--mend", is_flag=True, help="First mend the rows that an older version or a fault left damaged.")
@as_json_option
@click.pass_obj
def doctor(overrides: Overrides, parts: tuple[str, ...], mend: bool, as_json: bool) -> None:
    """Look at every part of the node and say what to do.

    Exit status 0 where results are taken and published; 1 where something is bad."""
    node = CliContext(overrides)
    database, data_dir = node.unchecked_database, node.settings.data_dir
    if (nowhere := migrate.no_node_in(database, data_dir)) is not None:  # nothing else can be looked at either
        findings = [Finding("store", Level.BAD, nowhere)]
    else:
        for repair, count in repairs.mend(node.database, node.clock, who()) if mend else ():
            click.echo(f"Mended: {repair.sentence(count)}", err=True)
        findings = examination.examine(CheckTarget(node.settings, database, node.clock), parts=parts or None)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"The node: {node.where}", markup=False)
        for finding in findings:
            console.print(f"{finding.level:<5}", style=_COLOURS[finding.level], end="")
            console.print(f"{finding.part:<8} {finding.text}", markup=False)
    sys.exit(any(finding.level is Level.BAD for finding in findings))
