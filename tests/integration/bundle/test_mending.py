"""What only the master can settle after 0.1.0: `doctor` tells of it, and the comparison that it asks for settles it."""

import uuid
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from resultsq.delivery import reconcile
from resultsq.delivery.masters.database import DatabaseMaster
from resultsq.domain.outcome import Outcome, Receipt
from resultsq.domain.ports import Parcel
from resultsq.domain.submission import State
from resultsq.store.admin import comparisons, mending
from resultsq.store.engine.tables import Attempt, Audit, Hold, Payload, Submission
from resultsq.store.outbox import Reconciled
from resultsq.store.outbox.bundles import EXPORTED
from tests.integration.bundle.conftest import Far, deliver_all
from tests.support.manual_clock import ManualClock
from tests.support.nodes import StoreNode, lost, rejected

LONG_AGO = timedelta(days=90)


@pytest.fixture(autouse=True)
def _a_while_ago(far: Far) -> None:
    """What the master received is older than the comparison's edge."""
    far.clock.step(-3600)


def told(node: StoreNode) -> list[str]:
    with node.database.read() as conn:
        return [one.sentence for one in mending.damage(conn, node.now)]


def mend(node: StoreNode) -> list[str]:
    return list(mending.mend(node.database, ManualClock(node.now), "op"))


def compare(node: StoreNode, far: Far) -> Reconciled | None:
    node.pass_time(120)
    return reconcile.by_itself(node.database, far.master, ManualClock(node.now))


def compared_before(node: StoreNode, far: Far) -> None:
    """The next comparison comes by itself in an hour, and a cheap one is enough for it."""
    assert compare(node, far) is not None
    assert compare(node, far) is None


def damage(node: StoreNode, submission: str, **values: Any) -> None:
    node.database.write(
        lambda conn: conn.execute(update(Submission).where(Submission.id == submission).values(**values))
    )


def give(node: StoreNode, far: Far, submission: str, base: str | None = None, under: str | None = None) -> None:
    """The master gets this sheet from elsewhere."""
    row = node.row(submission)
    with node.database.read() as conn:
        body = conn.execute(select(Payload.body).where(Payload.seq == row.seq)).scalar_one()
    slug = next(slug for slug, number in node.events.items() if number == row.event_id)
    far.master.send(Parcel("results", under or submission, slug, row.date, body, row.digest, base))


def exported(node: StoreNode, submission: str) -> None:
    """As 0.1.0 wrote into a bundle what was withdrawn or replaced at that moment."""
    row = node.row(submission)
    attempt = {"seq": row.seq, "number": 1, "lease": str(uuid.uuid4()), "worker": "bundle", "outcome": "unknown"}
    attempt |= {"started_at": node.now, "ended_at": node.now, "cause": EXPORTED, "fingerprint": EXPORTED}
    node.database.write(lambda conn: conn.execute(insert(Attempt).values(**attempt)))
    damage(node, submission, in_doubt=True, attempts=1)


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.SUPERSEDED])
def test_what_was_given_up_and_exported_at_once_is_published_here_when_the_bundle_has_come(
    here: StoreNode, far: Far, state: State
) -> None:
    compared_before(here, far)
    made = here.accept(rows=1).id
    if state is State.WITHDRAWN:
        here.withdraw(made)
    else:
        here.accept(rows=2, corrects=made)
    exported(here, made)
    here.now += LONG_AGO
    (sentence,) = told(here)
    assert "Only the master can say whether it has 1 version" in sentence
    assert here.state(made) is state
    (done,) = mend(here)
    assert "A comparison with the master is asked for" in done
    assert "is asked for" in told(here)[0]
    give(here, far, made)
    found = compare(here, far)
    assert found is not None
    assert found.settled == 1
    assert here.state(made) is State.PUBLISHED
    assert told(here) == []
    deliver_all(here, far)
    assert here.count(state=State.QUEUED) == 0


def test_what_was_given_up_stays_so_when_the_bundle_has_not_come_and_is_told_of_while_it_may(
    here: StoreNode, far: Far
) -> None:
    made = here.accept().id
    here.withdraw(made)
    exported(here, made)
    mend(here)
    compare(here, far)
    assert (here.state(made), here.row(made).in_doubt) == (State.WITHDRAWN, True)
    assert len(told(here)) == 1, "the bundle may reach the master yet"
    here.now += LONG_AGO
    mend(here)
    assert compare(here, far) == Reconciled(0, 0, 0)
    assert (here.state(made), here.row(made).in_doubt) == (State.WITHDRAWN, False)
    assert told(here) == []


