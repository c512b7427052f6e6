"""Bundles and comparison: `export`, `import`, `reconcile`, `bundle-key`."""

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from resultsq.cli.actions import many
from resultsq.cli.node import CliContext, Overrides, PathParam, as_json_option, show, show_json
from resultsq.delivery import bundle
from resultsq.delivery import reconcile as comparison
from resultsq.delivery.masters import open_configured
from resultsq.domain import cldr
from resultsq.domain.errors import InputRefused, ResultsqError
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.ports import Master
from resultsq.domain.submission import State
from resultsq.kinds.registry import KINDS

_DAYS = re.compile(r"([0-9]{1,4})d")
_MOST_NAMED = 20
_DELIVERED = {
    "submission": gettext_noop("submission"),
    "event": gettext_noop("event"),
    "date": gettext_noop("date"),
    "word": gettext_noop("word"),
    "detail": gettext_noop("detail"),
}


@click.command("bundle-key")
def bundle_key() -> None:
    """Print a new key for RESULTSQ_BUNDLE_KEYS.

    Both sides need it. To change it, put the new one first and leave the old one behind it for a while."""
    click.echo(bundle.new_key())


@click.command("export")
@click.argument("out", type=PathParam(dir_okay=False, path_type=Path))
@click.option("--state", type=click.Choice([State.QUEUED.value]), default=State.QUEUED.value, show_default=True)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Of this kind alone.")
@click.pass_obj
def export(overrides: Overrides, out: Path, state: str, kinds: tuple[str, ...]) -> None:
    """Write what waits into the new file OUT, sealed, for a USB stick or a mail.

    It goes on waiting here as well: the link or the bundle publishes it first, and the master has it once."""
    node = CliContext(overrides)
    locks, database, now = bundle.keys(node.settings.bundle_keys.get_secret_value()), node.database, node.clock.now()
    try:
        with out.open("xb") as file:  # before anything is marked as exported
            exported = bundle.export(database, now, locks, [State(state)], kinds)
            file.write(exported.content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise InputRefused(
            gettext("{file} is there already and was left alone. Choose another name.", file=out)
        ) from None
    except OSError as error:
        out.unlink(missing_ok=True)
        raise ResultsqError(
            gettext(
                "{file} cannot be written: {reason}. What waits here is safe; try another place.",
                file=out,
                reason=error.strerror,
            )
        ) from None
    except ResultsqError:
        out.unlink(missing_ok=True)
        raise
    click.echo(
        gettext(
            "Wrote {submissions} to {file}. They hold personal data: keep the file and its key apart.",
            submissions=many(exported.count),
            file=out,
        )
    )
    if exported.is_full:
        more = gettext("More wait than one bundle takes: export again when these are published.")
        click.echo(more, err=True)


@click.command("import")
@click.argument("file", type=PathParam(exists=True, dir_okay=False, path_type=Path))
@click.option("--to-master", is_flag=True, help="Publish them straight at this node's master, past its queue.")
@as_json_option
@click.pass_obj
def import_(overrides: Overrides, file: Path, to_master: bool, as_json: bool) -> None:
    """Take in the bundle FILE: into this node's queue, or straight to the master.

    What is here or there already is not taken twice."""
    node = CliContext(overrides)
    parted = bundle.unseal(file.read_bytes(), bundle.keys(node.settings.bundle_keys.get_secret_value()))
    if not to_master:
        _show_imported(bundle.take_in(node.database, node.clock.now(), parted, node.settings.time_zone), as_json)
        return
    master = _master(node)
    try:
        delivered = bundle.give_to_master(master, parted)
    finally:
        master.close()
    show(delivered, _DELIVERED, as_json)
    left = sum(one.word != "published" for one in delivered)
    if left:
        raise ResultsqError(
            gettext(
                "{number} of {total} were not published. They are still in the bundle: import again.",
                number=cldr.number(left),
                total=cldr.number(len(delivered)),
            )
        )


def _show_imported(found: bundle.Imported, as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        known = cldr.number(found.known)
        click.echo(
            gettext("Queued {submissions}; {number} were here before.", submissions=many(found.new), number=known)
        )
    if found.refused:
        said = [gettext("Not taken: {number}.", number=cldr.number(len(found.refused))), *found.refused[:_MOST_NAMED]]
        if (rest := len(found.refused) - _MOST_NAMED) > 0:
            said.append(gettext("And {number} more.", number=cldr.number(rest)))
        raise ResultsqError(" ".join(said))


@click.command("reconcile")
@click.option("--since", default="30d", show_default=True, metavar="TIME", help="A date, a time, or days like 7d.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Of this kind alone.")
@as_json_option
@click.pass_obj
def reconcile(overrides: Overrides, since: str, kinds: tuple[str, ...], as_json: bool) -> None:
    """Compare with what the master has, and queue again only what it lacks.

    What waits here and is there already is settled without being sent."""
    node = CliContext(overrides)
    master = _master(node)
    now = node.clock.now()
    try:
        found = comparison.reconcile(node.database, master, now, _since(node, since, now), kinds=kinds)
    finally:
        master.close()
    if as_json:
        show_json(found)
        return
    click.echo(
        gettext(
            "{settled} waited here or were given up, and are published; {lost} were published and are there "
            "no more, so they are queued again; {resumed} were in conflict and go on; {different} have other "
            "content there under the same id.",
            settled=cldr.number(found.settled),
            lost=cldr.number(found.lost),
            resumed=cldr.number(found.resumed),
            different=cldr.number(found.different),
        )
    )
    for cause, count in found.skipped.items():
        click.echo(gettext("Not compared: {number} ({reason}).", number=cldr.number(count), reason=gettext(cause)))
    if found.different:
        raise ResultsqError(gettext("The last ones are for a person: look at them in the dashboard."))


def _since(node: CliContext, text: str, now: datetime) -> datetime:
    if (days := _DAYS.fullmatch(text)) is not None:
        return now - timedelta(days=int(days[1]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputRefused(gettext("--since is a date like 2013-12-07, a time, or a number of days like 7d.")) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(node.settings.time_zone))


def _master(node: CliContext) -> Master:
    return open_configured(node.settings, node.clock)
