"""A worker's dispatch cycle: settle the attempts that ended, move the window, claim what may be sent. One transaction.

It locks the link's row first, so that the window holds across all workers. It calls nothing outside the database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.tables import Submission
from resultsq.store.outbox import Lease, Published, Settled, Settlement, links
from resultsq.store.outbox.link_health import judge

_SENT = Submission.state == State.SENDING
QUICK_S = 0.25
"""A master that takes longer for a sheet does not notice the time of a cycle, so nothing is prefetched for it."""


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
) -> Cycle:
    """Settle, then claim for at most `free` senders, as many as the window allows. While the master takes all it is
    given, and quickly, claim one more for each busy sender: that one is prefetched.

    :param prefetched: how many are prefetched now: leased to this worker, and not begun; None: prefetch nothing
    :param cancelled: prefetched leases that will not be begun; they are released
    :param kinds: the kinds that can be sent; None: all"""
    row = links.lock(conn)
    if cancelled:  # settle and release lock chains each: lock all at once, or two cycles may wait for each other
        outbox.lock_all(conn, Submission.lease.in_([*cancelled, *(one.lease for one in settlements)]), _SENT)
    settled = outbox.settle(conn, now, settlements)
    health = judge(conn, now, row, settled, ceiling)
    outbox.release_leases(conn, now, cancelled)
    queue = outbox.look(conn, now, health.epoch)
    outbox.reclaim(conn, now, queue.ended)
    # another worker's prefetched leases count as being sent: only that worker knows which they are
    running = queue.running - (prefetched or 0)
    free_slots = min(free, health.window.free_slots(running, ceiling), health.most_now(now))
    if queue.held or (prefetched and queue.ended):
        free_slots = 0  # a prefetched lease may be among those that ran out: count again once it was released
    at_ease = (
        health.is_clear
        and not (queue.held or queue.ended)
        and running <= health.window.size
        and all(isinstance(one.settlement, Published) for one in settled)
    )
    spare = ceiling - free + free_slots if prefetched is not None and at_ease and _quick(settlements) else 0
    wanted = max(0, free_slots + spare - (prefetched or 0))
    leases, last = outbox.claim(conn, now, worker, wanted, health.epoch, row.turns, queue, kinds, health.takes_nothing)
    if leases:
        health.claimed(now)
    if leases or settled or health.facts:
        links.keep(conn, health.window, len(leases), max(last, health.round), health.facts)
    return Cycle(settled, leases, free_slots, at_ease, row.returned_at)


def _quick(settlements: Sequence[Settlement]) -> bool:
    return bool(settlements) and max(one.duration_s for one in settlements) < QUICK_S
