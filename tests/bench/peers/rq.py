"""RQ: a Retry with intervals from 10 s to 10 minutes, long enough for a day and a half; a pool of 8 workers."""

from collections.abc import Iterable, Iterator

from redis import Redis
from rq import Queue, Retry

from tests.bench.peers import upload

NAME = "RQ"
NEEDS = "redis"
WORKER = ("rq.cli", "worker-pool", "-n", "8", "-q")
INTERVALS = [10, 20, 40, 80, 160, 320, *[600] * 200]


def prepare() -> None:
    """Nothing to do."""


def send(jobs: Iterable[tuple[str, str, str, str]]) -> None:
    queue = Queue(connection=Redis.from_url(upload.BROKER))
    for job in jobs:
        queue.enqueue(upload.publish, *job, retry=Retry(max=len(INTERVALS), interval=INTERVALS), result_ttl=0)


def waits() -> Iterator[float]:
    for count in range(len(INTERVALS)):
        yield float(Retry.get_interval(count, INTERVALS))
