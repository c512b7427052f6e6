"""Results from files: check them, and put them into this node's queue."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from resultsq.app import carried, intake, known_athletes
from resultsq.app.event_day import Calendar, calendar_of
from resultsq.app.known_athletes import ListFindings
from resultsq.cli.node import CliContext, Overrides, PathParam, as_json_option, show_json
from resultsq.domain import cldr
from resultsq.domain.errors import FileRefused, TooLarge
from resultsq.domain.i18n import gettext, gettext_noop, ngettext
from resultsq.domain.problem import Problem, Severity
from resultsq.kinds.results.check import Report, report
from resultsq.kinds.results.plausible import Occasion
from resultsq.store.views import versions

LATEST = "latest"
_SEVERITIES = {Severity.BLOCKS: gettext_noop("blocks"), Severity.WARNS: gettext_noop("warns")}
_FILE = PathParam(exists=True, dir_okay=False, path_type=Path)
_files = click.argument("files", nargs=-1, required=True, type=_FILE)


@click.command()
@_files
@click.option("--date", "day", metavar="YYYY-MM-DD", help="The day of the event: files of another one are named.")
@click.option("--event", "slug", metavar="SLUG", help="An event of this node: what a run takes there. Default: 5 km.")
@as_json_option
@click.pass_obj
def check(overrides: Overrides, files: tuple[Path, ...], day: str | None, slug: str | None, as_json: bool) -> None:
    """Say what is wrong with the FILES of an event.

    Nothing is stored. Exit status 1 where they could not be published like this."""
    on, node = None if day is None else intake.iso_date(day), CliContext(overrides)
    chosen, now = "" if on is None else on.isoformat(), node.clock.now()
    if slug is None:
        calendar = Calendar(now.date())
        found = report(_contents(files), occasion=Occasion(chosen))
    else:
        event, calendar = node.event(slug), calendar_of(node.database, now)
        occasion = Occasion(chosen, event.plausible, event.time_zone)
        found = intake.check(node.database, _contents(files), occasion, event.id, lambda other: True)
        with node.database.read() as conn:
            listed = known_athletes.findings(conn, slug, found.finishers, (), now)
        if listed is not None:
            problems = (*found.problems, *listed.problems)
            found = found.model_copy(update={"problems": problems, "names_as_of": _as_of(listed)})
    if on is not None:
        found = intake.with_day(found, calendar.judge(on))
    if as_json:
        show_json(found.model_dump(mode="json"))
    else:
        _show(found)
    sys.exit(found.blocked)


@click.command()
@_files
@click.option("--event", "slug", metavar="SLUG", help="Not needed for an entry that a device saved.")
@click.option("--date", "day", metavar="YYYY-MM-DD", help="Not needed for an entry that a device saved.")
@click.option("--corrects", metavar="ID", help="The version that these correct: its id, or `latest`.")
@click.option("--volunteers", "volunteers_file", type=_FILE, help="CSV: athlete,role.")
@click.option(
    "--as-given", "codes", multiple=True, metavar="CODE", help="Somebody has looked: this problem blocks no more."
)
@click.option("--by", "submitted_by", default="operator", show_default=True, help="Who submits.")
@as_json_option
@click.pass_obj
def submit(
    overrides: Overrides,
    files: tuple[Path, ...],
    slug: str | None,
    day: str | None,
    corrects: str | None,
    volunteers_file: Path | None,
    codes: tuple[str, ...],
    submitted_by: str,
    as_json: bool,
) -> None:
    """Accept FILES as an event's results, into this node's queue.

    Prints the submission's id. Neither the web process nor the master is needed: when this ends well, the
    results are safe, and a worker publishes them."""
    node = CliContext(overrides)
    settings, now = node.settings, node.clock.now()
    contents = _contents(files)
    if sum(len(content) for _, content in contents) > settings.max_body_bytes:
        raise TooLarge(_too_large(settings.max_body_bytes))
    volunteers = None if volunteers_file is None else _contents([volunteers_file])[0]
    slug, day, client_key, contents = _named(contents, slug, day)
    event, calendar = node.event(slug), calendar_of(node.database, now)
    sent = intake.from_files(
        slug, day, contents, volunteers, settings.max_rows, calendar, event.plausible, event.time_zone
    )
    with node.database.read() as conn:
        if corrects == LATEST:
            corrects = versions.head(conn, event.id, day)
        sent = intake.as_given(intake.with_others(conn, sent, event.id, lambda other: True), codes, corrects)
        listed = known_athletes.of_rows(conn, slug, sent.rows, now)
    accepted = intake.submit(
        node.context, sent, event_id=event.id, submitted_by=submitted_by, if_match=corrects, client_key=client_key
    )
    problems = (*sent.problems, *(() if listed is None else listed.problems))
    if as_json:
        show_json(
            {
                "id": accepted.id,
                "event": slug,
                "date": sent.date,
                "state": accepted.state,
                "digest": accepted.digest,
                "problems": [problem.model_dump(mode="json") for problem in problems],
                **({} if listed is None else {"names_as_of": _as_of(listed)}),
            }
        )
        return
    for problem in problems:
        click.echo(_sentence(problem), err=True)
    if listed is not None:
        for fix in (fix for problem in listed.problems for fix in problem.fixes):
            click.echo(f"    - {fix.label}?", err=True)
        click.echo(_as_of(listed), err=True)
    if not accepted.created:
        click.echo(gettext("These very results were here before."), err=True)
    click.echo(accepted.id)


def _named(
    contents: list[tuple[str, bytes]], slug: str | None, day: str | None
) -> tuple[str, str, str | None, list[tuple[str, bytes]]]:
    """Event, day, client key and files: an entry that a device saved says them itself. Its id is the key, so that it
    is there once when the device sends it as well."""
    if len(contents) == 1 and carried.is_entry(contents[0][1]):
        entry = carried.parse(contents[0][1])
        return slug or entry.event, day or entry.date, str(entry.id), entry.contents
    if slug is None or day is None:
        raise click.UsageError(gettext("Name the event and the day of these files with --event and --date."))
    return slug, day, None, carried.unpacked(contents)


def _contents(files: Sequence[Path]) -> list[tuple[str, bytes]]:
    try:
        return [(file.name, file.read_bytes()) for file in files]
    except OSError as error:
        raise FileRefused(
            gettext("{file} cannot be read: {reason}. Nothing was stored.", file=error.filename, reason=error.strerror)
        ) from None


def _show(found: Report) -> None:
    from rich.console import Console  # loaded where something is to be drawn
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (gettext("file"), gettext("is")):
        table.add_column(column, overflow="fold")
    for column in (gettext("lines"), gettext("used"), gettext("set aside")):
        table.add_column(column, justify="right", overflow="fold")
    for file in found.files:
        kind = gettext(file.kind) if file.kind else gettext("not readable")
        table.add_row(file.name, kind, *map(cldr.number, (file.lines, file.used, file.set_aside)))
    console.print(table, markup=False)
    unknown = sum(finisher.athlete is None for finisher in found.finishers)
    said = ngettext(
        "{number} finisher, {unknown} of them Unknown.",
        "{number} finishers, {unknown} of them Unknown.",
        len(found.finishers),
        unknown=cldr.number(unknown),
    )
    console.print(said)
    for problem in found.problems:
        console.print(_sentence(problem), markup=False)
        for fix in problem.fixes:
            asks = gettext("{fix} (with: {fields})", fix=fix.label, fields=", ".join(fix.asks))
            console.print(f"    - {asks if fix.asks else fix.label}", markup=False)
    if found.names_as_of:
        console.print(found.names_as_of, markup=False)
    if found.blocked:
        console.print(gettext("They cannot be published like this."))


def _too_large(most: int) -> str:
    return gettext(
        "The files are larger than {number} bytes together, and nothing was stored. "
        "No event's are: is there a wrong file among them?",
        number=cldr.number(most),
    )


def _as_of(listed: ListFindings) -> str:
    said = gettext("Numbers of athletes were looked up in a list.") + " " + listed.said
    if not listed.is_away:
        return said
    return said + " " + gettext("The master cannot be reached now, so what changed since then is not here.")


def _sentence(problem: Problem) -> str:
    severity = gettext(_SEVERITIES[problem.severity])
    return f"{severity}: {problem.message} [{problem.code}]"
