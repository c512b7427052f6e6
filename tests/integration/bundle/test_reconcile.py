"""Comparing with the master's own list: only what is missing is queued, and what is there is settled unsent."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import delete, event, select

from resultsq.app import people
from resultsq.app.context import Transaction
from resultsq.app.people import EventDetails
from resultsq.clock import SystemClock
from resultsq.delivery import bundle, reconcile
from resultsq.delivery.masters import open_master
from resultsq.delivery.masters.database import DatabaseMaster
from resultsq.domain.errors import HeadMoved, NotThere, ResultsqError
from resultsq.domain.outcome import Outcome
from resultsq.domain.ports import Parcel, ReceiptPage
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.admin import retention
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Payload, Submission
from resultsq.store.outbox import Lease, Reconciled
from tests.integration.bundle.conftest import Far, deliver_all, parted
from tests.support.nodes import NOW, StoreNode, accepted, lost, moved, rejected

SINCE = NOW - timedelta(days=1)


@pytest.fixture(autouse=True)
def _a_while_ago(far: Far) -> None:
    """What the master received is older than the comparison's edge."""
    far.clock.step(-3600)


def compare(node: StoreNode, far: Far) -> Reconciled:
    node.pass_time(120)
    return reconcile.reconcile(node.database, far.master, node.now, SINCE)


def test_only_what_the_master_lost_is_sent_again(here: StoreNode, far: Far) -> None:
    kept, gone = here.accept().id, here.accept("richmond").id
    deliver_all(here, far)
    far.loses(gone)
    assert compare(here, far) == Reconciled(settled=0, lost=1, different=0)
    assert (here.state(kept), here.state(gone)) == (State.PUBLISHED, State.QUEUED)
    assert here.row(gone).in_doubt, "the master had it once, and may have it again"
    deliver_all(here, far)
    assert far.has() == {kept: 1, gone: 1}
    assert compare(here, far) == Reconciled(0, 0, 0)


def test_only_the_kinds_that_were_asked_for_are_compared(here: StoreNode, far: Far) -> None:
    gone = here.accept().id
    deliver_all(here, far)
    far.loses(gone)
    here.pass_time(120)
    others = reconcile.reconcile(here.database, far.master, here.now, SINCE, kinds=["messages"])
    assert (others, here.state(gone)) == (Reconciled(0, 0, 0), State.PUBLISHED)
    own = reconcile.reconcile(here.database, far.master, here.now, SINCE, kinds=["results"])
    assert (own, here.state(gone)) == (Reconciled(settled=0, lost=1, different=0), State.QUEUED)


def test_its_correction_waits_when_its_predecessor_is_sent_again(here: StoreNode, far: Far) -> None:
    gone = here.accept().id
    deliver_all(here, far)
    far.loses(gone)
    correction = here.accept(rows=4, corrects=gone).id
    compare(here, far)
    assert [lease.submission for lease in here.claim()] == [gone]
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {gone: 1, correction: 2}


@pytest.mark.parametrize(
    ("end", "becomes"),
    [
        (lambda lease: moved(None), State.CONFLICT),
        (lambda lease: rejected(), State.REJECTED),
        (lambda lease: accepted(lease, 2), State.PUBLISHED),
    ],
    ids=["conflict", "rejected", "published"],
)
def test_a_lost_predecessor_may_go_however_the_correction_ends_that_was_being_sent(
    here: StoreNode, far: Far, end: Callable[[Lease], Outcome], becomes: State
) -> None:
    """It is queued again behind the correction, which no newer version follows."""
    gone = here.accept().id
    deliver_all(here, far)
    far.loses(gone)
    correction = here.accept(rows=4, corrects=gone).id
    lease = here.claim_one()
    assert lease.submission == correction
    assert compare(here, far).lost == 1
    here.settle(lease, end(lease))
    assert here.state(correction) is becomes
    assert [lease.submission for lease in here.claim()] == [gone]


def test_what_is_there_is_settled_without_being_sent_when_its_answer_was_lost(here: StoreNode, far: Far) -> None:
    made = here.accept().id
    lease = here.claim_one()
    bundle.give_to_master(far.master, [parted(lease.submission, here)])
    here.settle(lease, lost())
    assert compare(here, far) == Reconciled(settled=1, lost=0, different=0)
    row = here.row(made)
    assert (row.state, row.attempts, row.revision) == (State.PUBLISHED, 1, 1)


