"""The command `worker`."""

import click

from resultsq.app import number_mails, reminders, team_mails
from resultsq.cli.node import CliContext, Overrides
from resultsq.delivery.app import run_worker
from resultsq.delivery.periodic import PeriodicTask
from resultsq.store.admin import action_runner
from resultsq.watch import exporter, heartbeat, messenger

ADVANCE_S = 2.0
EVALUATE_ALERTS_S = 10.0
SEND_ALERTS_S = 10.0
TELL_TEAMS_S = 10.0
REMIND_S = 2.0
TELL_NUMBERS_S = 5.0
HEARTBEAT_S = 60.0


@click.command()
@click.option("--name", help="Name for its leases. Default: one of the host and the data folder.")
@click.pass_obj
def worker(overrides: Overrides, name: str | None) -> None:
    """Run a worker: it publishes what was accepted.

    As many as you like may run, on as many machines."""
    node = CliContext(overrides, calls_master=True, worker_name=name)
    node.log()
    settings, database, clock = node.settings, node.awaited_database, node.clock
    node.note_settings(settings.worker_name or "worker")
    if settings.worker_metrics_port:
        exporter.expose(settings.host, settings.worker_metrics_port)

    def evaluate_alerts() -> None:
        messenger.evaluate_alerts(settings.renewed(), database, clock)

    def alerts_have_changed() -> bool:
        return messenger.have_changed(settings.renewed(), database, clock)

    def send_alerts() -> None:
        messenger.send_waiting(settings.renewed(), database, clock)

    def tell_teams() -> None:
        team_mails.tell_teams(settings.renewed(), database, clock)

    def remind() -> None:
        reminders.answer(settings.renewed(), database, clock)

    def tell_numbers() -> None:
        number_mails.tell(settings.renewed(), database, clock)

    def beat() -> None:
        heartbeat.beat(settings.renewed(), database, clock)

    def advance() -> None:
        action_runner.go_on(database, clock)

    periodic_tasks = [
        PeriodicTask("resultsq.advance_actions", ADVANCE_S, advance, due=lambda: action_runner.is_due(database, clock)),
        PeriodicTask("resultsq.evaluate_alerts", EVALUATE_ALERTS_S, evaluate_alerts, due=alerts_have_changed),
        PeriodicTask(
            "resultsq.send_alerts", SEND_ALERTS_S, send_alerts, due=lambda: messenger.any_is_due(database, clock)
        ),
        PeriodicTask(
            "resultsq.tell_teams", TELL_TEAMS_S, tell_teams, due=lambda: team_mails.is_due(settings, database)
        ),
        PeriodicTask("resultsq.remind", REMIND_S, remind, due=lambda: reminders.is_due(database, clock)),
        PeriodicTask("resultsq.tell_numbers", TELL_NUMBERS_S, tell_numbers, due=lambda: number_mails.is_due(database)),
    ]
    if settings.heartbeat_url.get_secret_value():
        heartbeat.send(settings, heartbeat.STARTS)
        periodic_tasks.append(PeriodicTask("resultsq.heartbeat", HEARTBEAT_S, beat))
    if not run_worker(settings, database, clock, periodic_tasks):
        raise SystemExit(1)
