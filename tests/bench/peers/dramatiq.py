"""Dramatiq on Redis with its Retries middleware: 15 s, doubled and jittered, up to 7 days."""

from collections.abc import Iterable, Iterator

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import compute_backoff
from dramatiq.middleware.retries import DEFAULT_MAX_BACKOFF, DEFAULT_MIN_BACKOFF

from tests.bench.peers import upload

NAME = "Dramatiq"
NEEDS = "redis"
WORKER = ("dramatiq", "tests.bench.peers.dramatiq", "--processes", "1", "--threads", "8")

dramatiq.set_broker(RedisBroker(url=upload.BROKER))


@dramatiq.actor(max_retries=None)
def publish(submission: str, event: str, day: str, body: str) -> None:
    upload.publish(submission, event, day, body)


def prepare() -> None:
    """Nothing to do."""


def send(jobs: Iterable[tuple[str, str, str, str]]) -> None:
    for job in jobs:
        publish.send(*job)


def waits() -> Iterator[float]:
    retries = 0
    while True:
        _, milliseconds = compute_backoff(retries, factor=DEFAULT_MIN_BACKOFF, max_backoff=DEFAULT_MAX_BACKOFF)
        yield milliseconds / 1000
        retries += 1