def test_its_correction_may_go_when_its_predecessor_is_settled_by_the_list(here: StoreNode, far: Far) -> None:
    first = here.accept().id
    lease = here.claim_one()
    bundle.give_to_master(far.master, [parted(first, here)])
    here.settle(lease, lost())
    second = here.accept(rows=4, corrects=first).id
    compare(here, far)
    here.probe()
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2}


def test_what_waits_goes_on_waiting_when_the_master_does_not_have_it(here: StoreNode, far: Far) -> None:
    made = here.accept().id
    assert compare(here, far) == Reconciled(0, 0, 0)
    assert here.state(made) is State.QUEUED


def test_nothing_is_changed_when_the_list_cannot_be_had(
    here: StoreNode, far: Far, free_port: Callable[[], int]
) -> None:
    gone = here.accept().id
    deliver_all(here, far)
    far.loses(gone)
    here.pass_time(120)
    nobody = open_master(f"http://127.0.0.1:{free_port()}", "a token", clock=SystemClock())
    with pytest.raises(ResultsqError, match="Nothing was changed"):
        reconcile.reconcile(here.database, nobody, here.now, SINCE)
    nobody.close()
    assert here.state(gone) is State.PUBLISHED


# chains


def published_chain(here: StoreNode, far: Far, versions: int) -> list[str]:
    """So many versions of one event and date, each published on top of the one before."""
    ids: list[str] = []
    for rows in range(1, versions + 1):
        ids.append(here.accept(rows=rows, corrects=ids[-1] if ids else None).id)
        deliver_all(here, far)
    return ids


def test_nothing_older_is_sent_again_where_the_master_has_a_newer_version(here: StoreNode, far: Far) -> None:
    first, second, third = published_chain(here, far, 3)
    far.loses(second)
    assert compare(here, far) == Reconciled(0, 0, 0)
    assert [here.state(one) for one in (first, second, third)] == [State.CORRECTED, State.CORRECTED, State.PUBLISHED]


def test_of_a_chain_all_that_lay_above_is_sent_again_in_its_order(here: StoreNode, far: Far) -> None:
    first, second, third = published_chain(here, far, 3)
    for one in (second, third):
        far.loses(one)
    assert compare(here, far) == Reconciled(0, 2, 0)
    assert here.count(published_at=None) == 2, "they wait again, and count among those that do"
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2, third: 3}
    assert here.state(third) is State.PUBLISHED


@pytest.mark.parametrize("by_a_person", [False, True])
def test_nothing_older_goes_on_top_of_what_came_after_the_restore(here: StoreNode, far: Far, by_a_person: bool) -> None:
    """Revisions begin anew where some were lost, so the newest version may have the smallest one."""
    first, second, third = published_chain(here, far, 3)
    for one in (third, second) if not by_a_person else (third, second, first):
        far.loses(one)
    fourth = here.accept(rows=4, corrects=third).id
    deliver_all(here, far)
    if by_a_person:
        assert here.state(fourth) is State.CONFLICT
        here.publish_over(fourth)
        deliver_all(here, far)
    shown = {fourth: 1} if by_a_person else {first: 1, fourth: 2}
    assert far.has() == shown
    assert compare(here, far) == Reconciled(0, 0, 0)
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == shown
    assert here.state(fourth) is State.PUBLISHED
    assert [here.state(one) for one in (first, second, third)] == [State.CORRECTED] * 3


def test_what_two_restores_lost_is_sent_again_in_its_order(here: StoreNode, far: Far) -> None:
    first, second, third = published_chain(here, far, 3)
    for one in (third, second):
        far.loses(one)
    fourth = here.accept(rows=4, corrects=third).id
    deliver_all(here, far)
    far.loses(fourth)
    assert compare(here, far) == Reconciled(0, 3, 0)
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2, third: 3, fourth: 4}
    assert here.state(fourth) is State.PUBLISHED


def test_what_was_settled_under_another_nodes_id_is_sent_again_when_that_is_gone_too(
    here: StoreNode, there: StoreNode, far: Far
) -> None:
    first = here.accept(rows=1).id
    deliver_all(here, far)
    second = here.accept(rows=2, corrects=first).id
    there.events |= {
        "bushy": there.database.write(
            lambda conn: people.add_event(Transaction(conn, NOW, "op"), EventDetails("bushy", "B", "UTC"))
        )
    }
    other = there.accept(rows=2)
    body = parted(other.id, there)
    far.master.send(Parcel("results", other.id, "bushy", body.date, body.body, body.digest, first))
    deliver_all(here, far)
    assert here.row(second).published_as == other.id
    for one in (first, other.id):
        far.loses(one)
    assert compare(here, far) == Reconciled(0, 2, 0)
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2}


