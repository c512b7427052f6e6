"""A master that comes back from an older backup is noticed, and what it lost is sent again by itself."""

from datetime import datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import select

from resultsq.clock import SystemClock
from resultsq.delivery import bundle, reconcile
from resultsq.delivery.masters import open_master
from resultsq.domain.outcome import Cause, Outcome, Receipt
from resultsq.domain.ports import Latest, Master, ReceiptPage
from resultsq.domain.submission import State
from resultsq.store.admin import comparisons
from resultsq.store.engine.tables import Comparison
from resultsq.store.outbox import Reconciled
from tests.integration.bundle.conftest import Far, deliver_all, parted
from tests.support.manual_clock import ManualClock
from tests.support.nodes import NOW, StoreNode, lost, rejected


@pytest.fixture(autouse=True)
def _a_while_ago(far: Far) -> None:
    """What the master received is older than the comparison's edge."""
    far.clock.step(-3600)


def probed(node: StoreNode, far: Far) -> bool:
    """The probe's answer is written down as the prober does it; whether the master has less than it had."""
    answer = far.master.probe()
    return node.database.write(lambda conn: comparisons.note_latest(conn, node.now, answer.latest))


def by_itself(node: StoreNode, far: Far) -> Reconciled | None:
    return reconcile.by_itself(node.database, far.master, ManualClock(node.now))


def withdrawn_before_a_comparison(node: StoreNode, far: Far) -> str:
    """A submission that was refused and withdrawn, and then compared with a master that has nothing. Returns its id."""
    made = node.accept().id
    node.settle(node.claim_one(), rejected())
    node.withdraw(made)
    node.pass_time(120)
    assert by_itself(node, far) == Reconciled(0, 0, 0)
    return made


def last(node: StoreNode) -> comparisons.ComparisonView | None:
    with node.database.read() as conn:
        return comparisons.last(conn)


def test_a_restored_master_is_noticed_by_the_probe_and_gets_back_what_it_lost(here: StoreNode, far: Far) -> None:
    kept, gone = here.accept().id, here.accept("richmond").id
    deliver_all(here, far)
    here.pass_time(120)
    assert not probed(here, far)
    assert by_itself(here, far) == Reconciled(0, 0, 0)
    far.loses(gone)
    assert by_itself(here, far) is None, "an hour has not passed, and nothing was noticed so far"
    here.pass_time(120)
    assert probed(here, far)
    assert by_itself(here, far) == Reconciled(0, 1, 0)
    found = last(here)
    assert found is not None
    assert (found.whole, found.lost) == (True, 1)
    with here.database.read() as conn:
        assert comparisons.lost_lately(conn, here.now) == 1
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {kept: 1, gone: 1}
    assert by_itself(here, far) is None, "once is enough"


def test_it_is_compared_each_hour_and_after_each_outage_and_cheaply_first(here: StoreNode, far: Far) -> None:
    made = here.accept().id
    deliver_all(here, far)
    here.pass_time(120)
    assert by_itself(here, far) == Reconciled(0, 0, 0)
    assert by_itself(here, far) is None
    found = last(here)
    assert found is not None
    assert not found.whole, "older submissions are not compared"
    here.pass_time(3601)
    far.loses(made)  # by a master that says nothing of its newest receipt
    assert by_itself(here, far) == Reconciled(0, 1, 0)
    here.pass_time(120)
    deliver_all(here, far)
    assert by_itself(here, far) is None
    here.probe(Cause.REFUSED)
    assert by_itself(here, far) is None, "not while the link is down"
    here.pass_time(60)
    here.probe()
    assert by_itself(here, far) == Reconciled(0, 0, 0)


def test_what_the_network_brought_late_is_published_here_though_it_was_withdrawn(here: StoreNode, far: Far) -> None:
    """The master refused it, a person withdrew it, and then a copy came that the network had kept: the master took
    that one. Nothing else would tell the node for as long as the team sends nothing more."""
    made = withdrawn_before_a_comparison(here, far)
    far.clock.step(2 * 3600)
    bundle.give_to_master(far.master, [parted(made, here)])
    here.pass_time(3601)
    assert by_itself(here, far) == Reconciled(settled=1, lost=0, different=0)
    found = last(here)
    assert found is not None
    assert not found.whole, "older submissions are not compared"
    assert here.state(made) is State.PUBLISHED


