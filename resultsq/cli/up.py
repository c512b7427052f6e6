"""The command `up`."""

from collections.abc import Mapping
from pathlib import Path

import click

from resultsq import embedded, logs
from resultsq.clock import SystemClock
from resultsq.settings import load


@click.command()
@click.option("--host", help="Address to listen on. Default: the setting host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of this node's data.")
@click.pass_obj
def up(overrides: Mapping[str, Path | None], host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Run all of a node on this machine.

    That is web, worker, broker and, where no master is set, a master; Ctrl-C ends them all. The first start makes
    the database and an account with which to log in."""
    given = {"host": host, "port": port, "data_dir": data_dir or overrides["data_dir"]}
    settings = load(None, **given).settings
    logs.configure(settings.log_format, settings.log_level)
    embedded.make_data_dir(settings)
    with embedded.claimed(settings.data_dir) as lock:
        embedded.run(settings, SystemClock(), lock, click.echo)
