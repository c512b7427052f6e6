"""A worker's dispatch cycle: settle the attempts that ended, move the window, claim what may be sent. One transaction.

Two pure decisions stand between the reads and the writes: domain/link_health judges the link by the attempts that
ended, and domain/dispatch_plan says how many submissions to claim.

Each destination has its own. It locks the link's row first, so that the window holds across all workers. It calls
nothing outside the database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from resultsq.domain.dispatch_plan import Senders, plan_claims
from resultsq.domain.link_health import judge
from resultsq.domain.settlement import Settlement
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.tables import MASTER, Submission
from resultsq.store.outbox import Lease, Settled, link_health, links

_SENT = Submission.state == State.SENDING


@dataclass(frozen=True, slots=True)
class Cycle:
    """The result of a cycle. `free_slots`: how many more senders may begin now, with prefetched leases first and then
    with `leases`; the rest stays prefetched. `at_ease`: a sender that is done may begin with a prefetched lease without
    waiting for a cycle. `returned_at`: when the link last returned; do not reuse connections from before that."""

    settled: Sequence[Settled]
    leases: Sequence[Lease]
    free_slots: int
    at_ease: bool
    returned_at: datetime | None


def run_cycle(
    conn: Connection,
    now: datetime,
    worker: str,
    settlements: Sequence[Settlement],
    free: int,
    ceiling: int,
    prefetched: int | None = None,
    cancelled: Sequence[str] = (),
    kinds: Collection[str] | None = None,
    destination: str = MASTER,
) -> Cycle:
    """Settle, then claim what `plan_claims` says.

    :param prefetched: how many are prefetched now: leased to this worker, and not begun; None: prefetch nothing
    :param cancelled: prefetched leases that will not be begun; they are released
    :param kinds: the kinds that can be sent; None: all
    :param destination: whose queue and link it is"""
    row = links.lock(conn, destination)
    if cancelled:  # settle and release lock chains each: lock all at once, or two cycles may wait for each other
        outbox.lock_all(conn, Submission.lease.in_([*cancelled, *(one.lease for one in settlements)]), _SENT)
    settled = outbox.settle(conn, now, settlements)
    before = link_health.read(row)
    judged = judge(before, now, [one.settlement for one in settled if one.state is not None], ceiling)
    health, facts = judged.health, link_health.write_events(conn, now, row, judged, ceiling)
    outbox.release_leases(conn, now, cancelled)
    if destination != MASTER and links.results_go_first(conn, now):
        free, prefetched = 0, None
    queue = outbox.look(conn, now, health.epoch, destination)
    outbox.reclaim(conn, now, queue.ended)
    plan = plan_claims(now, Senders(free, ceiling, prefetched), queue, health, settlements)
    trial = health.takes_nothing
    leases, last_round = outbox.claim(
        conn, now, worker, plan.wanted, health.epoch, row.turns, queue, kinds, trial, destination
    )
    if leases:
        health = health.after_claim(now)
    facts |= link_health.changes(before, health)
    if leases or settled or facts:
        links.keep(conn, destination, health.window, len(leases), max(last_round, health.round), facts)
    return Cycle(settled, leases, plan.free_slots, plan.at_ease, row.returned_at)