def test_a_loss_beneath_newer_receipts_is_found(here: StoreNode, far: Far) -> None:
    """A master that says nothing of its newest receipt came back from a backup, and much was published before the
    next comparison."""
    here.pass_time(120)
    assert by_itself(here, far) == Reconciled(0, 0, 0)
    far.clock.step(2 * 3600)
    gone = here.accept("richmond").id
    deliver_all(here, far)
    far.loses(gone)
    for date in range(1, 2 * comparisons.NAMED):
        here.accept(date=f"2013-01-{date:02}")
        here.pass_time(1)
        deliver_all(here, far)
    here.pass_time(3601)
    assert by_itself(here, far) == Reconciled(0, 1, 0)
    assert here.state(gone) is State.QUEUED


def test_a_loss_is_found_though_more_was_published_since_than_is_looked_for(
    here: StoreNode, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "MOST", 4)
    here.pass_time(120)
    assert by_itself(here, far) == Reconciled(0, 0, 0)
    far.clock.step(2 * 3600)
    gone = here.accept("richmond").id
    deliver_all(here, far)
    far.loses(gone)
    for date in range(1, 7):
        here.accept(date=f"2013-01-{date:02}")
        here.pass_time(1)
        deliver_all(here, far)
    here.pass_time(3601)
    assert by_itself(here, far) == Reconciled(0, 1, 0)
    found = last(here)
    assert found is not None
    assert found.whole


def test_what_the_network_brought_late_is_found_though_the_masters_clock_is_behind(here: StoreNode, far: Far) -> None:
    """While the master had nothing, no comparison could learn how far behind its clock is."""
    made = withdrawn_before_a_comparison(here, far)
    bundle.give_to_master(far.master, [parted(made, here)])
    here.pass_time(3601)
    assert by_itself(here, far) == Reconciled(settled=1, lost=0, different=0)


def test_a_comparison_that_failed_leaves_no_gap(here: StoreNode, far: Far) -> None:
    """The next one begins where the last one that was made has ended."""
    made = withdrawn_before_a_comparison(here, far)
    far.clock.step(3600 + 120)
    bundle.give_to_master(far.master, [parted(made, here)])
    here.pass_time(3601)
    away = open_master("http://127.0.0.1:9", "a token", clock=SystemClock())
    assert reconcile.by_itself(here.database, away, ManualClock(here.now)) is None
    away.close()
    here.pass_time(61)
    far.clock.step(3600)
    assert by_itself(here, far) == Reconciled(settled=1, lost=0, different=0)


def test_what_was_too_new_after_an_outage_is_looked_at_once_its_minute_is_over(here: StoreNode, far: Far) -> None:
    here.accept("richmond")
    deliver_all(here, far)
    here.pass_time(120)
    assert by_itself(here, far) == Reconciled(0, 0, 0)
    here.probe(Cause.REFUSED)
    made = here.accept().id
    here.pass_time(60)
    here.probe()
    deliver_all(here, far)
    assert by_itself(here, far) == Reconciled(0, 0, 0)
    far.loses(made)  # by a master that says nothing of its newest receipt
    assert by_itself(here, far) is None, "its minute is not over"
    here.pass_time(61)
    here.accept("richmond")
    deliver_all(here, far)  # there is always something new
    assert by_itself(here, far) == Reconciled(0, 1, 0)
    here.pass_time(61)
    assert by_itself(here, far) is None, "one more is enough"


def test_a_loss_is_found_though_the_clock_was_set_back(here: StoreNode, far: Far) -> None:
    """What was published later than now is not taken for something new."""
    made = here.accept().id
    deliver_all(here, far)
    far.loses(made)  # by a master that says nothing of its newest receipt
    here.pass_time(-3600)
    assert by_itself(here, far) == Reconciled(0, 1, 0)
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {made: 1}


def test_it_is_tried_again_in_a_minute_when_the_master_gave_no_answer(here: StoreNode, far: Far) -> None:
    here.accept()
    deliver_all(here, far)
    here.pass_time(120)
    away = open_master("http://127.0.0.1:9", "a token", clock=SystemClock())
    assert reconcile.by_itself(here.database, away, ManualClock(here.now)) is None
    away.close()
    assert (last(here) or pytest.fail("nothing was written down")).error
    assert by_itself(here, far) is None
    here.pass_time(61)
    assert by_itself(here, far) == Reconciled(0, 0, 0)


