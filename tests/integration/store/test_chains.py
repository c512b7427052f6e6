"""Corrections: per event and date each version lands on top of the one before, or steps over it, and no other way.

The rows are those of the upload contract's section "Corrections"; `base` is what a PUT will name in If-Match."""

from functools import partial
from typing import Any

import pytest

from resultsq.domain.errors import HeadMoved
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Exchange, Outcome, Receipt, Scope, Unauthorised
from resultsq.domain.submission import State
from resultsq.store import outbox
from tests.support.nodes import StoreNode, accepted, lost, moved, receipt_for, rejected, unsent
from tests.support.versions import FOREIGN, place, states, version

CORRECTED, SUPERSEDED, WITHDRAWN = State.CORRECTED, State.SUPERSEDED, State.WITHDRAWN
QUEUED, SENDING, PUBLISHED, CONFLICT = State.QUEUED, State.SENDING, State.PUBLISHED, State.CONFLICT

UNAUTHORISED = Unauthorised(Scope.DESTINATION, "No.", Exchange(status=401))
FORBIDDEN = Unauthorised(Scope.EVENT, "No.", Exchange(status=403))


# a correction comes while its predecessor is …


def test_a_correction_takes_its_predecessors_place_when_that_was_never_sent(up: StoreNode) -> None:
    first = version(up, 1)
    second = version(up, 2, first)
    assert states(up, first, second) == (SUPERSEDED, QUEUED)
    assert place(up, second) == (None, False)
    assert [lease.submission for lease in up.claim()] == [second]


@pytest.mark.parametrize("answer", [rejected(), moved(FOREIGN), moved(None), UNAUTHORISED, FORBIDDEN, unsent()])
def test_a_correction_steps_over_its_predecessor_when_every_attempt_ended_without_a_commit(
    up: StoreNode, answer: Outcome
) -> None:
    first = version(up, 1)
    up.try_one(answer)
    second = version(up, 2, first)
    assert states(up, first, second) == (SUPERSEDED, QUEUED)
    assert place(up, second) == (None, False)


