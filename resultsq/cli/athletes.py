"""The command `athletes`: the copy of the list of athletes that this node keeps."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from resultsq.app import athletes as use_cases
from resultsq.cli.node import CliContext, Overrides, PathParam, as_json_option, show_json, who
from resultsq.domain.errors import InputRefused
from resultsq.domain.i18n import gettext, ngettext, retold
from resultsq.store.athletes import copies, lookup


@click.group()
def athletes() -> None:
    """The list of athletes that this node keeps."""


@athletes.command()
@as_json_option
@click.pass_obj
def status(overrides: Overrides, as_json: bool) -> None:
    """Say as of when the list is, where it came from, and how many are on it."""
    node = CliContext(overrides)
    with node.database.read() as conn:
        found, held = copies.state(conn), lookup.held(conn)
    now = found.current
    if as_json:
        state = {"as_of": now and now.as_of, "source": now and now.source, "events": now and now.events}
        counts = {"athletes": held.athletes, "retired": held.retired, "loading": found.loading is not None}
        show_json({"setting": node.settings.athletes, **state, **counts, "error": found.error})
        return
    if now is None or now.as_of is None:
        click.echo(gettext("This node has no list of athletes."))
    else:
        if now.source == copies.FEED:
            said = gettext("The list is as of {time}, from the master.", time=_time(now.as_of))
        else:
            said = gettext("The list is as of {time}, from a file.", time=_time(now.as_of))
        events = len(now.events)
        whom = ngettext("It has the athletes of {number} event.", "It has the athletes of {number} events.", events)
        click.echo(" ".join((said, whom if events else gettext("It has all athletes."))))
        click.echo(ngettext("{number} athlete.", "{number} athletes.", held.athletes))
        click.echo(ngettext("{number} retired number.", "{number} retired numbers.", held.retired))
    if found.loading is not None:
        since = _time(found.loading.begun_at)
        click.echo(gettext("Another one is being loaded since {time}.", time=since))
    if found.error is not None and found.tried_at is not None:
        at = f"{found.tried_at:%H:%M} UTC"
        click.echo(gettext("The last try, at {time}, got nothing: {reason}", time=at, reason=retold(found.error)))
    if node.settings.athletes == "off":
        click.echo(gettext("It is not brought up to date: the setting athletes is off."))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


@athletes.command()
@click.pass_obj
def refresh(overrides: Overrides) -> None:
    """Ask the master for changes now, and not at the next minute."""
    use_cases.ask_now(CliContext(overrides).context, who())
    click.echo(gettext("A worker asks the master in a few seconds, if the link is up and no results are due."))


@athletes.command("import")
@click.argument("file", type=PathParam(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    help="When the list was so, in UTC. Default: when the file was last changed.",
)
@click.pass_obj
def import_(overrides: Overrides, file: Path, as_of: datetime | None) -> None:
    """Take the list from the table FILE (CSV), in place of the one that is here.

    Its first line names the columns: number, name, and if you like club, home event, runs."""
    node = CliContext(overrides)
    written_at = datetime.fromtimestamp(file.stat().st_mtime, UTC) if as_of is None else as_of.replace(tzinfo=UTC)
    with opened(file) as lines:
        count = use_cases.import_list(node.context, who(), lines, min(written_at, node.clock.now()))
    click.echo(ngettext("Took in {number} athlete.", "Took in {number} athletes.", count))


@contextmanager
def opened(file: Path) -> Iterator[TextIO]:
    """The lines of a table, whichever way a spreadsheet wrote its letters.

    :raises InputRefused: they cannot be read"""
    with file.open("rb") as begin:
        coding = "utf-16" if begin.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        with file.open(encoding=coding, newline="") as lines:
            yield lines
    except UnicodeDecodeError:
        raise InputRefused(gettext("The file is not in UTF-8. Save it as “CSV UTF-8”. Nothing was changed.")) from None
