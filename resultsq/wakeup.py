"""The bell: ring it; a lost ring loses nothing.

A ring tells the workers that something may go now, so that nothing waits for their next sweep. It is a Celery
message without content. The caller of `ring` never waits: one thread does, and rings that come while it sends, or
just after, are one ring. After a failure the bell rests, for a broker that is black-holed takes 0.2 s to say nothing.
"""

import importlib
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

from resultsq import logs

if TYPE_CHECKING:
    from celery import Celery

WAKE = "resultsq.wake"
"""The task that a ring is."""

QUEUE = "resultsq"
RING_TIMEOUT_S = 0.2
REST_S = 5.0
PAUSE_S = 0.05
"""A ring costs a third of what an acceptance does. On a busy morning one is for all that came in this time."""
RING_EXPIRES_S = 60
"""A ring that no worker took for a minute is too late: the sweep has been there."""

_log = logs.get("bell")


def celery_app(broker_url: str) -> "Celery":
    """A Celery app whose publishing fails at once when the broker is refused, frozen or black-holed."""
    from celery import Celery
    from kombu.entity import Queue

    app = Celery("resultsq", broker=broker_url or "memory://", set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        # off the queue as it is read: what cannot be read must not come back, and a lost ring costs nothing
        task_queues=[Queue(QUEUE, routing_key=QUEUE, no_ack=True)],  # type: ignore[no-untyped-call]
        task_ignore_result=True,
        task_publish_retry=False,
        task_publish_retry_policy={"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        broker_connection_timeout=RING_TIMEOUT_S,
        broker_transport_options={
            "max_retries": 0,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
            "socket_timeout": RING_TIMEOUT_S,
            "socket_connect_timeout": RING_TIMEOUT_S,
        },
    )
    return app


def load_client() -> None:
    """Load now what Celery would load with its first message and in its worker: for a process that will fork others."""
    for name in ("celery.app.amqp", "celery.apps.worker", "celery.concurrency.thread", "kombu.transport.redis"):
        importlib.import_module(name)


class Bell:
    """Rings the workers of one broker. An empty URL is a bell without a clapper: everything waits for the sweep."""

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._rung = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._start = threading.Lock()

    @cached_property
    def _app(self) -> "Celery":
        """Made for the first ring: Celery is a fifth of what a web process would load before it serves."""
        return celery_app(self._broker_url)

    def ring(self) -> None:
        """Something may go now. Returns at once and never raises."""
        if not self._broker_url:
            return
        if self._thread is None:
            with self._start:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                    self._thread.start()
        self._rung.set()

    def close(self) -> None:
        """Ring no more. A ring that is under way has 0.2 s."""
        self._stopping = True
        self._rung.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * RING_TIMEOUT_S)
        if "_app" in self.__dict__:
            self._app.close()

    def _run(self) -> None:
        while not self._stopping:
            self._rung.wait()
            self._rung.clear()
            if self._stopping:
                return
            time.sleep(PAUSE_S if self.ask(WAKE, RING_EXPIRES_S) else REST_S)

    def ask(self, task: str, expires_s: float) -> bool:
        """Ask the workers for an ordinary task; False: the broker did not take it. Waits 0.2 s at most."""
        if not self._broker_url:
            return False
        try:
            self._app.send_task(task, queue=QUEUE, expires=expires_s)
        except Exception as error:  # noqa: BLE001 - whatever a broker answers, who rings goes on ringing
            _log.warning("bell.lost", error=type(error).__name__)
            return False
        return True
