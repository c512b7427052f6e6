"""A store that holds very many submissions, by bulk SQL: those that are over, or those that wait.

The newest thousand came within the last month, all others before that: so what a page shows of the last day or month is
the same however much there is, and what still costs more does so for the past, or for the number of those that wait.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text, update

from resultsq.domain.sheet import digest
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Event, Link
from resultsq.store.outbox import state_sums
from tests.support.nodes import CEILING

OVER, WAITING = "over", "waiting"
EVENTS, FIRST_EVENT = 500, 1_001
LAST_SEQ = 2_000_000
"""Of the newest. Older ones lie before it, so that a later fill comes before an earlier one."""

RECENT, MONTH_S, APART_S = 1_000, 30 * 86_400, 30
LONGEST_S = 900
_BODY = b'{"schema":"resultsq.results/1","event":"e","date":"2013-12-07","finishers":[]}'

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
_AGE_S = f"(CASE WHEN i <= {RECENT} THEN i * {MONTH_S // RECENT} ELSE {MONTH_S} + i * {APART_S} END)"
_EVENT, _SEQ = f"({FIRST_EVENT} + i % {EVENTS})", f"({LAST_SEQ + 1} - i)"
_DAY = {
    "sqlite": f"date('2013-12-07', '-' || (i / {EVENTS}) || ' days')",
    "postgresql": f"(DATE '2013-12-07' - (i / {EVENTS}))::text",
}
_AGO = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', :now, ({seconds}) || ' seconds')",
    "postgresql": "(CAST(:now AS timestamp) + ({seconds}) * interval '1 second')",
}


def _tables(make: str, which: str) -> Iterator[str]:
    day = _DAY[make]
    came = _AGO[make].format(seconds=f"0 - {_AGE_S}")
    gone = _AGO[make].format(seconds=f"10 - {_AGE_S}")
    over = which == OVER
    yield (
        "chains (id, kind, event_id, date, head, versions)"
        f" SELECT {_SEQ}, 'results', {_EVENT}, {day}, 'filled-' || {_SEQ}, 1 FROM n"
    )
    yield (
        "submissions (seq, id, kind, chain_id, event_id, date, version, state, state_at, digest, rows_digest, size,"
        " finishers, finishers_digest, submitted_by, accepted_at, request_id, blocked, wait_s, attempts, failures,"
        " silences, in_doubt, lease_s, epoch, round, lane, revision, received_at, published_at, status)"
        f" SELECT {_SEQ}, 'filled-' || {_SEQ}, 'results', {_SEQ}, {_EVENT}, {day}, 1,"
        f" '{'published' if over else 'queued'}', {gone if over else came}, :digest, 'r', 15000, 250, 'f' || i, 'team',"
        f" {came}, '', false, 0.0, {1 if over else 0}, 0, 0, false, 0.0,"
        # half of what waits came before the link's return, and rounds go with the order of acceptance
        f" {1 if over else 'CASE WHEN i % 2 = 0 THEN 0 ELSE 1 END'}, {LAST_SEQ // EVENTS} - i / {EVENTS},"
        f" {_EVENT} || ' results', {'1' if over else 'NULL'}, {gone if over else 'NULL'}, {gone if over else 'NULL'},"
        f" {'201' if over else 'NULL'} FROM n"
    )
    yield f"payloads (seq, body) SELECT {_SEQ}, :body FROM n"
    if over:
        yield (
            "attempts (seq, number, lease, worker, started_at, ended_at, duration_s, outcome, status)"
            f" SELECT {_SEQ}, 1, 'lease-' || {_SEQ}, 'w1', {came}, {gone}, 0.05, 'accepted', 201 FROM n"
        )


def prepare(database: Database, now: datetime) -> None:
    """The events that the filled ones are of."""
    rows = [
        {"id": FIRST_EVENT + n, "slug": f"filled-{n:03}", "name": f"Filled {n}", "time_zone": "Europe/London",
         "created_at": now}
        for n in range(EVENTS)
    ]  # fmt: skip
    database.write(lambda conn: conn.execute(insert(Event), rows))


def fill(database: Database, now: datetime, which: str, first: int, last: int) -> None:
    """Add the submissions from the `first` to the `last`, counted from the newest on."""
    make = "sqlite" if database.is_sqlite else "postgresql"
    at = now.replace(tzinfo=None)
    asked: dict[str, Any] = {"now": f"{at:%Y-%m-%d %H:%M:%S}" if database.is_sqlite else at}
    asked |= {"digest": digest(_BODY), "body": _BODY}

    numbers = _NUMBERS.format(first=first, last=last)
    with database.alone() as conn:  # on SQLite a transaction of the engine commits each row by itself
        if not database.is_sqlite:
            conn.execute(text(f"SET LOCAL statement_timeout = '{LONGEST_S}s'"))
        for table in _tables(make, which):
            conn.execute(text(_insert(numbers, table)), asked)
        if not database.is_sqlite and first == 1:
            for of in ("chains', 'id", "submissions', 'seq"):
                conn.execute(text(f"SELECT setval(pg_get_serial_sequence('{of}'), {LAST_SEQ})"))
        opened = {"window": CEILING, "opened_at": now - timedelta(hours=1), "returned_at": now - timedelta(hours=1)}
        conn.execute(update(Link).values(**opened, return_seq=LAST_SEQ, turns=0, round=0))
    add_up(database)
    analyse(database)


def add_up(database: Database) -> None:
    """As a worker does it every few seconds."""
    while not database.is_sqlite:
        with database.read() as conn:
            if not state_sums.any_left(conn):
                return
        database.write(state_sums.add_up)


def _insert(numbers: str, table: str) -> str:
    """`table`: its name with its columns, and the SELECT for them."""
    into, _, rows = table.partition(" SELECT ")
    return f"INSERT INTO {into} {numbers} SELECT {rows}"


def analyse(database: Database) -> None:
    """Tell the planner how much there is; PostgreSQL also sees which pages are whole, as it does by itself in time."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")
        if database.is_sqlite:
            conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
