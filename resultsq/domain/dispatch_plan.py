"""How many submissions a dispatch cycle claims, and how many of them senders may begin with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from resultsq.domain.link_health import LinkHealth
from resultsq.domain.outcome import Accepted
from resultsq.domain.settlement import Settlement

QUICK_S = 0.25
"""A master that takes longer for a sheet does not notice the time of a cycle, so nothing is prefetched for it."""


@dataclass(frozen=True, slots=True)
class Senders:
    """A worker's senders: how many there are (`ceiling`), how many of them have nothing to do (`free`), and how many
    leases are prefetched for them. `prefetched` None: the worker stops, so prefetch nothing."""

    free: int
    ceiling: int
    prefetched: int | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """A destination's queue at the start of a cycle: how many leases run (`running`), the seqs of those that ran out
    (`ended`), whether the destination is held, of which epochs from before the link's return there may be any to
    claim (`old`), and whether from after it (`fresh`), or put off and due again (`again`)."""

    running: int
    ended: Sequence[int] = ()
    held: bool = False
    old: Sequence[int] = ()
    fresh: bool = True
    again: bool = True


@dataclass(frozen=True, slots=True)
class DispatchPlan:
    """What a cycle claims (`wanted`). `free_slots`: how many senders may begin now. `at_ease`: a sender that is done
    may begin with a prefetched lease without waiting for a cycle."""

    wanted: int
    free_slots: int
    at_ease: bool


def plan_claims(
    now: datetime, senders: Senders, queue: Queue, health: LinkHealth, ends: Sequence[Settlement]
) -> DispatchPlan:
    """Claim for at most the free senders, as many as the window allows. While the master takes all it is given, and
    quickly, claim one more for each busy sender: that one is prefetched.

    :param ends: the attempts that this cycle settles"""
    prefetched = senders.prefetched or 0
    # another worker's prefetched leases count as being sent: only that worker knows which they are
    on_the_way = queue.running - prefetched
    free_slots = min(senders.free, health.window.free_slots(on_the_way, senders.ceiling), health.most_now(now))
    if queue.held or (prefetched and queue.ended):
        free_slots = 0  # a prefetched lease may be among those that ran out: count again once it was released
    at_ease = (
        health.is_clear
        and not (queue.held or queue.ended)
        and on_the_way <= health.window.size
        and all(isinstance(end.outcome, Accepted) for end in ends)
    )
    quick = bool(ends) and max(end.duration_s for end in ends) < QUICK_S
    busy = senders.ceiling - senders.free
    spare = busy + free_slots if senders.prefetched is not None and at_ease and quick else 0
    return DispatchPlan(max(0, free_slots + spare - prefetched), free_slots, at_ease)
