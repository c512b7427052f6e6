"""Which versions the comparison with the master's list asks about: the times at which that begins and ends."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.tables import Attempt, Submission
from resultsq.store.outbox import comparison
from resultsq.store.outbox.bundles import EXPORTED
from resultsq.store.outbox.comparison import Open
from tests.support.nodes import NOW, StoreNode

A_MOMENT = timedelta(milliseconds=1)


def left_open(node: StoreNode, since: datetime) -> Open:
    """What a list that holds nothing leaves open."""
    with node.database.read() as conn:
        return comparison.open_questions(conn, node.now, {}, since)


def names(found: Open) -> list[str]:
    return [question.name for question in found.questions]


def given_up(node: StoreNode, **more: Any) -> str:
    """A version that is in doubt and was given up."""
    made = node.accept().id
    values = {"state": State.SUPERSEDED, "in_doubt": True, **more}
    node.database.write(lambda conn: conn.execute(update(Submission).where(Submission.id == made).values(**values)))
    return made


def test_a_version_is_asked_about_whose_receipt_is_as_old_as_the_list(up: StoreNode) -> None:
    made = up.accept().id
    up.publish_one()
    published_at = up.now
    up.pass_time(3600)
    assert names(left_open(up, NOW)) == [made]
    assert names(left_open(up, NOW + A_MOMENT)) == []
    assert [left_open(up, since).older for since in (published_at, published_at + A_MOMENT)] == [0, 1]


def test_a_version_is_asked_about_once_the_list_must_hold_it(up: StoreNode) -> None:
    made = up.accept().id
    up.publish_one()
    up.now += timedelta(minutes=1)
    assert (names(left_open(up, NOW)), left_open(up, NOW).newer) == ([], 1)
    up.now += A_MOMENT
    assert (names(left_open(up, NOW)), left_open(up, NOW).newer) == ([made], 0)


def test_a_version_that_was_given_up_in_doubt_is_asked_about_when_it_is_as_old_as_the_list(up: StoreNode) -> None:
    made = given_up(up)
    accepted_at = up.row(made).accepted_at
    assert names(left_open(up, accepted_at)) == [made]
    assert names(left_open(up, accepted_at + A_MOMENT)) == []


def test_a_version_that_was_given_up_stays_in_doubt_while_its_bundle_travels(up: StoreNode) -> None:
    made = given_up(up)
    row = up.row(made)
    attempt = {"seq": row.seq, "number": 1, "lease": "a bundle", "worker": "bundle", "cause": EXPORTED}
    times = {"started_at": up.now, "ended_at": up.now}
    up.database.write(lambda conn: conn.execute(insert(Attempt).values(**attempt, **times)))

    def master_has_it_not() -> bool:
        up.database.write(lambda conn: outbox.bring_in_line(conn, up.now, row.chain_id, {}, {made}))
        return bool(up.row(made).in_doubt)

    up.now += timedelta(days=30) - A_MOMENT
    assert master_has_it_not()
    up.now += A_MOMENT
    assert not master_has_it_not()
