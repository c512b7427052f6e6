"""The command `up`, and what fills its demo."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import segno

from resultsq import interpreter, logs
from resultsq.cli import commands, main
from resultsq.cli.node import CliContext, Overrides
from resultsq.clock import SystemClock
from resultsq.domain.i18n import gettext
from resultsq.settings_sources import load
from resultsq.supervisor import run as supervisor
from resultsq.supervisor.demo import DEMO_FOLDER, claim_demo_folder
from resultsq.supervisor.folder import claimed, make_data_dir
from resultsq.supervisor.forking import OwnCommands
from resultsq.wakeup import load_client


@click.command()
@click.option("--host", help="Address to listen on. Default: the setting host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("-v", "--verbose", is_flag=True, help="Show each request, and each line of the broker.")
@click.option(
    "--demo",
    is_flag=True,
    help="Show an outage with made-up results, in a folder of its own. Default: resultsq-demo.",
)
@click.pass_obj
def up(overrides: Mapping[str, Path], host: str | None, port: int | None, verbose: bool, demo: bool) -> None:
    """Run all of a node on this machine.

    That is web, worker, broker and, where no master is set, a master; Ctrl-C ends them all. The first start makes
    the database and an account with which to log in."""
    data_dir = overrides.get("data_dir") or (DEMO_FOLDER if demo else None)
    settings = load(None, calls_master=True, host=host, port=port, data_dir=data_dir).settings
    logs.configure(settings.log_format, settings.log_level)
    make_data_dir(settings)
    wishes = supervisor.UpOptions(verbose, demo, _show_qr_code if sys.stdout.isatty() else None)
    with claimed(settings.data_dir) as lock:
        if demo:
            claim_demo_folder(settings)
        supervisor.run(settings, SystemClock(), lock, OwnCommands(_load, main), click.echo, wishes)


def _load(names: Sequence[str]) -> None:
    """Load the modules of these commands, and leave them where no garbage collection writes: that would copy the
    memory which our children share."""
    interpreter.begin_loading()
    if "worker" in names:
        load_client()
    for name in names:
        commands.get_command(click.get_current_context(), name)
        interpreter.begin_loading()
    interpreter.loaded()


def _show_qr_code(address: str) -> None:
    segno.make(address, micro=False).terminal(compact=True)


@click.command()
@click.pass_obj
def demo_data(overrides: Overrides) -> None:
    """Fill an empty node with the demo's events and results."""
    from resultsq.drill import demo  # `up` itself imports little, to start soon

    node = CliContext(overrides)
    password = demo.fill(node.settings, node.database, node.clock)
    if password is not None:
        said = gettext(
            "Log in as {name} with the password {password} to see the demo as a team does.",
            name=demo.TEAM,
            password=password,
        )
        click.echo(said)
