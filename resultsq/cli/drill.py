"""The command `drill`."""

import sys
from typing import get_args

import click

from resultsq.drill.link import Outage
from resultsq.drill.rehearse import rehearse


@click.command()
@click.option("--backlog", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Teams that send.")
@click.option(
    "--outage", "outage_s", type=click.FloatRange(1, 86_400), default=20.0, show_default=True, help="Seconds."
)
@click.option(
    "--mode", type=click.Choice(get_args(Outage)), default="hole", show_default=True, help="What the link does."
)
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Workers that publish.")
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON object.")
def drill(backlog: int, outage_s: float, mode: Outage, workers: int, as_json: bool) -> None:
    """Rehearse an outage of the master, with real processes.

    They run in a temporary folder. Exit status 0 only if every result was accepted, and published once and
    unchanged."""
    sys.exit(rehearse(backlog=backlog, outage_s=outage_s, mode=mode, workers=workers, as_json=as_json))
