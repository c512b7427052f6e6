"""A worker's turn: settle what came back, move the window, claim what may go. One transaction.

The link's row is locked first, so that the window holds across all workers; nothing is called while it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from resultsq.domain.link import PROBE_DOWN_S, TROUBLE, LinkState
from resultsq.domain.outcome import LINK_CAUSES, Cause
from resultsq.store import links, outbox
from resultsq.store.outbox import Lease, PutBack, Settled, Settlement
from resultsq.store.stepped import passed


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did, and when the link last returned: connections from before that are not to be trusted."""

    settled: Sequence[Settled]
    leases: Sequence[Lease]
    returned_at: datetime | None


def take(
    conn: Connection, now: datetime, worker: str, settlements: Sequence[Settlement], free: int, ceiling: int
) -> Turn:
    """Settle, then claim at most `free` submissions, as many as the window has room for."""
    row = links.lock(conn)
    window = links.window(row)
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
    queue = outbox.look(conn, now, row.return_seq)
    outbox.reclaim(conn, now, queue.ended)
    room = min(free, window.room(queue.running, ceiling))
    if LinkState(row.state) is not LinkState.UP or suspect or queue.held:
        room = 0
    if refused_at is not None:
        room = min(room, 1) if passed(refused_next_at, outbox.REFUSED_WAIT_S, now) else 0
    leases = outbox.claim(conn, now, worker, room, row.return_seq, row.turns, queue)
    if leases and refused_at is not None:
        facts |= {"refused_next_at": now + timedelta(seconds=outbox.REFUSED_WAIT_S)}
    if leases or settled or facts:
        links.keep(conn, window, len(leases), facts)
    return Turn(settled, leases, row.returned_at)
