"""What may be handed to a relay, and when; and what each answer of a relay changes, for the one that it is about."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from resultsq.delivery import sender
from resultsq.domain.destinations import MAIL, MASTER
from resultsq.domain.outcome import Accepted, Outcome, Redirected
from resultsq.domain.relay import ASK_FIRST_S, ASK_LATEST_S
from resultsq.domain.submission import State
from resultsq.store import outbox
from resultsq.store.engine.tables import Handover
from resultsq.store.outbox import handovers
from resultsq.store.outbox.handovers import CALL_S, RelayCall
from tests.support.nodes import StoreNode, accepted, lost, moved

RELAY, ANOTHER = "relay.example.org:443", "second.example.org:443"


def begin(node: StoreNode, after: int = 0, most: int = 10, relay: str = RELAY) -> tuple[list[RelayCall], int]:
    return node.database.write(lambda conn: handovers.begin(conn, node.now, relay, after, most))


def _begun(node: StoreNode, relay: str = RELAY) -> list[str]:
    return [call.parcel.submission for call in begin(node, relay=relay)[0]]


def due(node: StoreNode, hands_over: bool = True, most: int = 10) -> list[RelayCall]:
    return node.database.write(lambda conn: handovers.due(conn, node.now, most, hands_over))


def kept(node: StoreNode, seq: int, ask_in_s: float = ASK_FIRST_S) -> None:
    node.database.write(lambda conn: handovers.kept(conn, node.now, seq, ask_in_s))


def take_back(node: StoreNode, seq: int) -> None:
    node.database.write(lambda conn: handovers.take_back(conn, node.now, seq))


def settle_as(node: StoreNode, call: RelayCall, outcome: Outcome, same_rows: bool = False) -> State | None:
    return node.database.write(lambda conn: handovers.settle_as(conn, node.now, call, outcome, same_rows))


def handover(node: StoreNode, seq: int) -> Any:
    with node.database.read() as conn:
        return conn.execute(select(Handover).where(Handover.seq == seq)).first()


@pytest.fixture
def two(up: StoreNode) -> tuple[RelayCall, RelayCall]:
    """The calls with which two are handed over, the first of which is what a test is about."""
    up.accept()
    up.accept("richmond")
    first, second = begin(up)[0]
    return first, second


# which go, and in which order


def test_a_correction_is_handed_on_only_when_the_relay_has_what_it_corrects(node: StoreNode) -> None:
    node.probe()
    first = node.accept(rows=3).id
    (lease,) = node.claim(free=1)
    later = node.accept(rows=4, corrects=first).id
    assert _begun(node) == [], "the first is being sent, and the other waits for its end"
    node.turn(sender.settlement(lease, lost(), 0.1, 0.5), free=0)
    assert _begun(node) == [first]
    assert _begun(node) == [], "the relay has not said that it has it"
    kept(node, lease.seq)
    assert _begun(node, ANOTHER) == [], "another relay does not have it"
    assert _begun(node) == [later]


def test_a_correction_of_what_is_published_is_handed_on_at_once(up: StoreNode) -> None:
    first = up.accept(rows=3).id
    up.publish_one()
    later = up.accept(rows=4, corrects=first).id
    (call,) = begin(up)[0]
    assert (call.parcel.submission, call.parcel.precondition) == (later, first)


def test_what_a_relay_has_goes_to_no_other_destination_until_the_relay_has_answered(node: StoreNode) -> None:
    node.probe()
    sent = node.accept(rows=3).id
    _begun(node)
    lease = node.claim_one()
    node.settle(lease, Redirected(MAIL, "The master has no call for this."))
    row = node.row(sent)
    assert (row.destination, row.state, row.in_doubt) == (MASTER, State.QUEUED, True)
    node.database.write(lambda conn: handovers.give_up(conn, lease.seq))
    node.pass_time(61)
    node.settle(node.claim_one(), Redirected(MAIL, "The master has no call for this."))
    row = node.row(sent)
    assert (row.destination, row.state, row.in_doubt) == (MAIL, State.QUEUED, False)
    assert (row.failures, row.wait_s, row.next_attempt_at) == (0, 0, None), "there it begins anew"
    assert _begun(node) == [], "a relay has no call for it either"


def test_some_are_handed_over_at_a_time_in_their_order_and_each_once(up: StoreNode) -> None:
    ids = [up.accept(event).id for event in up.events]
    held = up.accept(date="2013-12-14").id
    up.act("hold", held)
    calls, last = begin(up, most=2)
    assert [call.parcel.submission for call in calls] == ids[:2]
    assert last == calls[-1].seq
    calls, last = begin(up, last, most=2)
    assert [call.parcel.submission for call in calls] == ids[2:]
    assert begin(up, last) == ([], 0)
    assert begin(up) == ([], 0)
    new = up.accept(date="2013-12-21").id
    assert begin(up, up.row(new).seq) == ([], 0), "only what lies behind"


def test_the_look_goes_on_behind_many_that_a_relay_has(up: StoreNode) -> None:
    up.accept_many(200)
    begin(up, most=200)
    last = up.accept("richmond").id
    assert begin(up) == ([], up.row(last).seq - 1)
    after = begin(up)[1]
    assert [call.parcel.submission for call in begin(up, after)[0]] == [last]


def test_the_doubt_and_the_attempt_are_written_before_the_relay_is_called(up: StoreNode) -> None:
    made, other = up.accept().id, up.accept("richmond").id
    ((call,), _) = begin(up, most=1)
    row = up.row(made)
    assert (row.state, row.in_doubt, row.attempts) == (State.QUEUED, True, 1)
    (attempt,) = up.attempts(made)
    assert (attempt.number, attempt.worker, attempt.outcome, attempt.cause) == (1, RELAY, "unknown", "handed-on")
    assert (attempt.started_at, attempt.ended_at, attempt.duration_s) == (up.now, up.now, 0.0)
    assert (call.relay, call.kept, call.asked) == (RELAY, False, 0)
    assert (call.parcel.event, call.parcel.precondition, call.parcel.in_doubt) == ("bushy", None, True)
    assert (up.row(other).in_doubt, up.row(other).attempts, up.attempts(other)) == (False, 0, [])
    up.probe()
    assert [(lease.submission, lease.attempt) for lease in up.claim()] == [(made, 2), (other, 1)]


def test_each_call_names_the_same_node(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    up.accept("wimbledon")
    (third,) = begin(up)[0]
    (name,) = third.via
    assert name
    assert [call.via for call in two] == [[name]] * 2


# calls without an end, and questions


def test_a_call_without_an_end_is_repeated_once_nobody_makes_it_any_more(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    up.pass_time(CALL_S - 1)
    assert due(up) == []
    up.pass_time(1)
    assert [(call.seq, call.kept, call.asked) for call in due(up)] == [(call.seq, False, 1) for call in two]
    assert due(up) == [], "another worker makes the calls meanwhile"
    up.pass_time(CALL_S)
    assert [call.asked for call in due(up)] == [2, 2]


def test_the_first_that_are_due_are_called_first(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    first, second = two
    kept(up, first.seq, 60)
    kept(up, second.seq, 30)
    up.pass_time(60)
    assert [call.seq for call in due(up, most=1)] == [second.seq]
    assert [call.seq for call in due(up, most=1)] == [first.seq]


def test_the_relay_is_asked_and_nothing_is_handed_over_while_the_link_may_do_it(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    first, second = two
    kept(up, first.seq, CALL_S)
    up.pass_time(CALL_S)
    (call,) = due(up, hands_over=False)
    assert (call.seq, call.kept, call.asked) == (first.seq, True, 1)
    put_off = handover(up, second.seq)
    assert (put_off.due_at, put_off.asked) == (up.now + timedelta(seconds=ASK_FIRST_S), 0)
    up.pass_time(ASK_FIRST_S)
    assert [one.seq for one in due(up)] == [second.seq]


def test_nothing_is_asked_of_what_is_no_longer_waiting(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    first, second = two
    kept(up, first.seq)
    up.probe()
    assert up.publish_one().seq == first.seq
    up.pass_time(CALL_S)
    assert [call.seq for call in due(up)] == [second.seq]
    assert handover(up, first.seq).due_at is None


def test_what_was_written_before_the_clock_was_set_back_is_due_at_once(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    kept(up, two[0].seq, ASK_LATEST_S + CALL_S)
    assert due(up) == [], "that far ahead it may be"
    up.pass_time(-1)
    assert [call.seq for call in due(up)] == [two[0].seq]


def test_a_worker_keeps_its_call_while_it_says_so(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    first, second = two
    up.database.write(lambda conn: handovers.give_up(conn, second.seq))
    length_s = CALL_S + 100
    up.database.write(lambda conn: handovers.renew(conn, up.now, [first.seq, second.seq], length_s))
    up.pass_time(length_s - 1)
    assert due(up) == []
    up.pass_time(1)
    assert [call.seq for call in due(up)] == [first.seq]


def test_no_call_is_kept_so_long_that_it_would_look_like_one_from_before_a_step_of_the_clock(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    up.database.write(lambda conn: handovers.renew(conn, up.now, [two[0].seq], 86_400))
    assert due(up) == []
    assert handover(up, two[0].seq).due_at == up.now + timedelta(seconds=ASK_LATEST_S + CALL_S)


def test_all_that_a_relay_keeps_is_asked_about_when_the_node_was_off(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    first, second = two
    kept(up, first.seq, 300)
    third = up.accept("wimbledon").id
    begin(up)
    up.database.write(lambda conn: handovers.give_up(conn, up.row(third).seq))
    up.database.write(lambda conn: handovers.ask_all(conn, up.now))
    assert [call.seq for call in due(up)] == [first.seq]
    assert handover(up, second.seq).due_at == up.now + timedelta(seconds=CALL_S)


# answers


def test_the_relay_has_it(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    first, second = two
    up.pass_time(CALL_S)
    due(up)
    kept(up, first.seq, 30)
    since = up.now
    found = handover(up, first.seq)
    assert (found.kept_at, found.due_at, found.asked) == (since, since + timedelta(seconds=30), 0)
    other = handover(up, second.seq)
    assert (other.kept_at, other.due_at, other.asked) == (None, since + timedelta(seconds=CALL_S), 1)
    up.pass_time(30)
    due(up)
    kept(up, first.seq, 60)
    found = handover(up, first.seq)
    assert (found.kept_at, found.due_at, found.asked) == (since, up.now + timedelta(seconds=60), 1), "as it was"


def test_what_a_relay_lost_goes_to_one_again_at_once(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    for call in two:
        kept(up, call.seq, 300)
    lost_, other = two
    before = handover(up, other.seq)
    up.database.write(lambda conn: handovers.lost(conn, up.now, lost_.seq, ANOTHER))
    (again,) = due(up)
    assert (again.seq, again.relay, again.kept, again.asked) == (lost_.seq, ANOTHER, False, 1)
    assert handover(up, other.seq) == before


def test_a_relay_that_will_not_publish_it_is_called_no_more(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    for call in two:
        kept(up, call.seq)
    given_up, other = two
    up.database.write(lambda conn: handovers.give_up(conn, given_up.seq))
    later = up.accept(rows=4, corrects=given_up.parcel.submission).id
    assert _begun(up) == [], "the relay does not have what this corrects"
    up.pass_time(300)
    assert [call.seq for call in due(up)] == [other.seq]
    assert handover(up, given_up.seq).kept_at is None
    assert up.state(later) is State.QUEUED


def test_a_relay_that_gives_no_answer_is_called_later_or_another_is(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    first, second = two
    before = handover(up, second.seq)
    up.database.write(lambda conn: handovers.put_off(conn, up.now, first.seq, ANOTHER, 20))
    assert handover(up, second.seq) == before
    assert due(up) == []
    up.pass_time(20)
    assert [(call.seq, call.relay) for call in due(up)] == [(first.seq, ANOTHER)]


def test_what_the_relay_did_not_take_is_as_it_was_before(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    taken_back, other = two
    take_back(up, taken_back.seq)
    names = [call.parcel.submission for call in two]
    assert [up.row(name).in_doubt for name in names] == [False, True]
    assert [up.attempts(name)[0].outcome for name in names] == ["deferred", "unknown"]
    assert handover(up, taken_back.seq) is None
    assert handover(up, other.seq) is not None
    assert _begun(up) == [names[0]], "it may be handed over again"
    assert up.row(names[0]).attempts == 2


def test_what_was_in_doubt_before_its_relay_was_called_stays_so(up: StoreNode) -> None:
    made = up.accept().id
    up.try_one(lost())
    ((call,), _) = begin(up)
    take_back(up, call.seq)
    assert up.row(made).in_doubt
    assert [one.outcome for one in up.attempts(made)] == ["deferred", "deferred"]
    assert up.attempts(made)[0].detail == "The connection was cut.", "that attempt is not the relay's"


def test_doubt_stays_when_an_earlier_call_may_have_reached_the_relay(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    up.pass_time(CALL_S)
    call, _ = due(up)
    take_back(up, call.seq)
    assert up.row(call.parcel.submission).in_doubt


@pytest.mark.parametrize("meanwhile", ["sent", "sent and back"])
def test_doubt_stays_when_it_was_sent_since_the_relay_was_called(
    up: StoreNode, two: tuple[RelayCall, RelayCall], meanwhile: str
) -> None:
    call, _ = two
    lease = up.claim_one()
    assert lease.seq == call.seq
    if meanwhile == "sent and back":
        up.settle(lease, lost())
    take_back(up, call.seq)
    assert up.row(call.parcel.submission).in_doubt


def test_nothing_is_taken_back_that_the_relay_has(up: StoreNode, two: tuple[RelayCall, RelayCall]) -> None:
    kept(up, two[0].seq)
    take_back(up, two[0].seq)
    assert handover(up, two[0].seq) is not None
    assert up.row(two[0].parcel.submission).in_doubt


def receipt(up: StoreNode, call: RelayCall, revision: int = 1) -> Accepted:
    """The master's receipt as the relay shows it."""
    lease = up.claim_one()
    up.database.write(lambda conn: outbox.release_leases(conn, up.now, [lease.lease]))
    assert lease.seq == call.seq
    return accepted(lease, revision)


