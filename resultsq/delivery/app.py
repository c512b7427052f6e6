"""The worker process: a Celery worker whose own timer delivers.

The Celery task that a ring starts only wakes the dispatcher, which the worker's bootstep has started before the
first connection to the broker was tried. So delivery goes on while the broker is unreachable, and begins in a
worker that was started without one. Everything but delivery is an ordinary Celery task.
"""

import fcntl
import hashlib
import secrets
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from celery import Celery, bootsteps
from celery.exceptions import SecurityWarning
from celery.worker import state
from celery.worker.consumer import Consumer

from resultsq import interpreter, logs
from resultsq.clock import Clock
from resultsq.delivery import athlete_numbers, athletes_list, office_notices, people_sync, reconcile
from resultsq.delivery.dispatch import Dispatcher
from resultsq.delivery.handing_on import HandingOn, open_relays
from resultsq.delivery.lane import Lane, LaneStart
from resultsq.delivery.mail.configured import credentials, mail_server
from resultsq.delivery.masters import open_configured
from resultsq.delivery.periodic import PeriodicTask, Timer, carry_out
from resultsq.delivery.rotation import Rotation
from resultsq.domain.destinations import MAIL, MASTER
from resultsq.domain.errors import SettingsError
from resultsq.domain.i18n import gettext_noop, kept_sentence
from resultsq.settings import Settings
from resultsq.store import outbox
from resultsq.store.admin import comparisons
from resultsq.store.engine.session import Database
from resultsq.store.outbox import links, state_sums
from resultsq.store.outbox.digests import DigestFiller
from resultsq.wakeup import WAKE, Bell, celery_app

CLEAN_UP_S = 3600.0
BROKER_REST_S = 1.0
COMPARE_S = 5.0
"""How often a worker looks whether a comparison with the master is due."""

FILL_DIGESTS_S = 5.0

ADD_UP_S = 5.0
"""A page adds up by itself what has changed since."""

CLIENT_KEYS_KEPT = timedelta(days=90)

_names: list[TextIO] = []
"""The locks of this process's names. Only its end gives them back: calls may be under way after a worker has stopped,
and a worker that took over the name would take their leases for dead."""

_log = logs.get("worker")


class Delivery:
    """The lanes and the bell of one worker, started and stopped together: one lane to the master, and one to the mail
    server where there is one."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock,
        worker: str,
        periodic_tasks: Sequence[PeriodicTask] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._rotation = Rotation(settings, self._take_up)
        self._master = open_configured(settings, clock, self._rotation.token, by_mail=_reads_mails(settings))
        self.bell = Bell(settings.broker_url.get_secret_value())
        self.timer = Timer(periodic_tasks, clock, self.bell.ask)
        start = LaneStart(database, clock, worker, settings.sweep_s)
        ceiling = settings.concurrency_ceiling
        self._lanes = [Lane(MASTER, self._master, ceiling, _fingerprint(settings), start, self._link_changed)]
        if (mail := mail_server(settings, database, clock)) is not None:
            ceiling = settings.mail_ceiling
            self._lanes.append(Lane(MAIL, mail, ceiling, credentials(settings), start, self._link_changed))

        relays = open_relays(settings, clock)
        self._handing_on = HandingOn(database, clock, worker, relays, settings.relay_after_s, self.wake)

    def start(self) -> None:
        """Deliver from now on."""
        for lane in self._lanes:
            lane.start()
        self._handing_on.start()
        self.timer.start()
        self._rotation.start()

    def stop(self) -> None:
        """Stop in good order, within a few seconds."""
        self._rotation.stop()
        self._handing_on.stop()
        self.timer.stop()
        stopping = [threading.Thread(target=lane.stop, name=f"stop-{lane.name}") for lane in self._lanes]
        for one in stopping:  # at once: each waits a little for its calls under way
            one.start()
        for one in stopping:
            one.join()
        self.bell.close()

    def wake(self) -> None:
        """Something may go now."""
        for lane in self._lanes:
            lane.dispatcher.wake()

    @property
    def dispatcher(self) -> Dispatcher:
        """That of the master."""
        return self._lanes[0].dispatcher

    def _take_up(self, settings: Settings) -> None:
        """Use another token from now on, and try refused submissions at once."""
        self._master.use_token(settings.master_token.get_secret_value())
        fingerprint = _fingerprint(settings)
        if self._database.write(lambda conn: links.credentials_changed(conn, fingerprint)):
            self._link_changed(returned=True)

    def _link_changed(self, returned: bool) -> None:
        self.wake()
        if returned:
            self.bell.ring()  # for the other workers; they would see it at their next sweep


def _reads_mails(settings: Settings) -> bool:
    """Whether the office can be reached by mail."""
    return bool(settings.office_mail and settings.smtp_url.get_secret_value())


def _fingerprint(settings: Settings) -> str:
    """What tells one set of credentials from another."""
    pair = f"{settings.master_url.get_secret_value()}\n{settings.master_token.get_secret_value()}"
    return hashlib.sha256(pair.encode()).hexdigest()


def run_worker(
    settings: Settings, database: Database, clock: Clock, periodic_tasks: Sequence[PeriodicTask] = ()
) -> bool:
    """Deliver, and see to the periodic tasks, until a signal stops it. Returns after SIGTERM or SIGINT; False: for
    another reason.

    :raises SettingsError: there is no master to deliver to"""
    name, held = worker_name(settings)
    _names.append(held)
    own_tasks = [
        _clean_up(database, clock),
        _compare(settings, database, clock),
        _fill_digests(database),
        *_add_up(database),
    ]
    from_others = (athlete_numbers, athletes_list, office_notices, people_sync)
    fetching = [module.periodic_task(settings, database, clock) for module in from_others]
    periodic_tasks = [*own_tasks, *fetching, *periodic_tasks]
    delivery = Delivery(settings, database, clock, name, periodic_tasks)
    _log.info("worker.starting", worker=name)
    broker_url = settings.broker_url.get_secret_value()
    interpreter.ready()
    failed = False
    if broker_url:
        # it warns of root because messages could carry code; ours are JSON and carry nothing
        warnings.filterwarnings("ignore", category=SecurityWarning)
        celery = worker_app(broker_url, delivery, periodic_tasks).Worker(
            hostname=f"{name}@resultsq",
            pool_cls="threads",
            concurrency=len(periodic_tasks) + 1,  # periodic tasks that take long leave room for a ring
            loglevel="ERROR",
            quiet=True,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        celery.start()
        # a status of 0 would mean a wanted stop, and no supervisor would restart it
        failed = state.should_stop is None and state.should_terminate is None
    else:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        delivery.start()
        stop.wait()
        delivery.stop()
    _log.info("worker.stopped", worker=name)
    return not failed


def worker_name(settings: Settings) -> tuple[str, TextIO]:
    """This worker's name and the lock that makes it its own. A name comes back after a crash, so that a
    worker which starts can void what died with the one before, and never while its holder lives."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    # the lock lies in the data folder, so a name is one folder's: workers of two may share a database
    folder = _folder_id(settings.data_dir)
    for number in range(1, 1000):
        name = (
            f"{settings.worker_name}-{folder}" if settings.worker_name else f"{socket.gethostname()}-{folder}-{number}"
        )
        held = (settings.data_dir / f"worker-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock").open("w")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            if settings.worker_name:
                raise SettingsError(
                    kept_sentence(
                        "A worker called {name} is running here already, or its last calls have not ended; give this "
                        "one another name.",
                        name=settings.worker_name,
                    )
                ) from None
            continue
        return name, held
    raise SettingsError(gettext_noop("A thousand workers run in this data folder already."))


