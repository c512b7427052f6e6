"""The command `status`: the queue at a glance, once or live, or as the public page's files."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from resultsq.app import heard
from resultsq.cli import language, publishing, status_screen
from resultsq.cli.node import CliContext, Overrides, PathParam, as_json_option, show_json
from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, gettext_noop, ngettext, retold
from resultsq.domain.link import LinkState
from resultsq.domain.submission import State
from resultsq.kinds import registry
from resultsq.store.views import mail_link, queries, relays, state_counts
from resultsq.store.views.mail_link import MailLink
from resultsq.store.views.queries import LinkView, NodeStatus


@click.command()
@as_json_option
@click.option("--watch", is_flag=True, help="Stay, and show what changes as it changes.")
@click.option("--publish", "folder", type=PathParam(file_okay=False, path_type=Path),
              help="Write the public page as files into this folder; with --watch, after each change.")  # fmt: skip
@click.pass_obj
def status(overrides: Overrides, as_json: bool, watch: bool, folder: Path | None) -> None:
    """Say what waits, and how the link to the master is."""
    if folder is not None:
        language.speak_english()  # the page says in its own way which languages it has
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
        counts = state_counts.look(conn)
        found, mail = queries.status(conn, now, counts=counts), mail_link.look(conn, counts)
        at_relays = relays.count_safe(conn)
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
    from rich.console import Console  # loaded where something is to be drawn

    console = Console(highlight=False, soft_wrap=True)
    console.print(gettext("The node: {where}", where=node.where), markup=False)
    for line in _lines(found, mail, at_relays, now):
        console.print(line, markup=False)


def _lines(found: NodeStatus, mail: MailLink | None, at_relays: int, now: datetime) -> Iterator[str]:
    link = found.link
    if link is None:
        yield gettext("The state of the link is unknown: no worker has run here yet.")
    else:
        yield _link_line(link, now)
    if mail is not None and mail.trouble_since is not None:
        since = _time(mail.trouble_since)
        yield ngettext(
            "No mail leaves since {time}; {number} waits.",
            "No mail leaves since {time}; {number} wait.",
            mail.waiting,
            time=since,
        )
    if found.oldest_waiting_at is None:
        yield gettext("Nothing waits.")
    elif not found.to_send:
        yield gettext("Held: {count}. Nothing else waits.", count=cldr.number(found.held))
    else:
        if found.held:
            yield gettext("Held: {count}.", count=cldr.number(found.held))
        yield ngettext(
            "{number} waits, since {time}.",
            "{number} wait, the oldest since {time}.",
            found.to_send,
            time=_time(found.oldest_waiting_at),
        )
    if at_relays:
        yield ngettext("{number} of them is at a relay, too.", "{number} of them are at a relay, too.", at_relays)
    if len(found.waiting_by_kind) > 1:
        yield gettext("By kind: {kinds}.", kinds=registry.counted(found.waiting_by_kind))
    for hold in found.holds:
        scope = gettext(hold.scope)
        what = f"{scope} {hold.event or ''}".rstrip()
        yield gettext("On hold ({what}): {reason}", what=what, reason=hold.reason)
    for state in State:
        if found.counts[state]:
            word = gettext(state)
            yield f"{cldr.number(found.counts[state]):>8} {word}"


def _as_reported(link: LinkView, now: datetime) -> dict[str, object]:
    values = {**asdict(link), "state": link.word, "since": link.word_since}
    return {**values, "stalled": link.stalled, "known": link.fresh(now)}


_LINKS = {
    LinkState.UP: gettext_noop("The link is up since {time}."),
    LinkState.DOWN: gettext_noop("The link is down since {time}."),
    LinkState.MASTER_DOWN: gettext_noop("The master answers since {time} that it cannot work."),
    LinkState.NOT_OUR_MASTER: gettext_noop("Something else answers in the master's place since {time}."),
}


def _link_line(link: LinkView, now: datetime) -> str:
    since = _time(link.word_since)
    if link.stalled:
        stalled = gettext(
            "The master answers, but takes no results, since {time}. One is tried each second.", time=since
        )
        return stalled if link.fresh(now) else f"{stalled} {_last_heard(link)}"
    if not link.fresh(now):
        return gettext("The state of the link is not known at present.") + f" {_last_heard(link)}"
    said = gettext(_LINKS[link.state], time=since)
    return f"{said} {retold(link.detail or '')}".rstrip()


def _last_heard(link: LinkView) -> str:
    if link.probed_at is None:
        return gettext("The master was never heard.")
    return gettext("The master was last heard at {time}.", time=f"{link.probed_at:%H:%M:%S} UTC")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
