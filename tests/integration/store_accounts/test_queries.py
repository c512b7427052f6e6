"""What is asked of the queue, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.engine.session import Database
from resultsq.store.engine.tables import Submission
from resultsq.store.views import queries, versions
from tests.support.nodes import NOW, StoreNode, rejected


def test_the_status_says_what_waits_since_when_and_why_when_the_link_is_down(database: Database) -> None:
    node = StoreNode(database)
    node.probe()
    published = node.accept("bushy")
    node.publish_one()
    node.probe(Cause.REFUSED)
    node.pass_time(60)
    accepted_at = node.now
    node.accept("bushy", rows=4, corrects=published.id)
    node.pass_time(60)
    node.accept("richmond")
    node.hold("richmond")
    node.hold(release_at=node.now + timedelta(minutes=1))
    with database.read() as conn:
        status = queries.status(conn, node.now)
        own = queries.status(conn, node.now, node.events["bushy"])
        later = queries.status(conn, node.now + timedelta(minutes=2))
    assert (status.counts[State.QUEUED], status.counts[State.PUBLISHED], status.waiting) == (2, 1, 2)
    assert set(status.counts) == set(State)
    assert status.oldest_waiting_at == accepted_at
    assert status.link is not None
    assert (status.link.state, status.link.cause) == (LinkState.DOWN, Cause.REFUSED)
    assert status.link.since < accepted_at
    assert [(hold.scope, hold.event) for hold in status.holds] == [("event", "richmond"), ("destination", None)]
    assert [hold.scope for hold in later.holds] == ["event"]
    assert (own.counts[State.QUEUED], own.oldest_waiting_at) == (1, accepted_at)
    assert [hold.scope for hold in own.holds] == ["destination"]


def test_an_events_status_shows_the_hold_of_its_own_submission_when_there_is_one(database: Database) -> None:
    node = StoreNode(database)
    held = node.accept("bushy")
    node.act("hold", held.id)
    with database.read() as conn:
        assert [hold.scope for hold in queries.holds(conn, NOW, node.events["bushy"])] == ["submission"]
        assert queries.holds(conn, NOW, node.events["richmond"]) == []


def test_each_hold_says_how_many_it_keeps(database: Database) -> None:
    node = StoreNode(database)
    node.accept("bushy", date="2013-11-30")
    node.accept("bushy")
    node.act("hold", node.accept("richmond").id)
    for whole in ("bushy", "wimbledon", None):
        node.hold(whole)
    with database.read() as conn:
        kept = {hold.event or hold.scope: queries.held_by(conn, hold) for hold in queries.holds(conn, NOW)}
    assert kept == {"bushy": 2, "wimbledon": 0, "destination": 3, "submission": 1}


def test_nothing_waits_and_no_link_is_known_when_the_node_is_new(database: Database) -> None:
    with database.read() as conn:
        status = queries.status(conn, NOW)
    assert status.link is None
    assert status.oldest_waiting_at is None
    assert status.waiting == sum(status.counts.values()) == 0


def test_a_submission_is_shown_as_it_stands_when_the_master_rejected_it(database: Database) -> None:
    node = StoreNode(database)
    node.probe()
    accepted = node.accept("bushy", rows=5)
    node.try_one(rejected())
    with database.read() as conn:
        found = queries.submission(conn, accepted.id)
        assert queries.submission(conn, "no such id") is None
        assert found is not None
        body = queries.body(conn, found.seq)
    assert (found.event, found.date, found.state, found.version) == ("bushy", "2013-12-07", State.REJECTED, 1)
    assert (found.digest, found.finishers, found.attempts) == (accepted.digest, 5, 1)
    assert found.status == 422
    assert body


def test_the_counts_keep_a_submission_when_it_is_withdrawn(database: Database) -> None:
    node = StoreNode(database)
    first = node.accept("bushy")
    node.accept("richmond")
    node.withdraw(first.id)
    with database.read() as conn:
        counts = queries.status(conn, NOW).counts
    assert (counts[State.WITHDRAWN], counts[State.QUEUED], sum(counts.values())) == (1, 1, 2)


def test_those_ahead_are_counted_no_further_than_anyone_reads(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = StoreNode(database)
    node.accept_many(5)
    last = node.accept("richmond")
    with database.read() as conn:
        assert versions.place(conn, node.now, node.row(last.id).seq).ahead == 5
        monkeypatch.setattr(versions, "COUNTED", 3)
        assert versions.place(conn, node.now, node.row(last.id).seq).ahead == 3
    node.act("hold", *node_ids(node)[:4])
    with database.read() as conn:
        assert versions.place(conn, node.now, node.row(last.id).seq).ahead == 1
    node.hold()
    with database.read() as conn:
        assert versions.place(conn, node.now, node.row(last.id).seq).ahead == 0


def node_ids(node: StoreNode) -> list[str]:
    """In the order of acceptance."""
    with node.database.read() as conn:
        return list(conn.execute(select(Submission.id).order_by(Submission.seq)).scalars())
