"""The overview's figures against a history that was played out."""

from datetime import timedelta
from itertools import pairwise

from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.store.outbox import refusals, workers
from resultsq.store.views import chart_points, error_groups, overview_data
from resultsq.store.views.chart_points import Span
from tests.support.nodes import NOW, StoreNode, lost, moved, rejected


def outage(node: StoreNode, count: int, lasts_s: float = 600) -> None:
    """An outage in which so many were accepted; the link is back."""
    node.probe(Cause.TIMEOUT)
    node.accept_many(count)
    node.pass_time(lasts_s)
    node.probe()


def test_a_pulse_knows_the_link_and_what_waits_when_an_outage_goes_on(node: StoreNode) -> None:
    node.pass_time(60)
    node.probe(Cause.DNS)
    accepted_at = node.now
    node.accept("bushy")
    node.pass_time(30)
    with node.database.read() as conn:
        seen = overview_data.live_status(conn, node.now)
    assert seen.link is not None
    assert (seen.link.state, seen.link.cause) == ("down", "dns")
    assert (seen.waiting, seen.oldest_waiting_at) == (1, accepted_at)
    assert seen.last is not None
    assert (seen.last.ended_at, seen.rate, seen.drain_s) == (None, 0.0, None)
    assert seen.workers_alive == 0, "it was last seen a minute and a half ago"


def test_a_drain_is_measured_when_the_link_is_back(node: StoreNode) -> None:
    outage(node, 10)
    node.accept("richmond", date="2013-11-30")
    node.pass_time(2)
    for _ in range(4):
        node.publish_one()
    node.database.write(lambda conn: workers.alive(conn, node.now, "w1"))
    with node.database.read() as conn:
        seen = overview_data.live_status(conn, node.now)
    assert seen.last is not None
    # by turns: one from before the return, one from after it
    assert (seen.last.delayed, seen.last.remaining, seen.last.caught_up_at) == (10, 7, None)
    assert (seen.waiting, seen.rate, seen.drain_s) == (7, 2.0, 3.5)
    assert seen.workers_alive == 1


def test_the_catching_up_is_timed_when_the_last_that_waited_is_published(node: StoreNode) -> None:
    outage(node, 3)
    returned = node.now
    for _ in range(3):
        node.pass_time(7)
        node.publish_one()
    node.accept("richmond", date="2013-11-30")
    node.pass_time(100)
    node.publish_one()
    with node.database.read() as conn:
        seen = overview_data.live_status(conn, node.now)
        (listed,) = overview_data.latest_outages(conn)
    assert seen.last is not None
    assert (seen.last.remaining, seen.last.caught_up_at) == (0, returned + timedelta(seconds=21))
    assert (listed.delayed, listed.ended_at) == (3, returned)


def test_the_chart_adds_up_when_submissions_came_and_went(node: StoreNode) -> None:
    node.accept_many(5)
    node.pass_time(120)
    node.publish_one()
    node.withdraw(node.accept("richmond", date="2013-11-30").id)
    node.pass_time(60)
    node.try_one(rejected())
    node.pass_time(60)
    node.accept_many(2, first=5)
    for span in Span:
        with node.database.read() as conn:
            waiting = overview_data.live_status(conn, node.now).waiting
            points = chart_points.series(conn, node.now, span, waiting)
        assert len(points) == span.length // span.step
        assert (sum(p.accepted for p in points), sum(p.published for p in points)) == (8, 1)
        assert points[-1].waiting == waiting == 5
        assert points[0].waiting == 0
        assert all(later.at - one.at == span.step for one, later in pairwise(points))
    with node.database.read() as conn:
        points = chart_points.series(conn, node.now, Span.HOUR, 5)
    assert [p.waiting for p in points[-6:]] == [0, 5, 5, 4, 3, 5]


