"""How the node is: every part of it in sentences."""

import sys
from dataclasses import asdict

import click

from resultsq import doctor as examination
from resultsq.cli.node import CliContext, Overrides, as_json_option, show_json, who
from resultsq.doctor import CheckTarget, Finding, Level
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.store.admin import mending
from resultsq.store.engine import migrate

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "bold red"}

_WORDS = {Level.OK: gettext_noop("ok"), Level.WARN: gettext_noop("warn"), Level.BAD: gettext_noop("bad")}


@click.command()
@click.option("--part", "parts", type=click.Choice(list(examination.CHECKS)), multiple=True,
              help="Look at this part alone; may be given again.")  # fmt: skip
@click.option("--mend", is_flag=True, help="First mend what an older version or a fault left damaged.")
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
        for sentence in mending.mend(node.database, node.clock, who()) if mend else ():
            click.echo(sentence, err=True)
        findings = examination.examine(CheckTarget(node.settings, database, node.clock), parts=parts or None)
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        from rich.console import Console  # loaded where something is to be drawn

        console = Console(highlight=False, soft_wrap=True)
        console.print(gettext("The node: {where}", where=node.where), markup=False)
        words = {level: gettext(word) for level, word in _WORDS.items()}
        width = max(map(len, words.values()))
        for finding in findings:
            level = words[finding.level]
            console.print(f"{level:<{width}} ", style=_COLOURS[finding.level], end="")
            console.print(f"{finding.part:<8} {finding.text}", markup=False)
    sys.exit(any(finding.level is Level.BAD for finding in findings))
