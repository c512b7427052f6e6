"""A transactional outbox written by hand, with care, and a relay that polls it: what most teams write today.

A row for each job, in the transaction of the work that it belongs to. Eight threads of the relay take the oldest one
that is due and that no other has, send it, and mark it as sent; what fails is due again after a time that doubles, up
to five minutes. Where nothing is due they look again each second. A relay that dies gives its row back by itself, for
its transaction ends.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress

import psycopg

from tests.bench.peers import upload

NAME = "outbox by hand"
NEEDS = "postgresql"
WORKER = ("tests.bench.peers.outbox",)
SENDERS = 8
POLL_S = 1.0
LONGEST_WAIT_S = 300.0

_TABLE = """
CREATE TABLE outbox (
    id bigserial PRIMARY KEY, submission text UNIQUE, event text, day text, body text,
    attempts int NOT NULL DEFAULT 0, due_at timestamptz NOT NULL DEFAULT now(), sent_at timestamptz);
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE sent_at IS NULL
"""
_TAKE = """
SELECT id, attempts, submission, event, day, body FROM outbox WHERE sent_at IS NULL AND due_at <= now()
ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_SENT = "UPDATE outbox SET sent_at = now() WHERE id = %s"
_FAILED = "UPDATE outbox SET attempts = attempts + 1, due_at = now() + make_interval(secs => %s) WHERE id = %s"


def prepare() -> None:
    with psycopg.connect(upload.BROKER) as conn:
        conn.execute(_TABLE)


def send(jobs: Iterable[tuple[str, str, str, str]]) -> None:
    with psycopg.connect(upload.BROKER) as conn:
        conn.cursor().executemany("INSERT INTO outbox (submission, event, day, body) VALUES (%s, %s, %s, %s)", jobs)


def waits() -> Iterator[float]:
    attempts = 0
    while True:
        yield _wait_s(attempts)
        attempts += 1


def relay(stop: threading.Event) -> None:
    """Send what is due, until told to stop; a lost database is tried again."""
    while not stop.is_set():
        with suppress(psycopg.OperationalError), psycopg.connect(upload.BROKER) as conn:
            while not stop.wait(0.0 if _one(conn) else POLL_S):
                continue
        stop.wait(POLL_S)


def _one(conn: psycopg.Connection) -> bool:
    with conn.transaction():
        row = conn.execute(_TAKE).fetchone()
        if row is None:
            return False
        number, attempts, *job = row
        try:
            upload.publish(*job)
        except Exception:
            conn.execute(_FAILED, (_wait_s(attempts), number))
        else:
            conn.execute(_SENT, (number,))
    return True


def _wait_s(attempts: int) -> float:
    return min(2.0 ** min(attempts, 10), LONGEST_WAIT_S)


if __name__ == "__main__":
    never = threading.Event()
    for _ in range(SENDERS):
        threading.Thread(target=relay, args=(never,)).start()
