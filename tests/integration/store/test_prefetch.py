"""What a turn leases ahead: one for each sender while all goes well, and none on its way beyond the window."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import update

from resultsq.delivery import sender
from resultsq.domain.outcome import Cause, Deferred, Outcome, Scope, Unauthorised
from resultsq.domain.settlement import Settlement
from resultsq.domain.submission import State
from resultsq.store.engine.tables import Link
from resultsq.store.outbox import Lease, cycle, links
from tests.support.nodes import CEILING, StoreNode, accepted, lost, rejected

QUICK_S = 0.01


@pytest.fixture
def wide(up: StoreNode) -> StoreNode:
    """A node whose link is up, whose window is wide open, and with much to do."""
    opened = {"window": CEILING, "opened_at": up.now - timedelta(minutes=5)}
    up.database.write(lambda conn: conn.execute(update(Link).values(**opened)))
    up.accept_many(60)
    return up


def took(
    node: StoreNode, ends: Sequence[Settlement], free: int, prefetched: int, cancelled: Sequence[Lease] = ()
) -> cycle.Cycle:
    """A turn of a worker that has senders with nothing to do, and so many sheets that lie ahead."""
    back = [lease.lease for lease in cancelled]
    return node.database.write(
        lambda conn: cycle.run_cycle(conn, node.now, "w1", ends, free, CEILING, prefetched, back)
    )


def quick(lease: Lease, outcome: Outcome | None = None, duration_s: float = QUICK_S) -> Settlement:
    return sender.settlement(lease, outcome or accepted(lease), duration_s, 0.5)


def at_full_speed(node: StoreNode) -> list[Lease]:
    """Eight on their way, the first of these leases, and eight ahead, the others."""
    first = took(node, [], CEILING, 0)
    assert (len(first.leases), first.free_slots) == (CEILING, CEILING), "nobody knows yet how quick the master is"
    second = took(node, [quick(lease) for lease in first.leases], CEILING, 0)
    assert (len(second.leases), second.free_slots) == (2 * CEILING, CEILING)
    return list(second.leases)


def test_one_lies_ahead_for_each_courier_when_the_master_takes_them_quickly(wide: StoreNode) -> None:
    leases = at_full_speed(wide)
    assert wide.count(state=State.SENDING) == 2 * CEILING
    # three are done, and their senders went on with three that lay ahead
    again = took(wide, [quick(lease) for lease in leases[:3]], 0, CEILING - 3)
    assert (len(again.leases), again.free_slots, again.at_ease) == (3, 0, True)


def test_no_more_are_on_their_way_than_the_window_though_others_lie_ahead(wide: StoreNode) -> None:
    leases = at_full_speed(wide)
    assert not wide.claim("w2"), "another worker counts what lies ahead as on its way"
    wide.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING - 2, answered=0)))
    # two senders have nothing to do, and the window has room for none of them
    fewer = took(wide, [quick(lease) for lease in leases[:2]], 2, CEILING)
    assert fewer.free_slots == 0
    assert len(fewer.leases) == 0


def test_two_are_on_their_way_in_the_first_second_after_a_return_and_two_lie_ahead(up: StoreNode) -> None:
    up.accept_many(40)
    up.probe(Cause.REFUSED)
    up.probe()
    first = took(up, [], CEILING, 0)
    assert (len(first.leases), first.free_slots) == (2, 2)
    for _ in range(5):
        up.pass_time(0.1)
        following = took(up, [quick(lease) for lease in first.leases[:2]], CEILING, max(0, len(first.leases) - 2))
        assert following.free_slots == 2
        assert up.count(state=State.SENDING) == 4
        first = cycle.Cycle((), [*first.leases[2:], *following.leases], 2, True, None)


TROUBLE: dict[str, Callable[[StoreNode, Lease], Settlement]] = {
    "the link's": lambda _, lease: quick(lease, lost(Cause.RESET)),
    "the master's": lambda _, lease: quick(lease, Deferred(Cause.BUSY, "429", in_doubt=True)),
    "our credentials'": lambda _, lease: quick(lease, Unauthorised(Scope.DESTINATION, "No.")),
    "the event's": lambda _, lease: quick(lease, Unauthorised(Scope.EVENT, "No.")),
    "the sheet's": lambda _, lease: quick(lease, rejected()),
}


@pytest.mark.parametrize("whose", TROUBLE)
def test_couriers_do_not_go_on_by_themselves_after_trouble(wide: StoreNode, whose: str) -> None:
    leases = at_full_speed(wide)
    ends = [*map(quick, leases[:2]), TROUBLE[whose](wide, leases[2])]
    after = took(wide, ends, 1, CEILING - 2)
    assert not after.at_ease
    assert len(after.leases) <= after.free_slots <= 1


@pytest.mark.parametrize("what", ["hold", "suspicion", "outage", "other worker's trouble"])
def test_couriers_do_not_go_on_by_themselves_when_somebody_else_stopped_claims(wide: StoreNode, what: str) -> None:
    leases = at_full_speed(wide)
    match what:
        case "hold":
            wide.hold()
        case "suspicion":
            wide.database.write(lambda conn: links.suspect(conn, wide.now))
        case "outage":
            wide.probe(Cause.REFUSED)
        case _:
            wide.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING // 2)))
    after = took(wide, [quick(lease) for lease in leases[:2]], 0, CEILING - 2)
    assert (after.at_ease, after.free_slots, len(after.leases)) == (False, 0, 0)


def test_none_is_leased_ahead_for_a_master_that_takes_its_time(wide: StoreNode) -> None:
    first = took(wide, [], CEILING, 0)
    ends = [quick(lease, duration_s=0.3) for lease in first.leases]
    assert len(took(wide, ends, CEILING, 0).leases) == CEILING


def test_what_is_handed_back_is_as_if_it_had_not_been_taken(wide: StoreNode) -> None:
    leases = at_full_speed(wide)
    prefetched = leases[CEILING:]
    took(wide, [], 0, 0, cancelled=prefetched)
    assert wide.count(state=State.SENDING) == CEILING
    for lease in prefetched:
        row = wide.row(lease.submission)
        assert (row.state, row.attempts, row.in_doubt, row.lease) == (State.QUEUED, 0, False, None)
        assert not wide.attempts(lease.submission)
    again = took(wide, [quick(lease) for lease in leases[:CEILING]], CEILING, 0)
    assert [lease.seq for lease in again.leases[:CEILING]] == [lease.seq for lease in prefetched], "it kept its place"
    assert {lease.attempt for lease in again.leases} == {1}


def test_what_was_put_off_keeps_its_time_when_it_is_handed_back(wide: StoreNode) -> None:
    late = wide.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=5))
    wide.pass_time(6)
    leases = wide.claim(free=2)
    assert late.submission in {lease.submission for lease in leases}
    took(wide, [], 0, 0, cancelled=leases)
    row = wide.row(late.submission)
    assert (row.state, row.attempts, row.in_doubt, len(wide.attempts(late.submission))) == (State.QUEUED, 1, True, 1)
    assert late.submission in {lease.submission for lease in wide.claim(free=2)}


def test_handing_back_changes_nothing_when_the_lease_was_taken_over(wide: StoreNode) -> None:
    (dead,) = wide.claim(free=1)
    wide.pass_time(60)
    (again,) = wide.claim("w2", free=1)
    assert again.seq == dead.seq
    took(wide, [], 0, 0, cancelled=[dead])
    assert wide.row(dead.submission).lease == again.lease
    gone, under_way = wide.attempts(dead.submission)
    assert (gone.outcome, under_way.outcome) == ("unknown", None)


def test_none_begins_when_what_lay_ahead_may_have_run_out(wide: StoreNode) -> None:
    leases = at_full_speed(wide)
    wide.pass_time(60)  # the machine slept
    after = took(wide, [], CEILING, CEILING)
    assert (after.free_slots, len(after.leases), after.at_ease) == (0, 0, False)
    again = took(wide, [], CEILING, 0, cancelled=leases[CEILING:])
    assert again.free_slots == CEILING
    assert {lease.in_doubt for lease in again.leases} == {True}
