"""The command `worker`."""

import click

from resultsq.cli.node import Node, Overrides
from resultsq.delivery.app import run_worker
from resultsq.delivery.chores import Chore
from resultsq.store import runner
from resultsq.watch import exporter, messenger

ADVANCE_S = 2.0
LOOK_OUT_S = 10.0
SEND_ALERTS_S = 10.0


@click.command()
@click.option("--name", help="Name for its leases. Default: one of the host and the data folder.")
@click.pass_obj
def worker(overrides: Overrides, name: str | None) -> None:
    """Run a worker: it publishes what was accepted.

    As many as you like may run, on as many machines."""
    node = Node(overrides, worker_name=name)
    node.log()
    settings, database, clock = node.settings, node.awaited_database, node.clock
    node.note_settings(settings.worker_name or "worker")
    if settings.worker_metrics_port:
        exporter.expose(settings.host, settings.worker_metrics_port)

    def look_out() -> None:
        messenger.look_out(settings.renewed(), database, clock)

    def send_alerts() -> None:
        messenger.send_waiting(settings.renewed(), database, clock)

    def advance() -> None:
        runner.go_on(database, clock)

    chores = [
        Chore("resultsq.advance_actions", ADVANCE_S, advance, due=lambda: runner.is_due(database, clock)),
        Chore("resultsq.look_out", LOOK_OUT_S, look_out),
        Chore("resultsq.send_alerts", SEND_ALERTS_S, send_alerts),
    ]
    if not run_worker(settings, database, clock, chores):
        raise SystemExit(1)
