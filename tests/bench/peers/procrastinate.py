"""Procrastinate on PostgreSQL with an exponential retry strategy: 2 s, 4 s, 8 s and so on."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from procrastinate import App, PsycopgConnector, RetryStrategy, SyncPsycopgConnector
from procrastinate.jobs import Job

from tests.bench.peers import upload

NAME = "Procrastinate"
NEEDS = "postgresql"
WORKER = ("procrastinate", "--app", "tests.bench.peers.procrastinate.app", "worker", "--concurrency", "8")

app = App(connector=PsycopgConnector(conninfo=upload.BROKER))
STRATEGY = RetryStrategy(exponential_wait=2)


@app.task(name="publish", retry=STRATEGY)
def publish(submission: str, event: str, day: str, body: str) -> None:
    upload.publish(submission, event, day, body)


def prepare() -> None:
    with app.replace_connector(SyncPsycopgConnector(conninfo=upload.BROKER)) as synchronous, synchronous.open():
        synchronous.schema_manager.apply_schema()


def send(jobs: Iterable[tuple[str, str, str, str]]) -> None:
    keys = ("submission", "event", "day", "body")
    with app.replace_connector(SyncPsycopgConnector(conninfo=upload.BROKER)) as synchronous, synchronous.open():
        synchronous.tasks["publish"].batch_defer(*(dict(zip(keys, job, strict=True)) for job in jobs))


def waits() -> Iterator[float]:
    attempts = 0
    while True:
        job = Job(id=0, queue="", lock=None, queueing_lock=None, task_name="publish", attempts=attempts)
        decision = STRATEGY.get_retry_decision(exception=OSError(), job=job)
        assert decision is not None
        assert decision.retry_at is not None
        yield (decision.retry_at - datetime.now(UTC)).total_seconds()
        attempts += 1
