"""A worker's turn: settle what came back, move the window, claim what may go. One transaction.

The link's row is locked first, so that the window holds across all workers; nothing is called while it is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from resultsq.domain.submission import State
from resultsq.store import links, outbox
from resultsq.store.outbox import Lease, Published, Settled, Settlement
from resultsq.store.tables import Submission
from resultsq.store.way import judge

_SENT = Submission.state == State.SENDING
QUICK_S = 0.25
"""A master that takes longer for a sheet is not kept waiting by turns, and none is leased ahead for it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did. `room`: how many more couriers may begin now, with `leases` or with what lay ahead; whatever is
    left then lies ahead. `at_ease`: a courier may go on with one of these by itself, for nothing speaks against it.
    `returned_at`: when the link last returned; connections from before that are not to be trusted."""

    settled: Sequence[Settled]
    leases: Sequence[Lease]
    room: int
    at_ease: bool
    returned_at: datetime | None


def take(
    conn: Connection,
    now: datetime,
    worker: str,
    settlements: Sequence[Settlement],
    free: int,
    ceiling: int,
    ahead: int | None = None,
    recalled: Sequence[str] = (),
    kinds: Collection[str] | None = None,
) -> Turn:
    """Settle, then claim for at most `free` couriers, as many as the window has room for, and for each courier that is
    on its way then one ahead, if the master takes them well and quickly.

    :param ahead: how many lie ahead already: leased to this worker, and not begun; None: none ever does
    :param recalled: leases of what lay ahead and will not be begun; they are handed back
    :param kinds: those that can be sent; None: whatever comes"""
    row = links.lock(conn)
    if recalled:  # the two below lock chains each, and two turns must not wait for each other
        outbox.lock_all(conn, Submission.lease.in_([*recalled, *(one.lease for one in settlements)]), _SENT)
    settled = outbox.settle(conn, now, settlements)
    way = judge(conn, now, row, settled, ceiling)
    outbox.hand_back(conn, now, recalled)
    queue = outbox.look(conn, now, way.epoch)
    outbox.reclaim(conn, now, queue.ended)
    # what lies ahead of another worker counts as if it were on its way: that one has the window to itself
    running = queue.running - (ahead or 0)
    room = min(free, way.window.room(running, ceiling), way.most(now))
    if queue.held or (ahead and queue.ended):
        room = 0  # what lies ahead may be among the ended, and is not begun: it is counted once it was handed back
    at_ease = (
        way.clear
        and not (queue.held or queue.ended)
        and running <= way.window.size
        and all(isinstance(one.settlement, Published) for one in settled)
    )
    spare = ceiling - free + room if ahead is not None and at_ease and _quick(settlements) else 0
    wanted = max(0, room + spare - (ahead or 0))
    leases, last = outbox.claim(conn, now, worker, wanted, way.epoch, row.turns, queue, kinds, way.stalled)
    if leases:
        way.claimed(now)
    if leases or settled or way.facts:
        links.keep(conn, way.window, len(leases), max(last, way.round), way.facts)
    return Turn(settled, leases, room, at_ease, row.returned_at)


def _quick(settlements: Sequence[Settlement]) -> bool:
    return bool(settlements) and max(one.duration_s for one in settlements) < QUICK_S
