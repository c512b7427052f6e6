"""A prober's turn in an outage. It may last for days, and nothing happens in it but this: so one transaction keeps the
prober's lease, writes down the last answer and takes the number of the next probe."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, update

from resultsq.domain.link import probe_wait_s, state_for
from resultsq.domain.ports import ProbeAnswer
from resultsq.store.engine.tables import MASTER, Link
from resultsq.store.outbox import links


@dataclass(frozen=True, slots=True)
class HeardAgain:
    """A probe's answer that most likely says what the link's row says already."""

    number: int
    answer: ProbeAnswer


@dataclass(frozen=True, slots=True)
class ProberTurn:
    """A prober's turn in an outage: the link as it was, the number of the probe to start, if one is due, and what the
    last answer changed after all."""

    seen: links.LinkSnapshot
    number: int | None
    change: links.LinkChange | None = None


def take_turn(
    conn: Connection,
    now: datetime,
    worker: str,
    heard: HeardAgain | None,
    may_start: bool,
    ceiling: int,
    jitter: float,
    name: str = MASTER,
) -> ProberTurn:
    """What `probe_answered`, `take_prober` and `start_probe` of links.py do, for a prober that has the lease. Where
    another has it by now, only the answer is written down.

    :param heard: the last answer, where it was not written down when it came
    :param may_start: whether there is room for one more probe"""
    row, change = links.lock(conn, name), None
    repeated = heard is not None and _says_the_same(row, heard)
    if heard is not None and not repeated:
        change = links.probe_answered(conn, now, heard.number, heard.answer, ceiling, jitter, name)
        row = links.lock(conn, name)
    seen = links.snapshot(row, now, worker)
    if not seen.mine:
        return ProberTurn(seen, None, change)
    starts = may_start and seen.probe_due
    wait_s = probe_wait_s(seen.state, seen.suspect, jitter)
    answered = heard.answer if heard is not None and repeated else None
    conn.execute(
        _TURN,
        {
            "_name": name,
            "_until": now + timedelta(seconds=links.PROBER_LEASE_S),
            "_probes": seen.probes + starts,
            "_at": now + timedelta(seconds=wait_s) if starts else row.next_probe_at,
            "_wait_s": wait_s if starts else row.probe_wait_s,
            "_probed_at": row.probed_at if answered is None else now,
            "_probe_s": row.probe_s if answered is None else answered.duration_s,
            "_newest_at": row.newest_at if answered is None else links.clock_facts(row, now, answered)["newest_at"],
        },
    )
    if starts:
        links.count_probe(conn, row.outage_id)
    return ProberTurn(seen, seen.probes + 1 if starts else None, change)


def _says_the_same(row: Row[Any], heard: HeardAgain) -> bool:
    """Whether the row would change by no more than the time at which it was heard."""
    answer = heard.answer
    same = answer.cause is not None and (row.cause, row.detail) == (answer.cause, answer.detail)
    still = row.state == state_for(answer.cause) and not row.suspect and row.suspect_at is None
    return same and still and heard.number > row.ok_probe and answer.retry_after_s is None


_TURN = (
    update(Link)
    .where(Link.name == bindparam("_name"))
    .values(
        prober_until=bindparam("_until"),
        probes=bindparam("_probes"),
        next_probe_at=bindparam("_at"),
        probe_wait_s=bindparam("_wait_s"),
        probed_at=bindparam("_probed_at"),
        probe_s=bindparam("_probe_s"),
        newest_at=bindparam("_newest_at"),
    )
)