def test_nothing_is_called_lost_that_another_token_brought(here: StoreNode, far: Far) -> None:
    made = here.accept().id
    deliver_all(here, far)
    rotated = open_master(far.url, "another token", clock=far.clock)
    here.pass_time(120)
    found = reconcile.reconcile(here.database, rotated, here.now, SINCE)
    rotated.close()
    assert (found, here.state(made)) == (Reconciled(0, 0, 0), State.PUBLISHED)


@pytest.mark.parametrize("state", [State.REJECTED, State.CONFLICT, State.SUPERSEDED, State.WITHDRAWN])
def test_what_was_given_up_here_and_is_there_is_published(here: StoreNode, far: Far, state: State) -> None:
    made = here.accept().id
    bundle.give_to_master(far.master, [parted(made, here)])
    match state:
        case State.REJECTED:
            here.try_one(rejected())
        case State.CONFLICT:
            here.try_one(moved("elsewhere", 3))
        case State.SUPERSEDED:
            here.accept(rows=9, corrects=made)
        case _:
            here.withdraw(made)
    assert here.state(made) is state
    assert compare(here, far) == Reconciled(1, 0, 0)
    assert here.state(made) is State.PUBLISHED
    here.probe()
    deliver_all(here, far)
    assert far.has()[made] == 1
    assert {State(row) for row in states(here)} <= {State.PUBLISHED, State.CORRECTED}


def states(node: StoreNode) -> list[str]:
    with node.database.read() as conn:
        return list(conn.execute(select(Submission.state)).scalars())


def test_a_conflict_goes_on_by_itself_when_the_lost_predecessor_is_sent_again(here: StoreNode, far: Far) -> None:
    first, second = published_chain(here, far, 2)
    far.loses(second)
    far.loses(first)
    third = here.accept(rows=7, corrects=second).id
    deliver_all(here, far)
    assert (here.state(third), here.row(third).conflict_head) == (State.CONFLICT, None)
    assert compare(here, far) == Reconciled(0, 2, 0, 1)
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2, third: 3}


def test_what_has_no_sheet_any_more_is_told_and_not_queued(here: StoreNode, far: Far) -> None:
    made = here.accept().id
    deliver_all(here, far)
    here.pass_time(60)
    here.database.write(lambda conn: retention.prune_some(conn, here.now))
    far.loses(made)
    found = compare(here, far)
    assert (found, found.skipped) == (Reconciled(0, 0, 0), {"its sheet was removed": 1})
    assert here.state(made) is State.PUBLISHED
    assert here.claim() == []


def test_what_has_no_sheet_any_more_is_told_beside_what_is_sent_again(here: StoreNode, far: Far) -> None:
    first, second = published_chain(here, far, 2)
    here.database.write(lambda conn: conn.execute(delete(Payload).where(Payload.seq == here.row(first).seq)))
    for one in (first, second):
        far.loses(one)
    found = compare(here, far)
    assert (found, found.skipped) == (Reconciled(0, 1, 0), {"its sheet was removed": 1})
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {second: 1}


def conflict_with_nothing(here: StoreNode, far: Far) -> tuple[str, str, str]:
    """Two published versions that the master lost, and their correction, which met nothing there."""
    first, second = published_chain(here, far, 2)
    for one in (second, first):
        far.loses(one)
    third = here.accept(rows=7, corrects=second).id
    deliver_all(here, far)
    assert (here.state(third), here.row(third).conflict_head) == (State.CONFLICT, None)
    return first, second, third


def send_lost_again(node: StoreNode, submission: str) -> outbox.Acknowledgement:
    return node.database.write(lambda conn: outbox.send_lost_again(conn, node.now, submission))


def test_a_person_has_sent_again_what_the_master_lost_and_then_what_corrects_it(here: StoreNode, far: Far) -> None:
    first, second, third = conflict_with_nothing(here, far)
    answer = send_lost_again(here, third)
    assert answer == outbox.Acknowledgement(third, State.QUEUED, here.row(third).digest, created=False)
    assert [here.state(one) for one in (first, second, third)] == [State.QUEUED] * 3
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2, third: 3}


