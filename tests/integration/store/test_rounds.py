"""Events take turns: thousands of one event cost another's submission one cycle at most."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from resultsq.domain.outcome import Cause, Deferred
from resultsq.store.engine.tables import Link, Refusal, Submission
from resultsq.store.outbox import Lease, candidates
from resultsq.store.outbox.candidates import EPOCHS_AT_ONCE, Candidates
from tests.support.nodes import CEILING, StoreNode, accepted


@pytest.fixture
def wide(up: StoreNode) -> StoreNode:
    """A node whose link is up, and whose window is wide open."""
    up.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING, opened_at=up.now)))
    return up


def in_view(node: StoreNode, room: int, trial: bool = False) -> Candidates:
    """What a claim would choose from."""
    epoch = node.link().epoch

    def look(conn: Connection) -> Candidates:
        return candidates.of(conn, node.now, room, epoch, 0, candidates.look(conn, node.now, epoch), trial)

    return node.database.write(look)


def every_id(node: StoreNode) -> list[str]:
    with node.database.read() as conn:
        return list(conn.execute(select(Submission.id).order_by(Submission.seq)).scalars())


def published(node: StoreNode, cycles: int, room: int = CEILING) -> list[str]:
    """The events of what is published in so many cycles."""
    found: list[str] = []
    for _ in range(cycles):
        leases: Sequence[Lease] = node.claim(free=room)
        for lease in leases:
            node.settle(lease, accepted(lease))
        found += [lease.event for lease in leases]
    return found


def test_another_events_submission_goes_in_the_next_cycle_beside_a_flood_of_one(wide: StoreNode) -> None:
    wide.accept_many(200)
    assert set(published(wide, 3)) == {"bushy"}
    wide.accept("richmond")
    assert published(wide, 1)[0] == "richmond"
    wide.accept("richmond", date="2013-12-14")
    assert published(wide, 1, room=1) == ["richmond"]


def test_two_floods_share_the_link_half_and_half(wide: StoreNode) -> None:
    wide.accept_many(60)
    published(wide, 2)
    wide.accept_many(40, "richmond")
    both = published(wide, 4)
    assert 14 <= both.count("richmond") <= 18
    assert len(both) == 32


def test_each_event_goes_once_in_a_round_after_an_outage(wide: StoreNode) -> None:
    wide.probe(Cause.REFUSED)
    wide.accept_many(50)
    wide.accept_many(2, "richmond")
    wide.accept_many(2, "wimbledon")
    wide.probe()
    wide.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING, opened_at=wide.now)))
    wide.accept_many(50, first=50)
    wide.accept("richmond")
    first = published(wide, 1)
    assert set(first) == {"bushy", "richmond", "wimbledon"}, "three of before the return, and both that came after it"
    assert published(wide, 2).count("bushy") == 2 * CEILING - 2, "the others' second ones"


def return_of_the_link(node: StoreNode) -> None:
    node.probe(Cause.REFUSED)
    node.probe()
    node.database.write(lambda conn: conn.execute(update(Link).values(window=CEILING, opened_at=node.now)))


def test_what_came_between_two_outages_waits_for_no_flood_of_the_first(wide: StoreNode) -> None:
    wide.probe(Cause.REFUSED)
    wide.accept_many(200)
    for event in ("richmond", "wimbledon"):
        return_of_the_link(wide)
        wide.accept(event)
    return_of_the_link(wide)
    assert {"richmond", "wimbledon"} < set(published(wide, 1)), "and one of the flood as well"


def test_each_epoch_has_its_turn_when_one_slot_is_free(wide: StoreNode) -> None:
    wide.probe(Cause.REFUSED)
    for event in ("bushy", "richmond", "wimbledon"):
        wide.accept_many(20, event)
        return_of_the_link(wide)
    assert set(published(wide, 6, room=1)) == {"bushy", "richmond", "wimbledon"}


def test_no_epoch_is_always_the_last_where_their_rounds_are_the_same(wide: StoreNode) -> None:
    wide.probe(Cause.REFUSED)
    of: dict[str, int] = {}
    for epoch, day in enumerate(("2013-11-23", "2013-11-30")):
        of |= {wide.accept(event, date=day).id: epoch for event in wide.events}
        return_of_the_link(wide)
    taken = []
    for _ in range(3):
        (lease,) = wide.claim(free=1)
        taken.append(of[lease.submission])
        wide.settle(lease, accepted(lease))
    assert set(taken) == {0, 1}


def test_rounds_of_before_the_return_are_not_those_of_after_it(wide: StoreNode) -> None:
    wide.probe(Cause.REFUSED)
    wide.accept_many(3)
    return_of_the_link(wide)
    before = wide.link().round
    assert len(published(wide, 2)) == 3
    assert wide.claim() == []
    assert wide.link().round == before
    first = wide.accept("richmond").id
    assert wide.row(first).round == before


def test_no_epoch_is_passed_over_when_the_earliest_cannot_go(wide: StoreNode) -> None:
    """The master refuses the credentials for an event, of which some wait since each of many outages."""
    for number in range(EPOCHS_AT_ONCE + 2):
        wide.accept("bushy", date=f"2013-11-{number + 1:02}")
        return_of_the_link(wide)
    wide.accept("richmond")
    return_of_the_link(wide)
    later = wide.now + timedelta(seconds=30)
    refused = {"kind": "results", "event_id": wide.events["bushy"], "refused_at": wide.now, "next_at": later}
    wide.database.write(lambda conn: conn.execute(insert(Refusal).values(**refused)))
    assert published(wide, 1) == ["richmond"]


def test_no_more_are_taken_into_view_than_there_is_room_for_when_many_epochs_wait(wide: StoreNode) -> None:
    wide.accept("richmond")
    for number in range(EPOCHS_AT_ONCE):
        wide.accept("bushy", date=f"2013-11-{number + 1:02}")
        return_of_the_link(wide)
    for room in (1, EPOCHS_AT_ONCE, EPOCHS_AT_ONCE + 1):
        assert len(in_view(wide, room).old) == room


def test_the_earliest_epochs_are_looked_at_and_no_more_at_once(wide: StoreNode) -> None:
    epochs = []
    for number in range(EPOCHS_AT_ONCE + 2):
        epochs.append(wide.link().epoch)
        wide.accept("bushy", date=f"2013-11-{number + 1:02}")
        return_of_the_link(wide)
    with wide.database.read() as conn:
        found = candidates.look(conn, wide.now, wide.link().epoch)
    assert found.old == epochs[:EPOCHS_AT_ONCE]


def test_a_trial_looks_at_one_of_those_that_were_put_off(wide: StoreNode) -> None:
    wide.accept_many(3)
    for _ in range(2):
        wide.try_one(Deferred(Cause.BUSY, "429", in_doubt=True))
    wide.withdraw(every_id(wide)[2])
    assert not in_view(wide, CEILING).again
    (tried,) = in_view(wide, CEILING, trial=True).again
    assert tried.id == every_id(wide)[0]


def test_in_one_event_the_order_is_that_of_acceptance(wide: StoreNode) -> None:
    wide.accept_many(30)
    seqs = []
    for _ in range(4):
        for lease in wide.claim():
            seqs.append(lease.seq)
            wide.settle(lease, accepted(lease))
    assert seqs == sorted(seqs)
    assert len(seqs) == 30


def test_nothing_is_passed_over_when_the_links_row_was_made_anew(wide: StoreNode) -> None:
    """As after a restore: the rows know epochs and rounds that the link's new row does not."""
    wide.accept_many(5)
    wide.database.write(lambda conn: conn.execute(update(Submission).values(epoch=7, round=900)))
    assert len(published(wide, 1)) == 5


def test_the_next_round_of_an_event_is_not_that_of_what_it_had_long_ago(wide: StoreNode) -> None:
    wide.accept_many(40)
    assert len(published(wide, 5)) == 40
    first = wide.accept("richmond").id
    second = wide.accept("bushy").id
    assert wide.row(first).round == wide.row(second).round
    wide.withdraw(second)
    third = wide.accept("bushy", date="2013-12-14").id
    assert wide.row(third).round == wide.row(first).round


def test_the_first_round_is_the_lowest_when_the_link_has_no_row_yet(node: StoreNode) -> None:
    node.database.write(lambda conn: conn.execute(delete(Link)))
    assert (node.row(node.accept().id).epoch, node.row(node.accept("richmond").id).round) == (0, 0)
