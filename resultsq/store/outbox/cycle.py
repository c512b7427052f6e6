"""A worker's turn: settle what came back, move the window, claim what may go. One transaction.

The link's row is locked first, so that the window holds across all workers; nothing is called while it is."""

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
"""A master that takes longer for a sheet is not kept waiting by turns, and none is leased ahead for it."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """What a turn did. `free_slots`: how many more senders may begin now, with `leases` or with what lay ahead;
    whatever is
    left then lies ahead. `at_ease`: a sender may go on with one of these by itself, for nothing speaks against it.
    `returned_at`: when the link last returned; connections from before that are not to be trusted."""

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
    """Settle, then claim for at most `free` senders, as many as the window has room for, and for each sender that is
    on its way then one ahead, if the master takes them well and quickly.

    :param ahead: how many lie ahead already: leased to this worker, and not begun; None: none ever does
    :param recalled: leases of what lay ahead and will not be begun; they are handed back
    :param kinds: those that can be sent; None: whatever comes"""
    row = links.lock(conn)
    if cancelled:  # the two below lock chains each, and two turns must not wait for each other
        outbox.lock_all(conn, Submission.lease.in_([*cancelled, *(one.lease for one in settlements)]), _SENT)
    settled = outbox.settle(conn, now, settlements)
    health = judge(conn, now, row, settled, ceiling)
    outbox.release_leases(conn, now, cancelled)
    queue = outbox.look(conn, now, health.epoch)
    outbox.reclaim(conn, now, queue.ended)
    # what lies ahead of another worker counts as if it were on its way: that one has the window to itself
    running = queue.running - (prefetched or 0)
    free_slots = min(free, health.window.free_slots(running, ceiling), health.most_now(now))
    if queue.held or (prefetched and queue.ended):
        free_slots = (
            0  # what lies ahead may be among the ended, and is not begun: it is counted once it was handed back
        )
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
