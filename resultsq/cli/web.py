"""The command `web`."""

import click

from resultsq.cli.node import CliContext, Overrides
from resultsq.wakeup import Bell
from resultsq.web.serve import serve


@click.command()
@click.option("--host", help="Address to listen on. Default: the setting host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.pass_obj
def web(overrides: Overrides, host: str | None, port: int | None) -> None:
    """Run a web process: the form, the dashboard and the API.

    SIGTERM finishes what is in work."""
    node = CliContext(overrides, host=host, port=port)
    node.log()
    node.note_settings("web")
    serve(node.settings, node.awaited_database, node.clock, Bell(node.settings.broker_url.get_secret_value()))