def _folder_id(data_dir: Path) -> str:
    """What tells this data folder from those of other machines, which may have its path, and their host its name."""
    with (data_dir / "worker-folder").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: another worker may be starting
        file.seek(0)
        found = file.read()
        if not found:
            found = secrets.token_hex(3)
            file.write(found)
    return found


class RetryingConsumer(Consumer):  # type: ignore[misc]  # Celery is untyped
    """Takes whatever a broker says or holds for a broken connection: it rests, and connects anew. What it could not
    read has been taken from the queue by then, and does not come back."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.connection_errors = (Exception,)
        self._told: str | None = None

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        self._rest(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        super().on_connection_error_after_connected(exc)
        self._rest(exc)

    def _rest(self, error: Exception) -> None:
        if self._told != type(error).__name__:  # once, and not each second
            self._told = type(error).__name__
            _log.warning("broker.unusable", error=self._told)
        time.sleep(BROKER_REST_S)


def worker_app(broker_url: str, delivery: Delivery, periodic_tasks: Sequence[PeriodicTask]) -> Celery:
    """The Celery app of a worker, with delivery as a bootstep and the tasks registered."""
    app = celery_app(broker_url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=3,
        accept_content=["json"],
        worker_consumer=RetryingConsumer,
        # a half-open connection is noticed in seconds; with the defaults the worker never consumes again. At its
        # end a worker waits for one answer of its broker: less than the five seconds in which it has to be gone
        broker_transport_options={"socket_timeout": 3, "socket_connect_timeout": 3, "health_check_interval": 5},
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_prefetch_multiplier=64,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )

    class Step(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is untyped
        """Starts delivery before the consumer, which may wait for its broker for ever."""

        requires = ("celery.worker.components:Pool",)

        def start(self, _worker: Any) -> None:
            delivery.start()

        def stop(self, _worker: Any) -> None:
            delivery.stop()

        terminate = stop

    @app.task(name=WAKE, shared=False)  # type: ignore[untyped-decorator]
    def wake() -> None:
        delivery.wake()

    for task in periodic_tasks:
        _register(app, task, delivery.timer.heard)
    app.steps["worker"].add(Step)
    return app


def _register(app: Celery, task: PeriodicTask, heard: Callable[[str], None]) -> None:
    @app.task(name=task.name, shared=False)  # type: ignore[untyped-decorator]
    def do() -> None:
        heard(task.name)
        carry_out(task)


def _clean_up(database: Database, clock: Clock) -> PeriodicTask:
    def clean_up() -> None:
        before = clock.now() - CLIENT_KEYS_KEPT
        database.write(lambda conn: outbox.forget_client_keys(conn, before))

    return PeriodicTask("resultsq.clean_up", CLEAN_UP_S, clean_up)


def _compare(settings: Settings, database: Database, clock: Clock) -> PeriodicTask:
    def due() -> bool:
        with database.read() as conn:
            return comparisons.is_due(conn, clock.now())

    def compare() -> None:
        if due():  # another worker may have done it meanwhile
            with closing(open_configured(settings.renewed(), clock)) as master:
                reconcile.by_itself(database, master, clock)

    return PeriodicTask("resultsq.compare", COMPARE_S, compare, due)


def _fill_digests(database: Database) -> PeriodicTask:
    filler = DigestFiller(database)
    return PeriodicTask("resultsq.fill_digests", FILL_DIGESTS_S, filler.fill_some, filler.has_work)


def _add_up(database: Database) -> list[PeriodicTask]:
    """None on SQLite, whose figures are always added up."""
    if database.is_sqlite:
        return []

    def due() -> bool:
        with database.read() as conn:
            return state_sums.any_left(conn)

    def add_up() -> None:
        database.write(state_sums.add_up)

    return [PeriodicTask("resultsq.add_up_states", ADD_UP_S, add_up, due)]
