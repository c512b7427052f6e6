"""The command `web`."""

import importlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from resultsq.cli.node import CliContext, Overrides
from resultsq.delivery.periodic import PeriodicTask, Timer
from resultsq.domain.errors import StoreUnavailable
from resultsq.store.admin import web_processes
from resultsq.store.outbox import workers
from resultsq.wakeup import Bell
from resultsq.web.serve import serve

SIGN_OF_LIFE_S = 5.0
WATCH_S = 5.0


@click.command()
@click.option("--host", help="Address to listen on. Default: the setting host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.pass_obj
def web(overrides: Overrides, host: str | None, port: int | None) -> None:
    """Run a web process: the form, the dashboard and the API.

    SIGTERM finishes the requests that are in work."""
    node = CliContext(overrides, host=host, port=port)
    node.log()
    node.note_settings("web")
    database = node.awaited_database
    with _watching(node):
        serve(node.settings, database, node.clock, Bell(node.settings.broker_url.get_secret_value()))


@contextmanager
def _watching(node: CliContext) -> Iterator[None]:
    """Say that this process is alive, and raise alerts where no worker is there to do it."""
    database, clock, settings = node.database, node.clock, node.settings
    name = f"{socket.gethostname()}-{os.getpid()}"

    def sign() -> None:
        database.write(lambda conn: web_processes.alive(conn, clock.now(), name))

    def worker_is_silent() -> bool:
        with database.read() as conn:
            seen_at = workers.last_seen_at(conn)
        return seen_at is not None and (clock.now() - seen_at).total_seconds() > workers.ALIVE_S

    def watch() -> None:
        messenger = importlib.import_module("resultsq.watch.messenger")  # its imports are heavy, and rarely needed
        messenger.evaluate_alerts(settings.renewed(), database, clock)
        messenger.send_waiting(settings.renewed(), database, clock)

    tasks = [
        PeriodicTask("web.sign_of_life", SIGN_OF_LIFE_S, sign),
        PeriodicTask("web.watch", WATCH_S, watch, due=worker_is_silent),
    ]
    timer = Timer(tasks, clock, ask=lambda *_: False)  # no broker: the timer does its tasks itself
    timer.start()
    try:
        yield
    finally:
        timer.stop()
        with suppress(StoreUnavailable):  # then it is taken for silent, which costs an alert
            database.write(lambda conn: web_processes.gone(conn, name))