def test_it_is_published_as_the_relay_says_that_the_master_has_it(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    first, second = two
    for call in two:
        kept(up, call.seq)
    other = handover(up, second.seq)
    assert settle_as(up, first, receipt(up, first, 7)) is State.PUBLISHED
    row = up.row(first.parcel.submission)
    assert (row.state, row.revision, row.in_doubt, row.attempts) == (State.PUBLISHED, 7, False, 2)
    assert [(one.number, one.worker, one.outcome) for one in up.attempts(row.id)] == [
        (1, RELAY, "unknown"),
        (2, RELAY, "accepted"),
    ]
    assert [one.duration_s for one in up.attempts(row.id)] == [0, 0], "nothing was sent from here"
    assert handover(up, first.seq).due_at is None
    assert handover(up, second.seq) == other
    row = up.row(second.parcel.submission)
    assert (row.state, row.attempts, len(up.attempts(row.id))) == (State.QUEUED, 1, 1)


@pytest.mark.parametrize("same_rows", [False, True])
def test_a_conflict_that_the_relay_met_is_one_here_where_the_rows_differ(
    up: StoreNode, two: tuple[RelayCall, RelayCall], same_rows: bool
) -> None:
    becomes = State.PUBLISHED if same_rows else State.CONFLICT
    assert settle_as(up, two[0], moved("another", 3), same_rows) is becomes
    row = up.row(two[0].parcel.submission)
    assert (row.state, row.published_as) == (becomes, "another" if same_rows else None)
    assert row.conflict_head == (None if same_rows else "another")


def test_nothing_is_settled_by_a_relay_while_a_worker_sends_it_or_an_older_version_waits(
    up: StoreNode, two: tuple[RelayCall, RelayCall]
) -> None:
    first, _ = two
    outcome = receipt(up, first)
    kept(up, first.seq)
    later = up.accept(rows=4, corrects=first.parcel.submission).id
    ((behind,), _) = begin(up)
    assert behind.parcel.submission == later
    assert settle_as(up, behind, outcome) is None
    lease = up.claim_one()
    assert settle_as(up, first, outcome) is None
    assert up.row(first.parcel.submission).lease == lease.lease
    assert up.state(later) is State.QUEUED
    assert handover(up, first.seq).due_at is not None