def test_a_correction_goes_on_top_when_its_predecessor_is_published(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    assert place(up, second) == (first, False)
    assert up.publish_one(2).base == first
    assert states(up, first, second) == (CORRECTED, PUBLISHED)


def test_a_correction_waits_while_its_predecessor_is_on_its_way(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    assert states(up, first, second) == (SENDING, QUEUED)
    assert place(up, second) == (first, True)
    assert not up.claim()
    up.settle(lease, accepted(lease))
    assert place(up, second) == (first, False)
    assert up.claim_one().base == first


def test_a_correction_waits_while_the_end_of_its_predecessors_attempt_is_unknown(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    assert states(up, first, second) == (QUEUED, QUEUED)
    assert place(up, second) == (first, True)
    up.pass_time(60)
    up.probe()
    (again,) = up.claim()
    assert (again.submission, again.in_doubt) == (first, True)
    up.settle(again, accepted(again))
    assert up.publish_one(2).base == first
    assert states(up, first, second) == (CORRECTED, PUBLISHED)


# … or its predecessor ends while it waits


@pytest.mark.parametrize("answer", [rejected(), moved(FOREIGN), UNAUTHORISED, FORBIDDEN, unsent()])
def test_a_waiting_correction_steps_over_when_its_predecessor_ends_without_a_commit(
    up: StoreNode, answer: Outcome
) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    up.settle(lease, answer)
    assert states(up, first, second) == (SUPERSEDED, QUEUED)
    assert place(up, second) == (None, False)


@pytest.mark.parametrize("answer", [lost(), lost(Cause.TIMEOUT), Deferred(Cause.MASTER_DOWN, "503", in_doubt=True)])
def test_a_waiting_correction_goes_on_waiting_when_its_predecessors_end_stays_unknown(
    up: StoreNode, answer: Outcome
) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    up.settle(lease, answer)
    assert states(up, first, second) == (QUEUED, QUEUED)
    assert place(up, second) == (first, True)


def test_doubt_stays_when_a_later_attempt_ended_without_a_byte_sent(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    up.probe()
    up.pass_time(60)
    up.try_one(unsent())
    assert place(up, second) == (first, True)
    with pytest.raises(HeadMoved):
        up.withdraw(first)


@pytest.mark.parametrize("answer", [UNAUTHORISED, FORBIDDEN])
def test_doubt_stays_when_the_master_refused_the_credentials_of_a_later_attempt(up: StoreNode, answer: Outcome) -> None:
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    up.probe()
    up.pass_time(60)
    up.try_one(answer)
    assert place(up, second) == (first, True)


@pytest.mark.parametrize("answer", [rejected(), moved(FOREIGN)])
def test_doubt_ends_when_the_master_looked_the_id_up_and_does_not_have_it(up: StoreNode, answer: Outcome) -> None:
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    up.probe()
    up.pass_time(60)
    up.try_one(answer)
    assert states(up, first, second) == (SUPERSEDED, QUEUED)
    assert place(up, second) == (None, False)


def test_a_waiting_correction_steps_over_when_the_worker_died_but_its_lease_settles_in_a_refusal(up: StoreNode) -> None:
    first = version(up, 1)
    up.claim_one()
    second = version(up, 2, first)
    up.pass_time(60)
    (again,) = up.claim()
    assert (again.submission, again.in_doubt) == (first, True)
    up.settle(again, rejected())
    assert place(up, second) == (None, False)


# longer chains


def test_two_corrections_in_a_row_leave_one_waiting_while_the_first_is_on_its_way(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    third = version(up, 3, second)
    assert states(up, first, second, third) == (SENDING, SUPERSEDED, QUEUED)
    assert place(up, third) == (first, True)
    up.settle(lease, accepted(lease))
    assert up.publish_one(2).submission == third
    assert states(up, first, second, third) == (CORRECTED, SUPERSEDED, PUBLISHED)


def test_two_corrections_in_a_row_go_on_top_of_what_is_published_when_the_first_of_them_was_refused(
    up: StoreNode,
) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    lease = up.claim_one()
    third = version(up, 3, second)
    assert place(up, third) == (second, True)
    up.settle(lease, rejected())
    assert place(up, third) == (first, False)
    assert up.publish_one(2).base == first
    assert states(up, first, second, third) == (CORRECTED, SUPERSEDED, PUBLISHED)


def test_a_correction_goes_when_its_predecessor_was_settled_before_it_came(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    chain = [first]
    for rows in range(2, 6):
        chain.append(version(up, rows, chain[-1]))
        assert up.publish_one(rows).base == chain[-2]
    assert states(up, *chain) == (*[CORRECTED] * 4, PUBLISHED)


def test_other_events_go_on_while_a_chain_waits(up: StoreNode) -> None:
    first = version(up, 1)
    up.claim_one()
    version(up, 2, first)
    other = up.accept("richmond").id
    assert [lease.submission for lease in up.claim()] == [other]


# withdrawing


@pytest.mark.parametrize("answer", [None, rejected(), moved(FOREIGN), unsent(), FORBIDDEN])
def test_a_version_is_taken_back_when_the_master_cannot_have_it(up: StoreNode, answer: Outcome | None) -> None:
    first = version(up, 1)
    if answer is not None:
        up.try_one(answer)
    assert up.withdraw(first).state is WITHDRAWN
    assert up.withdraw(first).state is WITHDRAWN, "twice is as once"
    up.pass_time(120)
    assert not up.claim()
    assert version(up, 2), "the event and date have no version any more"


def test_a_version_stays_when_it_is_on_its_way_in_doubt_or_published(up: StoreNode) -> None:
    on_its_way, in_doubt, published = (up.accept(event).id for event in up.events)
    leases = {lease.submission: lease for lease in (up.claim_one(), up.claim_one())}
    up.settle(leases[on_its_way], accepted(leases[on_its_way]))
    up.settle(leases[in_doubt], Deferred(Cause.DATABASE, "Who knows.", in_doubt=True))
    up.claim_one()
    for submission in (on_its_way, in_doubt, published):
        before = up.row(submission)
        with pytest.raises(HeadMoved):
            up.withdraw(submission)
        assert up.row(submission) == before


def test_a_waiting_correction_can_be_taken_back_and_leaves_its_predecessor_the_head(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    up.withdraw(second)
    up.settle(lease, accepted(lease))
    assert states(up, first, second) == (PUBLISHED, WITHDRAWN)
    third = version(up, 3, first)
    assert place(up, third) == (first, False)


def test_what_a_withdrawn_version_had_replaced_unsent_stays_replaced(up: StoreNode) -> None:
    first = version(up, 1)
    second = version(up, 2, first)
    up.withdraw(second)
    assert states(up, first, second) == (SUPERSEDED, WITHDRAWN)
    assert not up.claim()


def test_an_undo_puts_a_version_back_where_it_was(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.withdraw(second)
    undone = up.undo_withdrawal(second)
    assert (undone.state, undone.created) == (QUEUED, False)
    again = up.undo_withdrawal(second)
    assert (again.state, again.created) == (QUEUED, False), "twice is as once"
    assert up.publish_one(2).base == first


def test_an_undo_is_too_late_when_another_version_has_come(up: StoreNode) -> None:
    first = version(up, 1)
    up.withdraw(first)
    second = version(up, 2)
    with pytest.raises(HeadMoved) as refused:
        up.undo_withdrawal(first)
    assert refused.value.head == second
    assert states(up, first, second) == (WITHDRAWN, QUEUED)


@pytest.mark.parametrize(
    ("answer", "state"), [("accepted", CORRECTED), ("rejected", SUPERSEDED), ("conflict", SUPERSEDED)]
)
def test_an_undo_does_not_wait_for_a_predecessor_that_was_settled_meanwhile(
    up: StoreNode, answer: str, state: State
) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    up.withdraw(second)
    answers: dict[str, Outcome] = {"accepted": accepted(lease), "rejected": rejected(), "conflict": moved(FOREIGN)}
    up.settle(lease, answers[answer])
    up.undo_withdrawal(second)
    assert up.publish_one().submission == second
    assert states(up, first, second) == (state, PUBLISHED)


def test_an_undo_waits_for_a_predecessor_that_is_still_on_its_way(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    up.withdraw(second)
    up.undo_withdrawal(second)
    assert not up.claim()
    up.settle(lease, accepted(lease))
    assert up.claim_one().base == first


def test_a_withdrawn_version_is_stepped_over_when_others_come_and_go(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.withdraw(second)
    third = version(up, 3, first)
    assert up.publish_one(2).base == first
    assert states(up, first, second, third) == (CORRECTED, WITHDRAWN, PUBLISHED)


# conflicts


def conflict(up: StoreNode, head: str | None = FOREIGN, sheet: bytes | None = None) -> str:
    first = version(up, 1)
    up.try_one(moved(head, 4, sheet))
    assert up.state(first) is CONFLICT
    return first


def test_a_conflict_keeps_both_sheets_and_waits_for_a_person(up: StoreNode) -> None:
    other = up.entry(rows=9).body
    first = conflict(up, sheet=other)
    row = up.row(first)
    assert (row.conflict_head, row.conflict_revision, row.in_doubt) == (FOREIGN, 4, False)
    up.pass_time(7 * 86_400)
    assert not up.claim()


def test_a_person_publishes_over_a_conflict_on_top_of_what_is_there(up: StoreNode) -> None:
    first = conflict(up)
    up.publish_over(first)
    assert up.publish_one(5).base == FOREIGN
    second = version(up, 2, first)
    assert up.publish_one(6).base == first
    assert states(up, first, second) == (CORRECTED, PUBLISHED)


def test_a_person_publishes_anew_when_the_master_has_nothing_of_what_we_name(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.try_one(moved(None))
    assert up.state(second) is CONFLICT
    up.publish_over(second)
    assert up.publish_one().base is None


def test_our_earlier_version_is_corrected_when_a_person_publishes_over_a_strangers_on_top_of_it(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.try_one(moved(FOREIGN, 2))
    up.publish_over(second)
    up.publish_one(3)
    assert states(up, first, second) == (CORRECTED, PUBLISHED)


def test_a_person_sends_a_rejected_sheet_again_as_it_is(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(rejected())
    up.publish_over(first)
    assert up.publish_one().base is None


@pytest.mark.parametrize("answer", [None, lost(), "published"])
def test_nothing_is_published_over_when_there_is_nothing_to_decide(up: StoreNode, answer: Any) -> None:
    first = version(up, 1)
    if answer == "published":
        up.publish_one()
    elif answer:
        up.try_one(answer)
    before = up.row(first)
    with pytest.raises(HeadMoved):
        up.publish_over(first)
    assert up.row(first) == before


# the 412 that a node settles by itself


def test_our_own_earlier_version_is_settled_and_the_put_repeated_when_a_412_names_it(up: StoreNode) -> None:
    first = version(up, 1)
    up.try_one(rejected())  # and the master has it all the same: it came by another road
    second = version(up, 2, first)
    lease = up.claim_one()
    assert lease.base is None
    done = up.settle(lease, moved(first, 1))
    assert done.settled[0].repeat
    again = up.claim_one()
    assert (again.submission, again.base, again.in_doubt) == (second, first, False)
    up.settle(again, accepted(again, 2))
    assert states(up, first, second) == (CORRECTED, PUBLISHED)
    assert up.row(first).published_as == first


def test_an_ancestor_that_waits_in_doubt_is_settled_when_a_412_names_it(up: StoreNode) -> None:
    """Two nodes had it in hand: it was imported from a bundle here, without its predecessor's end."""
    first = version(up, 1)
    up.try_one(lost())
    second = version(up, 2, first)
    up.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE submissions SET blocked = false, base = NULL WHERE version = 2")
    )
    up.probe()
    lease = next(one for one in up.claim() if one.submission == second)
    receipt = receipt_for(lease, 1, first)
    up.settle(lease, Conflict(first, 1, head_receipt=receipt, exchange=Exchange(status=412)))
    assert states(up, first, second) == (PUBLISHED, QUEUED)
    assert place(up, second) == (first, False)


def test_an_older_ancestor_is_taken_for_the_head_when_the_master_was_set_back(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    up.publish_one(2)
    third = version(up, 3, second)
    up.try_one(moved(first, 1))
    assert up.publish_one(2).base == first
    assert states(up, first, second, third) == (CORRECTED, CORRECTED, PUBLISHED)


def test_a_person_decides_when_a_412_names_the_very_version_that_we_named(up: StoreNode) -> None:
    """A master that contradicts itself must not be asked in a circle without a pause."""
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    done = up.settle(up.claim_one(), moved(first, 1))
    assert up.state(second) is CONFLICT
    assert not done.settled[0].repeat


def test_equal_rows_of_another_node_are_ours_under_its_id(up: StoreNode) -> None:
    entry = up.entry(rows=1, by="another node")
    first = version(up, 1)
    done = up.settle(up.claim_one(), moved(FOREIGN, 1, entry.body))
    assert (done.settled[0].state, done.settled[0].repeat) == (PUBLISHED, False)
    row = up.row(first)
    assert (row.state, row.published_as, row.revision) == (PUBLISHED, FOREIGN, 1)
    second = version(up, 2, first)
    assert up.publish_one(2).base == FOREIGN
    assert states(up, first, second) == (CORRECTED, PUBLISHED)


def test_of_two_versions_that_answer_to_a_name_the_one_that_the_master_has_counts(up: StoreNode) -> None:
    first = version(up, 1)
    second = version(up, 2, first)
    lease = up.claim_one()
    up.settle(lease, Accepted(receipt_for(lease, 1, first)))
    assert states(up, first, second) == (SUPERSEDED, PUBLISHED)
    third = version(up, 3, second)
    assert place(up, third) == (first, False)


def test_what_a_person_puts_back_is_as_one_that_never_failed(up: StoreNode) -> None:
    made = up.accept().id
    up.try_one(Deferred(Cause.BUSY, "429", in_doubt=False))
    up.pass_time(60)
    up.try_one(rejected())
    assert up.row(made).failures == 1
    up.publish_over(made)
    row = up.row(made)
    assert (row.state, row.failures, row.next_attempt_at) == (QUEUED, 0, None)


def test_equal_rows_are_of_the_first_revision_when_a_412_names_none(up: StoreNode) -> None:
    first = version(up, 1)
    up.settle(up.claim_one(), moved(FOREIGN, None, up.entry(rows=1, by="another node").body))
    row = up.row(first)
    assert (row.state, row.published_as, row.revision) == (PUBLISHED, FOREIGN, 1)


def test_the_head_is_the_newest_version_that_lives_and_a_chain_without_one_has_none(up: StoreNode) -> None:
    first = version(up, 1)
    up.publish_one()
    second = version(up, 2, first)
    chain = up.row(first).chain_id
    set_head = partial(outbox.set_head, chain_id=chain)
    assert up.database.write(set_head) == second
    up.withdraw(second)
    assert up.database.write(set_head) == first
    alone = up.accept("richmond").id
    up.withdraw(alone)
    assert up.database.write(lambda conn: outbox.set_head(conn, up.row(alone).chain_id)) is None


def test_equal_rows_of_another_node_unblock_a_waiting_correction_on_top_of_its_id(up: StoreNode) -> None:
    first = version(up, 1)
    lease = up.claim_one()
    second = version(up, 2, first)
    up.settle(lease, moved(FOREIGN, 1, up.entry(rows=1, by="another node").body))
    assert place(up, second) == (FOREIGN, False)


def test_other_rows_of_another_node_are_a_conflict(up: StoreNode) -> None:
    conflict(up, sheet=up.entry(rows=2).body)


def test_an_answer_for_one_chain_leaves_the_others_alone(up: StoreNode) -> None:
    first, other = up.accept(rows=1).id, up.accept("richmond", rows=1).id
    leases = {lease.submission: lease for lease in up.claim()}
    second, other_second = (up.accept(e, rows=2, corrects=c).id for e, c in (("bushy", first), ("richmond", other)))
    up.settle(leases[first], Accepted(receipt_for(leases[first])))
    assert place(up, second) == (first, False)
    assert place(up, other_second) == (other, True)


# what the master's list tells late


def told_late(node: StoreNode, submission: str, revision: int) -> None:
    """The master's list has this one, of which nobody here had heard."""
    row = node.row(submission)
    receipt = Receipt(
        submission=row.id, event="bushy", date=row.date, revision=revision, digest=row.digest, received_at=node.now
    )
    node.database.write(lambda conn: outbox.bring_in_line(conn, node.now, row.chain_id, {row.id: receipt}, set()))


def test_a_receipt_that_comes_late_leaves_on_top_what_lies_above_it(up: StoreNode) -> None:
    first, second = one_took_the_place_of_the_other(up, revision=2)
    told_late(up, first, revision=1)
    assert (up.state(first), up.state(second)) == (State.CORRECTED, State.PUBLISHED)


def test_a_receipt_that_comes_late_corrects_what_lies_beneath_it_though_that_is_newer_here(up: StoreNode) -> None:
    first, second = one_took_the_place_of_the_other(up, revision=1)
    told_late(up, first, revision=2)
    assert (up.state(first), up.state(second)) == (State.PUBLISHED, State.CORRECTED)


def test_what_was_withdrawn_and_is_there_after_all_can_be_corrected(up: StoreNode) -> None:
    made = up.accept(rows=1).id
    up.withdraw(made)
    told_late(up, made, revision=1)
    correction = up.accept(rows=2, corrects=made).id
    assert (up.claim_one().submission, up.row(correction).base) == (correction, made)


def one_took_the_place_of_the_other(node: StoreNode, revision: int) -> tuple[str, str]:
    """A version that was given up for its correction, which is published with that revision."""
    first = node.accept(rows=1).id
    second = node.accept(rows=2, corrects=first).id
    assert node.state(first) == State.SUPERSEDED
    node.publish_one(revision)
    return first, second


def test_a_receipt_changes_nothing_of_what_was_published_or_corrected_meanwhile(up: StoreNode) -> None:
    first = up.accept(rows=1).id
    as_it_was = [up.row(first)]
    lease = up.publish_one()
    second = up.accept(rows=2, corrects=first).id
    as_it_was.append(up.row(second))
    leases = [lease, up.publish_one(2)]
    before = [up.row(one) for one in (first, second)]
    assert [row.state for row in before] == [State.CORRECTED, State.PUBLISHED]
    up.pass_time(60)
    told = [(row, receipt_for(one, n)) for n, (row, one) in enumerate(zip(as_it_was, leases, strict=True), 1)]
    up.database.write(lambda conn: outbox.publish_by_receipt(conn, up.now, told))
    assert [up.row(one) for one in (first, second)] == before