def test_delays_are_those_of_what_was_published_when_they_are_asked(node: StoreNode) -> None:
    with node.database.read() as conn:
        assert overview_data.delays(conn, NOW).count == 0
    for n in range(100):
        node.accept("bushy", 1, date=f"{1900 + n}-01-01")
    lease_ends = []
    for n in range(100):
        node.now = NOW + timedelta(seconds=n + 1)
        lease_ends.append(node.publish_one())
    with node.database.read() as conn:
        found = overview_data.delays(conn, NOW)
        late = overview_data.delays(conn, NOW + timedelta(seconds=91))
    assert (found.count, found.p50, found.p95, found.p99, found.most) == (100, 50, 95, 99, 100)
    assert (late.count, late.most) == (10, 100)


def test_age_and_event_are_told_apart_when_something_waits(node: StoreNode) -> None:
    began = node.now
    node.accept("wimbledon", 1)
    node.publish_one()
    for event, age_min in (("bushy", 700), ("richmond", 39), ("bushy", 6), ("bushy", 4)):
        node.now = began + timedelta(minutes=720 - age_min)
        node.accept(event, 1, date=f"2013-01-{age_min % 28 + 1:02}")
    now = began + timedelta(minutes=720)
    with node.database.read() as conn:
        seen = overview_data.waiting_by_age(conn, now)
    assert [(row.event, row.bands) for row in seen.rows] == [
        ("bushy", (1, 1, 0, 0, 0, 0, 0, 0, 1)),
        ("richmond", (0, 0, 0, 1, 0, 0, 0, 0, 0)),
    ]
    assert (seen.total.total, seen.total.bands, seen.others) == (4, (1, 1, 0, 1, 0, 0, 0, 0, 1), 0)


def test_failures_are_grouped_with_what_of_them_is_left_when_they_differ(node: StoreNode) -> None:
    for event in ("bushy", "richmond", "wimbledon"):
        node.accept(event)
    failed_at = []
    for outcome in (rejected(), moved(None), lost(Cause.TIMEOUT)):
        node.pass_time(1)
        failed_at.append(node.now)
        node.try_one(outcome)
    node.pass_time(1)
    node.probe()
    node.pass_time(600)
    failed_at.append(node.now)
    node.try_one(lost(Cause.TIMEOUT))
    with node.database.read() as conn:
        groups = error_groups.errors(conn)
        people = overview_data.needs_person(conn)
    assert [(group.fingerprint, group.attempts, [(c.state, c.count) for c in group.now]) for group in groups] == [
        ("timeout", 2, [(State.QUEUED, 1)]),
        ("conflict 412", 1, [(State.CONFLICT, 1)]),
        ("invalid-sheet 422", 1, [(State.REJECTED, 1)]),
    ]
    assert (groups[0].first_at, groups[0].last_at) == tuple(failed_at[2:])
    assert {(one.state, one.count) for one in people} == {(State.REJECTED, 1), (State.CONFLICT, 1)}


def test_an_event_is_named_when_its_credentials_are_refused(node: StoreNode) -> None:
    node.database.write(lambda conn: refusals.refuse(conn, NOW, "results", node.events["richmond"]))
    with node.database.read() as conn:
        assert overview_data.live_status(conn, NOW).refused_events == ["richmond"]


def test_how_many_waited_then_is_known_when_it_is_asked_later(node: StoreNode) -> None:
    began = node.now
    node.accept_many(4)
    node.pass_time(60)
    node.publish_one()
    node.withdraw(node.accept("richmond", date="2013-11-30").id)
    node.pass_time(60)
    node.try_one(rejected())
    node.pass_time(60)
    with node.database.read() as conn:
        assert [chart_points.waiting_at(conn, began + timedelta(seconds=after)) for after in (-1, 30, 90, 150)] == [
            0,
            4,
            3,
            2,
        ]
        past = chart_points.series(conn, began + timedelta(seconds=90), Span.HOUR, 3)
    assert [point.waiting for point in past[-3:]] == [0, 4, 3]
