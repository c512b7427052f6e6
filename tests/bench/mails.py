"""Results beside mails that wait: `mails` in `tests.bench`.

The master and the mail server are away; 50,000 mails (500 in short) and 200 results wait. Both come back at the same
moment, and one worker of a node on SQLite sends to both. What counts is how long a result is still on its way."""

import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import quantiles

from sqlalchemy import select

from resultsq.app import mails
from resultsq.clock import SystemClock
from resultsq.sealed import personal_keys
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import MASTER, Submission
from tests.bench.report import OURS, Result
from tests.support.office import office
from tests.support.processes import OtherMaster, Process
from tests.support.relays import Relay
from tests.support.services import HOST, free_port

MANY, FEW = 50_000, 500
RESULTS = 200
P95_S = 3.0
_CHUNK = 500
_GIVE_UP_S = 120.0


def run(short: bool) -> Iterator[Result]:
    """Without mails, and with them."""
    for waiting in (0, FEW if short else MANY):
        with (
            tempfile.TemporaryDirectory() as folder,
            OtherMaster() as master,
            Relay(f"sqlite:///{Path(folder) / 'store.db'}", master) as relay,
        ):
            yield _measure(relay, waiting, Path(folder))


def _measure(relay: Relay, waiting: int, folder: Path) -> Result:
    port = free_port()
    relay.proxy.refuse()
    sealing = Database(relay.url, partial(personal_keys, "", folder))
    for start in range(0, waiting, _CHUNK):
        _put(sealing, min(_CHUNK, waiting - start))
    sealing.close()
    environment = relay.environment(SMTP_URL=f"smtp://{HOST}:{port}", DATA_DIR=folder)
    with Process("worker", env=environment):
        relay.wait_for_link("down")
        relay.accept(RESULTS)
        with office(port) as there:
            began = SystemClock().now()
            relay.proxy.restore()
            give_up = time.monotonic() + _GIVE_UP_S  # what is not published by then is told as lost
            while len(_waits(relay, began)) < RESULTS and time.monotonic() < give_up:
                time.sleep(0.1)
            waits, sent = _waits(relay, began), len(there.mails)
            time.sleep(1.0)
            more = len(there.mails) - sent
    p95_s = quantiles(waits, n=20)[-1] if len(waits) > 1 else None
    figures = {"p95_s": p95_s, "last_s": max(waits, default=None), "lost": RESULTS - len(waits), "mails_sent": sent}
    moves = {"mails_in_the_next_second": more} if waiting else {}
    return Result(
        "mails",
        f"{RESULTS} results beside {waiting:,} mails, both links return",
        OURS,
        {**figures, **moves},
        target=f"p95 ≤ {P95_S:.0f} s",
        met=p95_s is not None and p95_s <= P95_S,
    )


def _put(database: Database, count: int) -> None:
    now, said = SystemClock().now(), {"address": "jane@bushy.example", "text": "Published."}
    database.write(lambda conn: [mails.queue(conn, now, subject=f"Mail {n}", **said) for n in range(count)])


def _waits(relay: Relay, began: datetime) -> list[float]:
    """Seconds from the return to the publication of each result."""
    published = Submission.published_at.is_not(None)
    query = select(Submission.published_at).where(Submission.destination == MASTER, published)
    with relay.database.read() as conn:
        return [(at - began).total_seconds() for at in conn.execute(query).scalars() if at is not None]
