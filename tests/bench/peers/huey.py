"""Huey on Redis: retries with a delay that doubles."""

from collections.abc import Iterable, Iterator

from huey import RedisHuey

from tests.bench.peers import upload

NAME = "Huey"
NEEDS = "redis"
WORKER = ("huey.bin.huey_consumer", "tests.bench.peers.huey.huey", "-k", "thread", "-w", "8", "-q")
DELAY_S, BACKOFF = 10, 2

huey = RedisHuey("bench", url=upload.BROKER, results=False)


@huey.task(retries=1_000_000, retry_delay=DELAY_S, retry_backoff=BACKOFF)
def publish(submission: str, event: str, day: str, body: str) -> None:
    upload.publish(submission, event, day, body)


def prepare() -> None:
    """Nothing to do."""


def send(jobs: Iterable[tuple[str, str, str, str]]) -> None:
    for job in jobs:
        publish(*job)


def waits() -> Iterator[float]:
    delay_s = float(DELAY_S)
    while True:
        yield delay_s
        delay_s *= BACKOFF
