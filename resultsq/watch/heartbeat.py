"""Tells a dead-man service that this node works, so that the service notices when it does not.

A worker counts as alive only after a dispatch cycle that was committed. So the service hears of work, and not of a
timer that outlived it.
"""

from resultsq import logs
from resultsq.clock import Clock
from resultsq.domain.errors import SettingsError, StoreUnavailable
from resultsq.domain.proxy import Proxy
from resultsq.settings import Settings
from resultsq.store.engine.session import Database
from resultsq.store.outbox import workers
from resultsq.watch import webhook
from resultsq.watch.unsent import Unsent, within

WORKS, STARTS, FAILS = "", "/start", "/fail"
TIMEOUT_S = 10.0
WITHIN_S = 20.0

_log = logs.get("watch")


def beat(settings: Settings, database: Database, clock: Clock) -> None:
    """Say how the node is."""
    send(settings, WORKS if _works(database, clock) else FAILS)


def send(settings: Settings, suffix: str) -> None:
    """Tell the service. What cannot be sent is logged and not kept: its silence is what the service listens for."""
    url = settings.heartbeat_url.get_secret_value()
    if not url:
        return
    proxy = settings.webhook_proxy.get_secret_value()
    try:
        within(
            WITHIN_S,
            lambda: webhook.ping(url, suffix, Proxy.parse(proxy), TIMEOUT_S),
        )
    except (OSError, SettingsError) as error:
        said = str(error) if isinstance(error, Unsent | SettingsError) else type(error).__name__
        _log.warning("heartbeat.unsent", error=said)


def _works(database: Database, clock: Clock) -> bool:
    try:
        with database.read() as conn:
            seen = workers.every(conn)
    except StoreUnavailable:
        return False
    now = clock.now()
    return any((now - seen_at).total_seconds() < workers.ALIVE_S for _, _, seen_at in seen)