def test_a_version_settled_under_another_id_is_sent_again_where_only_the_one_below_it_was(
    here: StoreNode, far: Far
) -> None:
    first = here.accept(rows=1).id
    deliver_all(here, far)
    second = here.accept(rows=2, corrects=first).id
    other = str(uuid.uuid4())
    give(here, far, second, base=first, under=other)
    deliver_all(here, far)
    assert here.row(second).published_as == other
    compared_before(here, far)
    far.loses(other)
    here.pass_time(3600)
    # 0.1.0 sent the first again, and did not look at what had another id
    damage(here, first, published_at=here.now, state=State.CORRECTED)
    here.now += LONG_AGO
    assert len(told(here)) == 1
    assert len(mend(here)) == 1
    compare(here, far)
    assert here.state(second) is State.QUEUED
    here.pass_time(120)
    deliver_all(here, far)
    assert far.has() == {first: 1, second: 2}
    assert told(here) == []


def test_a_version_settled_under_another_id_is_told_of_no_more_when_the_master_has_it(
    here: StoreNode, far: Far
) -> None:
    first = here.accept(rows=1).id
    deliver_all(here, far)
    second = here.accept(rows=2, corrects=first).id
    give(here, far, second, base=first, under=str(uuid.uuid4()))
    deliver_all(here, far)
    compared_before(here, far)
    damage(here, first, published_at=here.now)
    here.now += LONG_AGO
    assert len(mend(here)) == 1
    assert compare(here, far) is not None
    assert told(here) == []
    assert (here.state(first), here.state(second)) == (State.CORRECTED, State.PUBLISHED)


@pytest.mark.parametrize("there", [True, False])
def test_what_an_older_version_gave_up_is_asked_for_by_its_id(here: StoreNode, far: Far, there: bool) -> None:
    made = here.accept(rows=1).id
    here.try_one(rejected())
    other = here.accept("richmond", rows=1).id
    here.withdraw(other)
    compared_before(here, far)
    for one in (made, other):
        damage(here, one, lane=None, attempts=2)  # it was given up before there were lanes
    if there:
        give(here, far, made)
    here.now += LONG_AGO
    assert "2 versions were given up by an older resultsq" in told(here)[0]
    mended, asked = mend(here)
    assert mended.startswith("Mended: 2 versions")
    assert "is asked for" in asked
    found = compare(here, far)
    assert found is not None
    assert found.settled == int(there)
    assert here.state(made) is (State.PUBLISHED if there else State.REJECTED)
    assert here.state(other) is State.WITHDRAWN
    assert here.count(in_doubt=True) == 0
    assert told(here) == mend(here) == []
    with here.database.read() as conn:
        assert comparisons.asked_since(conn) is None, "once is enough"


class Mute(DatabaseMaster):
    """A master that lists its receipts, and does not answer when it is asked for one."""

    def receipt(self, submission: str) -> Receipt | Outcome | None:
        return lost()


def test_the_comparison_is_made_again_while_the_master_gave_no_answer(here: StoreNode, far: Far) -> None:
    compared_before(here, far)
    asked = here.now - LONG_AGO
    here.database.write(lambda conn: comparisons.ask(conn, asked))
    here.database.write(lambda conn: comparisons.ask(conn, here.now))

    def since() -> datetime | None:
        with here.database.read() as conn:
            return comparisons.asked_since(conn)

    assert since() == asked, "the earlier of two"
    made = here.accept().id
    here.withdraw(made)
    damage(here, made, in_doubt=True)
    here.pass_time(120)
    with closing(Mute(far.url, "a token", clock=far.clock)) as mute:
        assert reconcile.by_itself(here.database, mute, ManualClock(here.now)) is not None
    assert since() == asked
    assert compare(here, far) is not None
    assert since() is None
    assert compare(here, far) is None


def holds(node: StoreNode) -> list[Any]:
    with node.database.read() as conn:
        return list(conn.execute(select(Hold).where(Hold.released_at.is_(None)).order_by(Hold.id)))


@pytest.mark.parametrize("scope", ["bushy", None])
def test_of_two_holds_of_one_event_the_newer_takes_the_older_ones_place(here: StoreNode, scope: str | None) -> None:
    made = here.accept().id
    later = here.now + timedelta(hours=1)
    first = here.hold(scope)
    second = here.hold(scope, release_at=later)
    here.hold("richmond")
    # as two at once placed them with 0.1.0 on PostgreSQL
    standing = update(Hold).where(Hold.id == first).values(released_at=None, released_by=None)
    here.database.write(lambda conn: conn.execute(standing))
    assert len(holds(here)) == 3
    (sentence,) = told(here)
    assert "1 hold is in force beside a newer one" in sentence
    assert mend(here) == [f"Mended: {sentence}"]
    assert told(here) == mend(here) == []
    kept = {one.id: one.release_at for one in holds(here)}
    assert first not in kept
    assert kept[second] is None, "as long as the longer of the two"
    assert here.claim() == []
    with here.database.read() as conn:
        lines = select(func.count()).select_from(Audit).where(Audit.action == "mend")
        assert conn.execute(lines).scalar_one() == 1
    here.release(second)
    assert [lease.submission for lease in here.claim()] == [made]
