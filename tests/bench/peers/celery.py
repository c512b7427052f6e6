"""Celery on Redis: `autoretry_for` with back-off and jitter, acknowledged late."""

from collections.abc import Iterable, Iterator

from celery import Celery
from celery.utils.time import get_exponential_backoff_interval

from tests.bench.peers import upload

NAME = "Celery"
NEEDS = "redis"
WORKER = ("celery", "-A", "tests.bench.peers.celery", "worker", "--pool", "threads", "--concurrency", "8",
          "--loglevel", "ERROR")  # fmt: skip

app = Celery("bench", broker=upload.BROKER)
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True)


@app.task(
    name="publish",
    autoretry_for=(Exception,),
    max_retries=None,
    retry_backoff=True,
    retry_backoff_max=600,
    retry_jitter=True,
)
def publish(submission: str, event: str, day: str, body: str) -> None:
    upload.publish(submission, event, day, body)


def prepare() -> None:
    """Nothing to do."""


def send(jobs: Iterable[tuple[str, str, str, str]]) -> None:
    for job in jobs:
        publish.delay(*job)


def waits() -> Iterator[float]:
    retries = 0
    while True:
        yield get_exponential_backoff_interval(factor=1, retries=retries, maximum=600, full_jitter=True)
        retries += 1
