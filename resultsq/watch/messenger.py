"""Raises alerts, and posts them to the webhook. What cannot be posted waits in the store and is tried again; mails are
queued with the submissions."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from resultsq import disk, logs
from resultsq.app.alerting import mail_alert, teller
from resultsq.clock import Clock
from resultsq.domain.clock_trust import clock_off_s
from resultsq.domain.destinations import mail_addresses
from resultsq.domain.errors import SettingsError
from resultsq.domain.proxy import Proxy
from resultsq.settings import Settings
from resultsq.store.admin import alerts, devices, quotas, web_processes
from resultsq.store.admin.alerts import Drained, Message, Tell
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links, workers
from resultsq.store.views import mail_link
from resultsq.watch import command, rules, webhook
from resultsq.watch.rules import AlertFacts, AlertRule, AlertThresholds
from resultsq.watch.unsent import Unsent, within

TIMEOUT_S = 10.0
WITHIN_S = 25.0
"""How long one message may take as a whole."""

MOST_AT_ONCE = 20
_MAIL = "mail"
_log = logs.get("watch")


def alert_channels(settings: Settings) -> dict[str, Callable[[Message], None]]:
    """The channels that are set up, each as a function that sends one message or raises."""
    found: dict[str, Callable[[Message], None]] = {}
    hook = settings.alert_webhook_url.get_secret_value()
    if hook:
        found["webhook"] = lambda message: _post(hook, settings.webhook_proxy.get_secret_value(), message)
    if settings.alert_command:
        found["command"] = lambda message: command.run(settings.alert_command, _value(message), TIMEOUT_S)
    return found


@dataclass(frozen=True, slots=True)
class _Present:
    """The rules that hold now, each with its text, and the outages whose end is still to be told."""

    holding: Mapping[str, str]
    drained: Sequence[Drained]


def have_changed(settings: Settings, database: Database, clock: Clock) -> bool:
    """Whether `evaluate_alerts` has anything to do. A look costs a fourth of what a message and a commit do, and most
    often nothing has changed."""
    return _look(settings, database, clock.now()) is not None


def evaluate_alerts(settings: Settings, database: Database, clock: Clock) -> None:
    """Bring the alerts up to date with the present facts."""
    now = clock.now()
    found = _look(settings, database, now)
    if found is None:
        return
    tell = teller(settings)
    database.write(lambda conn: alerts.bring_up_to_date(conn, now, found.holding, tell))
    for one in found.drained:
        _tell_recovery(database, now, one, tell)


def _look(settings: Settings, database: Database, now: datetime) -> _Present | None:
    """None: the alerts say it already, or no worker has ever run here."""
    limits = AlertThresholds(
        timedelta(minutes=settings.alert_oldest_waiting_min),
        timedelta(minutes=settings.alert_link_down_min),
        settings.disk_low_bytes,
    )
    free, trouble = _disk(settings.data_dir)
    with database.read() as conn:
        link, seen = links.facts(conn), alerts.counts(conn, now)
        worker_seen_at, web_seen_at = workers.last_seen_at(conn), web_processes.last_seen_at(conn)
        drained, over_quota = alerts.drained_outages(conn, now, AlertRule.RECOVERED), tuple(quotas.refused(conn, now))
        on_devices, mail = devices.held(conn, now), mail_link.look(conn)
        before = alerts.holding(conn)
    if link is None:
        return None
    facts = AlertFacts(
        link=link.state,
        link_since=link.since,
        oldest_waiting_at=seen.oldest_waiting_at,
        waiting=seen.waiting,
        rejected=seen.rejected,
        conflicts=seen.conflicts,
        refused_since=link.refused_at,
        refused_events=seen.refused_events,
        disk_free_bytes=free,
        damaged=seen.damaged,
        aside=seen.aside,
        disk_trouble=trouble,
        failing_actions=seen.failing_actions,
        lost_there=seen.lost_there,
        over_quota=over_quota,
        clock_off_s=clock_off_s(now, link.newest_at, link.clock_offset_s),
        takes_nothing_since=link.takes_nothing_since,
        worker_seen_at=worker_seen_at,
        web_seen_at=web_seen_at,
        silent_devices=on_devices.silent,
        no_mail_since=None if mail is None else mail.trouble_since,
        mails_waiting=0 if mail is None else mail.waiting,
    )
    holding = rules.raised(facts, limits, now)
    return _Present(holding, drained) if drained or holding != before else None


def _disk(folder: Path) -> tuple[int | None, str | None]:
    """How much room there is, None where it cannot be asked, and why nothing can be written."""
    try:
        free = disk.space(folder).bytes
    except OSError:
        free = None
    return free, disk.write_trouble(folder)


def _tell_recovery(database: Database, now: datetime, drained: Drained, tell: Tell) -> None:
    text = rules.recovered(drained.published, drained.seconds)
    database.write(lambda conn: alerts.tell_once(conn, now, AlertRule.RECOVERED, drained.about, text, tell))


def any_is_due(database: Database, clock: Clock) -> bool:
    """Whether `send_waiting` has anything to do."""
    with database.read() as conn:
        return alerts.any_message_is_due(conn, clock.now())


def send_waiting(settings: Settings, database: Database, clock: Clock) -> None:
    """Send the messages that are due; one that fails waits and the next is tried."""
    channels = alert_channels(settings)
    for _ in range(MOST_AT_ONCE):
        message = database.write(lambda conn: alerts.take_message(conn, clock.now()))
        if message is None:
            return
        if message.road == _MAIL:
            _queue_as_mail(settings, database, clock, message)
            continue
        _send(message, channels, database, clock)


def _queue_as_mail(settings: Settings, database: Database, clock: Clock, message: Message) -> None:
    """One of the version before, which kept its mails here."""

    def work(conn: Connection) -> None:
        for address in mail_addresses(settings.alert_mail_to):
            mail_alert(conn, message.created_at, address, message.subject, message.text)
        alerts.message_sent(conn, clock.now(), message.id)

    database.write(work)


def _send(
    message: Message, channels: Mapping[str, Callable[[Message], None]], database: Database, clock: Clock
) -> None:
    try:
        within(WITHIN_S, lambda: channels.get(message.road, _no_channel)(message))
    except Exception as error:  # noqa: BLE001 - whatever it is, the next message may be for a channel that works
        said = str(error) if isinstance(error, Unsent | SettingsError) else type(error).__name__
        _log.warning("alert.unsent", channel=message.road, error=said)
        database.write(lambda conn: alerts.message_failed(conn, clock.now(), message.id, said, random.random()))
    else:
        database.write(lambda conn: alerts.message_sent(conn, clock.now(), message.id))


def _no_channel(_message: Message) -> None:
    raise Unsent("It is no longer set up.")


def _post(url: str, proxy: str, message: Message) -> None:
    webhook.post(url, Proxy.parse(proxy), _value(message), TIMEOUT_S)


def _value(message: Message) -> dict[str, str]:
    return {"subject": message.subject, "text": message.text, "at": message.created_at.isoformat()}