@pytest.mark.parametrize(
    ("before", "after", "less"),
    [
        (Latest(NOW, 5), Latest(NOW, 5), False),
        (Latest(NOW, 5), Latest(NOW + timedelta(seconds=1), 6), False),
        (Latest(NOW, 5), Latest(NOW, 4), True),
        (Latest(NOW, 5), Latest(NOW - timedelta(seconds=1), 5), True),
        (Latest(NOW, 5), Latest(None, 0), True),
        (Latest(NOW, 5), None, False),
    ],
)
def test_less_than_before_is_what_a_restored_master_has(
    here: StoreNode, before: Latest, after: Latest | None, less: bool
) -> None:
    here.database.write(lambda conn: comparisons.note_latest(conn, here.now, before))
    assert here.database.write(lambda conn: comparisons.note_latest(conn, here.now, after)) is less


class Asked:
    """The far master, and since when its list was asked for."""

    def __init__(self, far: Far) -> None:
        self._far = far
        self.since: list[datetime] = []

    def receipts(self, since: str | None, until: str | None, cursor: str | None) -> ReceiptPage | Outcome:
        assert since is not None
        self.since.append(datetime.fromisoformat(since))
        return self._far.master.receipts(since, until, cursor)

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        return self._far.master.receipt(submission)


EDGE = timedelta(minutes=10)


def compared_since(node: StoreNode, far: Far) -> datetime:
    master = Asked(far)
    assert reconcile.by_itself(node.database, cast(Master, master), ManualClock(node.now)) is not None
    return master.since[-1]


def test_it_looks_back_a_month_at_first_and_then_to_the_newest_that_it_knows(here: StoreNode, far: Far) -> None:
    here.accept()
    deliver_all(here, far)
    received_at = far.clock.now()
    here.pass_time(120)
    assert compared_since(here, far) == here.now - timedelta(days=30) - EDGE
    here.pass_time(3601)
    assert compared_since(here, far) == received_at - EDGE


def test_the_next_one_begins_where_one_began_that_found_nothing(here: StoreNode, far: Far) -> None:
    first = compared_since(here, far)
    here.pass_time(3601)
    assert compared_since(here, far) == first, "an empty list does not show how late the master's clock is"


@pytest.mark.parametrize("days", [1, 60])
def test_one_that_a_person_asked_for_goes_back_to_that_time_and_a_month_at_least(
    here: StoreNode, far: Far, days: int
) -> None:
    here.accept()
    deliver_all(here, far)
    here.pass_time(120)
    by_itself(here, far)
    here.pass_time(61)
    since = here.now - timedelta(days=days)
    here.database.write(lambda conn: comparisons.ask(conn, since))
    master, reaches = Asked(far), min(since, here.now - timedelta(days=30))
    assert reconcile.by_itself(here.database, cast(Master, master), ManualClock(here.now)) == Reconciled(0, 0, 0)
    assert master.since == [reaches - EDGE]
    with here.database.read() as conn:
        assert comparisons.asked_since(conn) is None, "it is done"
        assert conn.execute(select(Comparison.reached_since)).scalar_one() == reaches


def test_one_that_left_questions_open_reaches_nowhere(
    here: StoreNode, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = here.accept().id
    deliver_all(here, far)
    far.loses(made)
    here.pass_time(120)
    here.database.write(lambda conn: comparisons.ask(conn, here.now))
    monkeypatch.setattr(Asked, "receipt", lambda *_: lost())
    found = reconcile.by_itself(here.database, cast(Master, Asked(far)), ManualClock(here.now))
    assert found == Reconciled(0, 0, 0, 0, {"the master gave no answer about it": 1})
    with here.database.read() as conn:
        assert comparisons.asked_since(conn) is not None
        assert conn.execute(select(Comparison.reached_since)).scalar_one() is None


def test_the_state_stays_as_it_is_when_nothing_is_lost(here: StoreNode, far: Far) -> None:
    made = here.accept().id
    deliver_all(here, far)
    here.pass_time(120)
    by_itself(here, far)
    assert here.state(made) is State.PUBLISHED
