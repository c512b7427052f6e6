"""Who waits behind whom: of each event and date one version may go, and whatever becomes of it, the next one may."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from resultsq.delivery import sender
from resultsq.domain.errors import HeadMoved
from resultsq.domain.submission import WAITING, State
from resultsq.store import outbox
from resultsq.store.admin import actions
from resultsq.store.engine.tables import Chain, Submission
from resultsq.store.outbox import BundledVersion, Lease, cycle
from resultsq.store.views import submission_detail
from tests.support.nodes import CEILING, DATE, StoreNode, accepted, lost, moved, rejected, unsent
from tests.support.versions import FOREIGN, place, states, version

CORRECTED, SUPERSEDED, WITHDRAWN = State.CORRECTED, State.SUPERSEDED, State.WITHDRAWN
QUEUED, SENDING, PUBLISHED = State.QUEUED, State.SENDING, State.PUBLISHED
CONFLICT, REJECTED = State.CONFLICT, State.REJECTED


def head(node: StoreNode) -> str | None:
    with node.database.read() as conn:
        return conn.execute(select(Chain.head).where(Chain.subject == DATE)).scalar_one()


def hand_back(node: StoreNode, *leases: Lease) -> None:
    """What a worker leased ahead and did not begin with."""
    names = [lease.lease for lease in leases]
    node.database.write(lambda conn: cycle.run_cycle(conn, node.now, "w1", [], 0, CEILING, 0, names))


def adopt(node: StoreNode, rows: int, base: str | None, by: str = "another node") -> str:
    """A version out of another node's bundle."""
    made = node.entry(rows=rows, by=by)
    parted = BundledVersion(
        made.id, made.kind, "bushy", made.date, base, made.digest, made.rows_digest, rows, by, node.now, made.body
    )  # fmt: skip
    assert node.database.write(lambda conn: outbox.adopt(conn, node.now, parted, node.events["bushy"]))
    return made.id


def on_their_way(node: StoreNode) -> Sequence[str]:
    with node.database.read() as conn:
        free = (Submission.state.in_(WAITING), Submission.blocked.is_(False))
        return conn.execute(select(Submission.id).where(*free).order_by(Submission.seq)).scalars().all()


# what was leased ahead is handed back


