"""A worker's turn: settle what came back, move the window, claim what may go. One transaction.

The link's row is locked first, so that the window holds across all workers; nothing is called while it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from resultsq.domain.link import PROBE_DOWN_S, TROUBLE, LinkState
from resultsq.domain.outcome import LINK_CAUSES, Cause
from resultsq.domain.submission import State
from resultsq.store import links, outbox
from resultsq.store.outbox import Lease, Published, PutBack, Settled, Settlement
from resultsq.store.stepped import passed
from resultsq.store.tables import Submission

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
) -> Turn:
    """Settle, then claim for at most `free` couriers, as many as the window has room for, and for each courier that is
    on its way then one ahead, if the master takes them well and quickly.

    :param ahead: how many lie ahead already: leased to this worker, and not begun; None: none ever does
    :param recalled: leases of what lay ahead and will not be begun; they are handed back"""
    row = links.lock(conn)
    window = links.window(row)
    if recalled:  # the two below lock chains each, and two turns must not wait for each other
        outbox.lock_all(conn, Submission.lease.in_([*recalled, *(one.lease for one in settlements)]), _SENT)
    settled = outbox.settle(conn, now, settlements)
    facts: dict[str, object] = {}
    suspect = row.suspect
    refused_at, refused_next_at = row.refused_at, row.refused_next_at
    for one in settled:
        if one.state is None:
            continue
        began = now - timedelta(seconds=one.settlement.duration_s)
        if row.returned_at is not None and began < row.returned_at <= now:
            continue  # it was sent before the link went, and says nothing of it as it is now
        match one.settlement:
            case PutBack() as back if back.outcome == "unauthorised":
                # refused for one event they are good for the destination
                refused_at = None if back.refused_event else refused_at or now
                refused_next_at = None if back.refused_event else now + timedelta(seconds=outbox.REFUSED_WAIT_S)
                facts |= {"refused_at": refused_at, "refused_next_at": refused_next_at}
            case PutBack() as back:
                cause = Cause(back.cause)
                of_link = cause in LINK_CAUSES
                # who refuses the only one on its way would be asked for the next at once, and so on for days
                overrun = cause in TROUBLE and not of_link and window.size == 1
                if cause in TROUBLE:
                    window = window.trouble()
                # a silent call was given up because a newer connection worked
                doubts = overrun or (of_link and cause is not Cause.SILENT)
                if doubts and LinkState(row.state) is LinkState.UP and not suspect:
                    suspect = True
                    facts |= {"suspect": True, "suspect_at": now}
                    facts |= links.next_probe(now, PROBE_DOWN_S if overrun else 0.0)
            case _:
                window = window.answered_well(now, ceiling)
                if refused_at is not None:
                    refused_at = refused_next_at = None
                    facts |= {"refused_at": None, "refused_next_at": None}
    outbox.hand_back(conn, now, recalled)
    queue = outbox.look(conn, now, row.return_seq)
    outbox.reclaim(conn, now, queue.ended)
    # what lies ahead of another worker counts as if it were on its way: that one has the window to itself
    running = queue.running - (ahead or 0)
    room = min(free, window.room(running, ceiling))
    if LinkState(row.state) is not LinkState.UP or suspect or queue.held:
        room = 0
    if ahead and queue.ended:
        room = 0  # what lies ahead may be among them, and is not begun: it is counted once it was handed back
    if refused_at is not None:
        room = min(room, 1) if passed(refused_next_at, outbox.REFUSED_WAIT_S, now) else 0
    at_ease = (
        LinkState(row.state) is LinkState.UP
        and not (suspect or queue.held or refused_at or queue.ended)
        and running <= window.size
        and all(isinstance(one.settlement, Published) for one in settled)
    )
    spare = ceiling - free + room if ahead is not None and at_ease and _quick(settlements) else 0
    leases = outbox.claim(conn, now, worker, max(0, room + spare - (ahead or 0)), row.return_seq, row.turns, queue)
    if leases and refused_at is not None:
        facts |= {"refused_next_at": now + timedelta(seconds=outbox.REFUSED_WAIT_S)}
    if leases or settled or facts:
        links.keep(conn, window, len(leases), facts)
    return Turn(settled, leases, room, at_ease, row.returned_at)


def _quick(settlements: Sequence[Settlement]) -> bool:
    return bool(settlements) and max(one.duration_s for one in settlements) < QUICK_S