def test_nothing_is_sent_again_where_nothing_was_lost_or_its_sheet_is_gone(here: StoreNode, far: Far) -> None:
    first, second, third = conflict_with_nothing(here, far)
    other = here.accept("richmond").id
    here.try_one(moved("another", 3))
    here.database.write(lambda conn: conn.execute(delete(Payload).where(Payload.seq == here.row(second).seq)))
    ids = (first, second, third, other)
    before = [here.row(one) for one in ids]
    for one in ids:
        with pytest.raises(HeadMoved):
            send_lost_again(here, one)
    with pytest.raises(NotThere):
        send_lost_again(here, "nobody's")
    assert [here.row(one) for one in ids] == before


def test_it_says_what_it_did_not_compare_and_why(here: StoreNode, far: Far) -> None:
    here.accept()
    deliver_all(here, far)
    found = reconcile.reconcile(here.database, far.master, here.now, SINCE)
    assert found.skipped == {"published within the last minute": 1}
    found = reconcile.reconcile(here.database, far.master, here.now + timedelta(days=9), here.now + timedelta(days=8))
    assert found.skipped == {"published before the time that was asked for": 1}


@pytest.mark.parametrize(("most", "lost"), [(1, 1), (2, 2), (3, 2)])
def test_so_many_are_asked_for_at_once_and_the_rest_by_the_next_comparison(
    here: StoreNode, far: Far, most: int, lost: int
) -> None:
    for one in (here.accept().id, here.accept("richmond").id):
        deliver_all(here, far)
        far.loses(one)
    here.pass_time(120)
    found = reconcile.reconcile(here.database, far.master, here.now, SINCE, most)
    left = {"left for the next comparison": 2 - lost} if lost < 2 else {}
    assert found == Reconciled(0, lost, 0, 0, left)
    found = reconcile.reconcile(here.database, far.master, here.now, SINCE, most)
    assert found == Reconciled(0, 2 - lost, 0)


class Endless(DatabaseMaster):
    """A master that repeats its cursor for ever."""

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        page = super().receipts(since, until, None)
        assert isinstance(page, ReceiptPage)
        return ReceiptPage(page.receipts, "the same")


def test_it_ends_in_words_when_the_master_repeats_its_cursor(here: StoreNode, far: Far) -> None:
    here.accept()
    deliver_all(here, far)
    endless = Endless(far.url, "a token", clock=far.clock)
    with closing(endless), pytest.raises(ResultsqError, match="does not come to an end"):
        reconcile.reconcile(here.database, endless, here.now, SINCE)


# beside others


def test_what_is_exported_cannot_be_withdrawn_at_the_same_moment(postgres_store: Database) -> None:
    node = StoreNode(postgres_store)
    made = node.accept().id
    exporting, going = threading.Event(), threading.Event()

    def pause(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread().name == "export" and statement.startswith("INSERT INTO attempts"):
            exporting.set()
            going.wait(0.5)

    event.listen(postgres_store.engine, "before_cursor_execute", pause)
    export = threading.Thread(
        target=lambda: postgres_store.write(lambda conn: outbox.export(conn, node.now, [State.QUEUED], "bundle")),
        name="export",
    )
    export.start()
    assert exporting.wait(60)
    with pytest.raises(HeadMoved):
        node.withdraw(made)
    going.set()
    export.join()
    event.remove(postgres_store.engine, "before_cursor_execute", pause)
    assert (node.state(made), node.row(made).in_doubt) == (State.QUEUED, True)


@pytest.mark.parametrize("dead", [True, False])
def test_no_attempt_is_under_way_for_ever_when_the_list_has_what_a_worker_has_in_hand(
    here: StoreNode, far: Far, dead: bool
) -> None:
    made = here.accept().id
    lease = here.claim_one()
    far.master.send(Parcel("results", made, lease.event, lease.date, lease.body, lease.digest, None))
    assert compare(here, far) == Reconciled(0, 0, 0), "it is left to its sender"
    assert here.state(made) is State.SENDING
    if dead:
        here.database.write(lambda conn: outbox.void_leases(conn, here.now, "w1"))
        assert compare(here, far).settled == 1
    else:
        here.settle(lease, accepted(lease))
    (attempt,) = here.attempts(made)
    assert (attempt.outcome, attempt.ended_at is None) == ("unknown" if dead else "accepted", False)
    assert here.state(made) is State.PUBLISHED