def test_a_correction_takes_the_place_of_a_version_that_is_handed_back_unsent(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    hand_back(up, lease)
    assert states(up, first, second) == (SUPERSEDED, QUEUED)
    assert place(up, second) == (None, False)
    assert up.publish_one().submission == second


def test_a_correction_waits_for_what_is_handed_back_when_the_master_may_have_that(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    up.probe()
    up.pass_time(60)
    hand_back(up, up.claim_one())
    assert states(up, first, second) == (QUEUED, QUEUED)
    assert place(up, second) == (first, True)


def test_nothing_is_lost_when_what_was_handed_back_is_withdrawn(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    hand_back(up, lease)
    with pytest.raises(HeadMoved):
        up.withdraw(first)
    assert up.publish_one().submission == second


# the 412 that is repeated


def test_a_correction_takes_the_place_of_a_version_whose_412_would_be_repeated(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(rejected())  # and the master has it all the same: it came by another road
    second = version(up, 2, first)
    lease = up.claim_one()
    third = version(up, 3, second)
    up.settle(lease, moved(first, 1))
    assert states(up, first, second, third) == (PUBLISHED, SUPERSEDED, QUEUED)
    assert place(up, third) == (first, False)
    assert up.publish_one(2).submission == third
    assert states(up, first, third) == (CORRECTED, PUBLISHED)


# what is no head is withdrawn


def test_what_waits_behind_a_withdrawn_version_takes_its_base(up: StoreNode) -> None:
    first = version(up, 1)
    other = adopt(up, 2, base=first)
    assert place(up, other) == (first, True)
    up.withdraw(first)
    assert place(up, other) == (None, False)
    assert head(up) == other
    assert up.publish_one().submission == other


def test_what_waits_behind_a_withdrawn_version_takes_its_wait_as_well(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    other = adopt(up, 3, base=second)
    up.withdraw(second)
    assert place(up, other) == (first, True)
    up.settle(lease, accepted(lease))
    assert place(up, other) == (first, False)


def test_a_hold_on_a_withdrawn_version_holds_what_takes_its_place(up: StoreNode) -> None:
    first = version(up, 1)
    up.act("hold", first)
    other = adopt(up, 2, base=first)
    up.withdraw(first)
    assert not up.claim()
    up.act("release", other)
    assert up.publish_one().submission == other


# and put back


def test_an_undo_puts_a_version_back_before_what_waited_behind_it(up: StoreNode) -> None:
    first = version(up, 1)
    other = adopt(up, 2, base=first)
    up.withdraw(first)
    up.undo_withdrawal(first)
    assert (place(up, first), place(up, other)) == ((None, False), (first, True))
    assert head(up) == other
    assert up.publish_one().submission == first
    assert up.publish_one(2).base == first


def test_an_undo_is_too_late_when_what_waited_behind_it_is_on_its_way(up: StoreNode) -> None:
    first = version(up, 1)
    other = adopt(up, 2, base=first)
    up.withdraw(first)
    lease = up.claim_one()
    before = up.row(first)
    with pytest.raises(HeadMoved):
        up.undo_withdrawal(first)
    assert up.row(first) == before
    up.settle(lease, accepted(lease))
    assert states(up, first, other) == (WITHDRAWN, PUBLISHED)


@pytest.mark.parametrize(("answer", "state"), [(rejected(), REJECTED), (moved(FOREIGN, 4), CONFLICT)])
def test_an_undo_leaves_it_to_a_person_again_when_a_person_was_to_decide(
    up: StoreNode, answer: object, state: State
) -> None:
    first = version(up, 1)
    up.try_one(answer)  # type: ignore[arg-type]
    before = up.row(first)
    up.withdraw(first)
    up.pass_time(3)
    assert up.undo_withdrawal(first).state is state
    after = up.row(first)
    assert (after.cause, after.detail, after.reasons) == (before.cause, before.detail, before.reasons)
    assert after.conflict_head == before.conflict_head
    assert not up.claim()
    up.publish_over(first)
    assert up.claim_one().submission == first


def test_an_undo_puts_back_into_a_hold_that_is_in_force(up: StoreNode) -> None:
    first = version(up, 1)
    up.act("hold", first)
    hold = up.row(first).hold_id
    up.withdraw(first)
    up.undo_withdrawal(first)
    assert up.row(first).hold_id == hold
    up.withdraw(first)
    up.release(hold)
    up.undo_withdrawal(first)
    assert up.row(first).hold_id is None


def test_an_undo_obeys_the_masters_own_word(up: StoreNode) -> None:
    first = version(up, 1)
    busy = replace(unsent(), retry_after_s=600.0)
    up.try_one(busy)
    until = up.row(first).next_attempt_at
    up.withdraw(first)
    up.undo_withdrawal(first)
    assert up.row(first).next_attempt_at == until


def test_an_undone_action_puts_both_versions_back_where_they_were(up: StoreNode) -> None:
    """Of one event and date it withdrew two, each refused: the team's, and another node's."""
    first = version(up, 1)
    up.try_one(rejected())
    other = adopt(up, 2, base=None)
    up.try_one(rejected())
    action = actions.start(up.database, up.now, "op", "withdraw", [first, other], "by mistake")
    finish(up, action)
    assert states(up, first, other) == (WITHDRAWN, WITHDRAWN)
    assert head(up) is None
    finish(up, actions.start_undo(up.database, up.now, "op", action, "indeed"))
    assert states(up, first, other) == (REJECTED, REJECTED)
    assert head(up) == other


def test_an_undone_action_puts_back_what_waited_for_another_that_it_withdrew_too(up: StoreNode) -> None:
    """The second waits behind the first, as an older version of this product left them."""
    first = version(up, 1)
    second = version(up, 2, first)
    blocked = update(Submission).where(Submission.id == second).values(base=first, blocked=True)
    free = update(Submission).where(Submission.id == first).values(state=QUEUED)
    up.database.write(lambda conn: [conn.execute(one) for one in (blocked, free)])
    action = actions.start(up.database, up.now, "op", "withdraw", [first, second], "by mistake")
    finish(up, action)
    finish(up, actions.start_undo(up.database, up.now, "op", action, "indeed"))
    assert states(up, first, second) == (QUEUED, QUEUED)
    assert (place(up, first), place(up, second), head(up)) == ((None, False), (first, True), second)


def finish(node: StoreNode, action: str) -> None:
    while node.database.write(lambda conn: actions.advance(conn, node.now, action)):
        continue


# the head


def test_what_is_published_is_the_head_again_when_what_was_to_go_over_anothers_is_withdrawn(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.try_one(moved(FOREIGN, 2))
    up.publish_over(second)
    up.withdraw(second)
    assert head(up) == first
    third = version(up, 3, first)
    assert place(up, third) == (first, False)


def test_what_is_withdrawn_and_turns_out_to_be_published_is_the_head_again(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    hand_back(up, lease)
    up.withdraw(first)
    row = up.row(first)
    receipt = accepted(lease).receipt
    up.database.write(lambda conn: outbox.publish_by_receipt(conn, up.now, [(row, receipt)]))
    assert (up.state(first), head(up)) == (PUBLISHED, first)


# holds


def test_a_correction_is_held_as_what_it_corrects(up: StoreNode) -> None:
    first = version(up, 1)
    up.act("hold", first)
    second = version(up, 2, first)
    assert states(up, first, second) == (SUPERSEDED, QUEUED)
    assert not up.claim()
    up.act("release", second)
    assert up.publish_one().submission == second


def test_a_correction_is_not_held_by_a_hold_that_was_released(up: StoreNode) -> None:
    """The release goes piece by piece: what a hold held may carry its name for a while."""
    first = version(up, 1)
    up.act("hold", first)
    up.release(up.row(first).hold_id)
    second = version(up, 2, first)
    assert up.publish_one().submission == second


def test_a_correction_goes_when_what_it_corrects_was_put_aside(up: StoreNode) -> None:
    first = version(up, 1)
    up.database.write(lambda conn: outbox.put_aside(conn, up.now, [up.row(first).seq], "It is damaged."))
    second = version(up, 2, first)
    assert up.publish_one().submission == second


# two of one chain at once


def test_a_person_publishes_over_only_what_nothing_newer_is_to_replace(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(rejected())
    adopt(up, 2, base=None)
    before = up.row(first)
    with pytest.raises(HeadMoved):
        up.publish_over(first)
    assert up.row(first) == before


def test_what_a_person_sends_again_waits_for_what_it_corrects(up: StoreNode) -> None:
    """The comparison with the master's list found that what it corrects is lost, and queued it again."""
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.try_one(rejected())
    up.database.write(
        lambda conn: conn.execute(
            update(Submission).where(Submission.id == first).values(state=QUEUED, in_doubt=True, published_as=None)
        )
    )
    up.publish_over(second)
    assert on_their_way(up) == [first]
    up.publish_one()
    assert up.publish_one(2).base == first


# what comes in a bundle


def test_a_sheet_of_a_bundle_is_not_published_over_our_own_when_nobody_decided_it(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    other = adopt(up, 2, base=None)
    assert up.try_one(moved(first, 1)).submission == other
    assert states(up, first, other) == (PUBLISHED, CONFLICT)
    up.publish_over(other)
    assert up.publish_one(2).base == first
    assert states(up, first, other) == (CORRECTED, PUBLISHED)


def test_a_sheet_of_a_bundle_waits_while_another_of_its_day_is_on_its_way(up: StoreNode) -> None:
    first = version(up, 1)
    other = adopt(up, 2, base=None)
    assert on_their_way(up) == [first]
    lease = up.claim_one()
    third = adopt(up, 3, base=FOREIGN)
    assert on_their_way(up) == [first]
    with up.database.read() as conn:
        seen = submission_detail.load_detail(conn, up.now, third)
    assert seen is not None
    assert (seen.standing.blocked, seen.standing.predecessor) == (True, 1), "people are told what goes first"
    up.settle(lease, accepted(lease))
    assert on_their_way(up) == [other]
    assert place(up, other) == (None, False), "it is on top of what its own base names"
    up.try_one(moved(first, 1))
    assert (up.state(other), on_their_way(up)) == (CONFLICT, [third])
    assert up.publish_one(2).base == FOREIGN


def test_of_two_that_wait_behind_the_same_version_one_goes_and_the_other_is_a_conflict(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    other = adopt(up, 3, base=first)
    up.settle(lease, accepted(lease))
    assert on_their_way(up) == [second]
    up.publish_one(2)
    assert on_their_way(up) == [other]
    assert up.try_one(moved(second, 2)).base == first
    assert states(up, first, second, other) == (CORRECTED, PUBLISHED, CONFLICT)


def test_what_is_next_in_line_waits_on_when_another_that_waits_is_withdrawn(up: StoreNode) -> None:
    first = version(up, 1)
    up.claim_one()
    second = version(up, 2, first)
    other = adopt(up, 3, base=FOREIGN)
    up.withdraw(second)
    assert on_their_way(up) == [first]
    assert place(up, other) == (FOREIGN, True)


def test_a_version_waits_for_an_older_one_that_is_sent_again(up: StoreNode) -> None:
    """The comparison with the master's list found that the oldest is lost, and queued it again."""
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.try_one(moved(FOREIGN, 2))
    lost_again = {"state": QUEUED, "in_doubt": True, "published_as": None}
    again = update(Submission).where(Submission.id == first).values(**lost_again)
    up.database.write(lambda conn: conn.execute(again))
    up.publish_over(second)
    assert on_their_way(up) == [first]
    assert place(up, second) == (FOREIGN, True)
    version(up, 3, second)
    assert on_their_way(up) == [first]


def test_the_newer_version_is_the_corrected_one_when_a_person_puts_the_older_on_top(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(rejected())
    other = adopt(up, 2, base=None)
    up.publish_one()
    up.publish_over(first)
    up.try_one(moved(other, 1))
    up.publish_over(first)
    assert up.publish_one(2).base == other
    assert states(up, first, other) == (PUBLISHED, CORRECTED)


def test_a_bundles_correction_lands_on_what_it_corrects_when_that_is_published_here_by_another_id(
    up: StoreNode,
) -> None:
    first = version(up, 1)
    up.try_one(moved(FOREIGN, 1, up.entry(rows=1, by="another node").body))
    assert up.row(first).published_as == FOREIGN
    other = adopt(up, 2, base=first)
    assert place(up, other) == (FOREIGN, False)


def test_a_bundles_correction_lands_on_what_it_corrects_when_that_is_in_the_same_bundle(up: StoreNode) -> None:
    one = adopt(up, 1, base=None)
    other = adopt(up, 2, base=one)
    assert up.publish_one().submission == one
    assert up.publish_one(2).base == one
    assert states(up, one, other) == (CORRECTED, PUBLISHED)


def test_a_bundles_correction_takes_the_place_of_what_the_master_refused(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(rejected())
    other = adopt(up, 2, base=first)
    assert (up.state(first), place(up, other)) == (SUPERSEDED, (None, False))


def test_a_412_is_repeated_onto_what_the_team_saw_when_it_came(up: StoreNode) -> None:
    """Not by its base: each of the three was stepped over, and the master has the first all the same."""
    first = version(up, 1)
    up.try_one(rejected())
    second = version(up, 2, first)
    up.try_one(rejected())
    third = version(up, 3, second)
    up.try_one(moved(first, 1))
    assert states(up, first, second, third) == (PUBLISHED, SUPERSEDED, QUEUED)
    assert up.publish_one(2).base == first


def test_a_412_is_repeated_by_the_name_that_the_master_has_for_an_ancestor(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(moved(FOREIGN, 1, up.entry(rows=1, by="another node").body))
    second = version(up, 2, first)
    up.publish_one(2)
    version(up, 3, second)
    up.try_one(moved(FOREIGN, 1))
    assert up.publish_one(2).base == FOREIGN


def test_nobody_decides_about_a_version_that_is_corrected_at_the_master(up: StoreNode) -> None:
    """The other road was quicker, and brought the correction too."""
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    up.probe()
    up.pass_time(60)
    done = up.settle(up.claim_one(), moved(second, 2))
    assert (done.settled[0].state, done.settled[0].repeat) == (SUPERSEDED, False)
    assert states(up, first, second) == (SUPERSEDED, PUBLISHED)
    assert (head(up), on_their_way(up)) == (second, [])


def test_a_receipt_that_comes_late_does_not_make_an_older_version_the_published_one(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    up.settle(lease, rejected())
    second = version(up, 2, first)
    up.publish_one(2)
    late = accepted(lease).receipt
    row = up.row(first)
    up.database.write(lambda conn: outbox.publish_by_receipt(conn, up.now, [(row, late)]))
    assert states(up, first, second) == (CORRECTED, PUBLISHED)


def test_an_end_is_written_down_once_when_another_of_its_chain_ended_in_the_same_turn(up: StoreNode) -> None:
    """Two of one chain were on their way at once, as an older version of this product let them."""
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    free = update(Submission).where(Submission.id == second).values(blocked=False, base=None)
    up.database.write(lambda conn: conn.execute(free))
    up.probe()
    up.pass_time(60)
    leases = {lease.submission: lease for lease in up.claim()}
    assert set(leases) == {first, second}
    ends = [
        sender.settlement(leases[second], moved(first, 1), 0.1, 0.5),
        sender.settlement(leases[first], lost(), 0.1, 0.5),
    ]
    up.turn(*ends, free=0)
    assert states(up, first, second) == (PUBLISHED, QUEUED)
    up.probe()
    assert up.publish_one(2).base == first
    assert states(up, first, second) == (CORRECTED, PUBLISHED)
