"""The command `status`: the queue at a glance, once or live, or as the public page's files."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console

from resultsq.app import heard
from resultsq.cli import publishing, status_screen
from resultsq.cli.node import CliContext, Overrides, as_json_option, show_json
from resultsq.doctor import last_heard
from resultsq.domain.submission import State
from resultsq.store.views import mail_link, queries, relays
from resultsq.store.views.queries import LinkView


@click.command()
@as_json_option
@click.option("--watch", is_flag=True, help="Stay, and show what changes as it changes.")
@click.option("--publish", "folder", type=click.Path(file_okay=False, path_type=Path),
              help="Write the public page as files into this folder; with --watch, after each change.")  # fmt: skip
@click.pass_obj
def status(overrides: Overrides, as_json: bool, watch: bool, folder: Path | None) -> None:
    """Say what waits, and how the link to the master is."""
    node = CliContext(overrides)
    if folder is not None:
        publishing.publish(node, folder, stay=watch)
        return
    if watch:
        status_screen.watch(node)
        return
    _print(node, as_json)


def _print(node: CliContext, as_json: bool) -> None:
    heard.listen(node.database, node.clock)
    now = node.clock.now()
    with node.database.read() as conn:
        found, mail, at_relays = queries.status(conn, now), mail_link.look(conn), relays.count_safe(conn)
    link = found.link
    if as_json:
        show_json(
            {
                "counts": found.counts,
                "waiting": found.waiting,
                "waiting_by_kind": found.waiting_by_kind,
                "held": found.held,
                "oldest_waiting_at": found.oldest_waiting_at,
                "link": None if link is None else _as_reported(link, now),
                "mail": None if mail is None else asdict(mail),
                "at_relays": at_relays,
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
    if mail is not None and mail.trouble_since is not None:
        console.print(f"No mail leaves since {mail.trouble_since:%Y-%m-%d %H:%M} UTC; {mail.waiting} wait.")
    if found.oldest_waiting_at is None:
        console.print("Nothing waits.")
    elif not found.to_send:
        console.print(f"Held: {found.held}. Nothing else waits.")
    else:
        if found.held:
            console.print(f"Held: {found.held}.")
        console.print(f"{found.to_send} wait, the oldest since {found.oldest_waiting_at:%Y-%m-%d %H:%M} UTC.")
    if at_relays:
        console.print(f"{at_relays} of them are at a relay, too.")
    if len(found.waiting_by_kind) > 1:
        console.print("By kind: " + ", ".join(f"{n} {kind}" for kind, n in sorted(found.waiting_by_kind.items())) + ".")
    for hold in found.holds:
        console.print(f"On hold ({hold.scope} {hold.event or ''}): {hold.reason}", markup=False)
    for state in State:
        if found.counts[state]:
            console.print(f"{found.counts[state]:>8} {state}")


def _as_reported(link: LinkView, now: datetime) -> dict[str, object]:
    values = {**asdict(link), "state": link.word, "since": link.word_since}
    return {**values, "stalled": link.stalled, "known": link.fresh(now)}


def _link_line(link: LinkView, now: datetime) -> str:
    since = f"since {link.word_since:%Y-%m-%d %H:%M} UTC"
    if link.stalled:
        known = "" if link.fresh(now) else f" The master was {last_heard(link)}."
        return f"The master answers, but takes no results, {since}. One is tried each second.{known}"
    if not link.fresh(now):
        return f"The state of the link is not known at present; up when the master was {last_heard(link)}."
    return f"The link is {link.state} {since}. {link.detail or ''}"
