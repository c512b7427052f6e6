"""PgQueuer on PostgreSQL: a job that fails asks for another try after 1 s, doubled up to 5 minutes, as the library's
executor for retries does. That one has an end: it computes 2 to the power of the attempts, which overflows at the 47th
after some three hours, and then the job is deleted. So the same is asked for here with a bound. Four are fetched at
once, so that at most eight are under way."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta

import pgqueuer
import psycopg
from pgqueuer import Job, PgQueuer, PsycopgDriver, Queries, RetryRequested

from tests.bench.peers import upload

NAME = "PgQueuer"
NEEDS = "postgresql"
SENDERS = 8
WORKER = ("tests.bench.peers.pgqueuer",)
LONGEST_WAIT = timedelta(minutes=5)


@asynccontextmanager
async def _queries() -> AsyncIterator[Queries]:
    async with await psycopg.AsyncConnection.connect(upload.BROKER, autocommit=True) as conn:
        yield Queries(PsycopgDriver(conn))


@asynccontextmanager
async def worker() -> AsyncIterator[PgQueuer]:
    with ThreadPoolExecutor(SENDERS) as pool:
        async with await psycopg.AsyncConnection.connect(upload.BROKER, autocommit=True) as conn:
            manager = PgQueuer.from_psycopg_connection(conn)

            @manager.entrypoint("publish", on_failure="hold")
            async def publish(job: Job) -> None:
                words = json.loads(job.payload or b"")
                try:
                    await asyncio.get_running_loop().run_in_executor(pool, upload.publish, *words)
                except Exception as error:
                    raise RetryRequested(delay=_wait(job.attempts), reason=str(error)) from error

            yield manager


def prepare() -> None:
    async def install() -> None:
        async with _queries() as queries:
            await queries.install()

    asyncio.run(install())


def send(jobs: Iterable[tuple[str, str, str, str]]) -> None:
    async def enqueue() -> None:
        payloads: list[bytes | None] = [json.dumps(job).encode() for job in jobs]
        async with _queries() as queries:
            await queries.enqueue(["publish"] * len(payloads), payloads, [0] * len(payloads))

    asyncio.run(enqueue())


def waits() -> Iterator[float]:
    attempts = 0
    while True:
        yield _wait(attempts).total_seconds()
        attempts += 1


def _wait(attempts: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(attempts, 10)), LONGEST_WAIT)


if __name__ == "__main__":
    eight = {"batch_size": SENDERS // 2, "max_concurrent_tasks": SENDERS}
    asyncio.run(pgqueuer.run(worker, restart_on_failure=True, **eight))
