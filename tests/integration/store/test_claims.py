"""What a turn may take: in order, fairly, within the window, and nothing that somebody or the master holds back."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from resultsq.delivery import sender
from resultsq.domain.link import REFUSED_WAIT_S
from resultsq.domain.outcome import Cause, Deferred, Exchange, Outcome, Scope, Unauthorised
from resultsq.domain.settlement import Settlement
from resultsq.store.engine.tables import Link, Submission
from resultsq.store.outbox import Lease, links, refusals
from tests.support.nodes import CEILING, StoreNode, accepted, lost, moved, rejected

UNAUTHORISED = Unauthorised(Scope.DESTINATION, "No.", Exchange(status=401))
FORBIDDEN = Unauthorised(Scope.EVENT, "No.", Exchange(status=403))


def open_window(node: StoreNode, size: int = CEILING) -> None:
    """As after a while without trouble."""
    opened = {"window": size, "opened_at": node.now - timedelta(minutes=5)}
    node.database.write(lambda conn: conn.execute(update(Link).values(**opened)))


def seqs(leases: Sequence[Lease]) -> list[int]:
    return [lease.seq for lease in leases]


def every_seq(node: StoreNode) -> list[int]:
    with node.database.read() as conn:
        return list(conn.execute(select(Submission.seq).order_by(Submission.seq)).scalars())


def probe_is_due(node: StoreNode) -> bool:
    with node.database.read() as conn:
        return links.look(conn, node.now, "w1").probe_due


def answered(lease: Lease) -> Settlement:
    return sender.settlement(lease, accepted(lease), 0.1, 0.5)


@pytest.fixture
def wide(up: StoreNode) -> StoreNode:
    """A node whose link is up and whose window is wide open."""
    open_window(up)
    return up


def test_nothing_is_taken_before_the_first_probe_has_spoken(node: StoreNode) -> None:
    node.accept()
    assert not node.claim()
    node.probe()
    assert len(node.claim()) == 1


@pytest.mark.parametrize("cause", [Cause.REFUSED, Cause.MASTER_DOWN, Cause.NOT_OUR_MASTER])
def test_nothing_is_taken_while_the_link_is_down(up: StoreNode, cause: Cause) -> None:
    up.accept()
    up.probe(cause)
    assert not up.claim()
    up.probe()
    assert len(up.claim()) == 1


@pytest.mark.parametrize("cause", [Cause.RESET, Cause.TIMEOUT, Cause.REFUSED, Cause.TLS])
def test_nothing_is_taken_after_a_call_met_trouble_until_a_probe_has_spoken(wide: StoreNode, cause: Cause) -> None:
    wide.accept_many(3)
    wide.try_one(lost(cause))
    assert not wide.claim()
    assert wide.link().suspect
    wide.probe()
    assert wide.claim()


def test_the_master_being_busy_stops_nobody_else(wide: StoreNode) -> None:
    wide.accept_many(3)
    wide.try_one(Deferred(Cause.BUSY, "429", in_doubt=True))
    assert len(wide.claim()) == 2


def test_one_goes_a_second_when_the_master_refuses_even_a_single_one_though_its_probe_is_good(wide: StoreNode) -> None:
    open_window(wide, 1)
    wide.accept_many(10)
    for _ in range(3):
        wide.try_one(Deferred(Cause.MASTER_DOWN, "503", in_doubt=True))
        wide.pass_time(0.9)
        assert not probe_is_due(wide)
        assert not wide.claim()
        wide.pass_time(0.1)
        assert probe_is_due(wide)
        wide.probe()
    wide.publish_one()
    assert wide.claim(), "one that is taken is followed at once"


def test_a_silent_call_that_was_given_up_stops_nobody_for_a_newer_connection_worked(wide: StoreNode) -> None:
    wide.accept_many(3)
    given_up = wide.try_one(lost(Cause.SILENT))
    assert not wide.link().suspect
    row = wide.row(given_up.submission)
    assert (row.next_attempt_at, row.wait_s) == (None, 0)
    assert given_up.submission in {lease.submission for lease in wide.claim()}, "it is repeated at once"


def test_what_waits_is_taken_in_the_order_of_acceptance(wide: StoreNode) -> None:
    wide.accept_many(20)
    for start in range(0, 20, 5):
        taken = wide.claim(free=5)
        assert seqs(taken) == every_seq(wide)[start : start + 5]
        wide.turn(*map(answered, taken), free=0)


def test_one_new_is_taken_for_one_old_when_thousands_wait_from_before_the_return(up: StoreNode) -> None:
    up.accept_many(40)
    up.probe(Cause.REFUSED)
    up.probe()
    up.accept_many(10, "richmond")
    old, new = every_seq(up)[:40], every_seq(up)[40:]
    open_window(up)
    first = seqs(up.claim())
    assert [seq for seq in first if seq in old] == old[:4]
    assert [seq for seq in first if seq in new] == new[:4]


def test_old_and_new_take_turns_when_there_is_room_for_one_only(up: StoreNode) -> None:
    up.accept_many(10)
    up.probe(Cause.REFUSED)
    up.probe()
    up.accept_many(10, "richmond")
    new = set(every_seq(up)[10:])
    taken = [up.publish_one().seq in new for _ in range(10)]
    assert sum(taken) in (4, 5, 6)


def test_all_the_room_is_used_when_only_one_kind_waits(wide: StoreNode) -> None:
    wide.accept_many(20)
    assert len(wide.claim()) == CEILING


def test_what_was_put_off_comes_back_when_its_time_has_come(wide: StoreNode) -> None:
    wide.accept()
    wide.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=120))
    wide.pass_time(119.9)
    assert not wide.claim()
    wide.pass_time(0.2)
    assert len(wide.claim()) == 1


def test_what_was_put_off_does_not_starve_behind_thousands(wide: StoreNode) -> None:
    wide.accept()
    late = wide.try_one(Deferred(Cause.BUSY, "Later.", True, retry_after_s=5))
    wide.accept_many(50, "richmond")
    wide.pass_time(6)
    assert late.submission in {lease.submission for lease in wide.claim(free=2)}


def test_no_number_of_attempts_ends_anything(wide: StoreNode) -> None:
    first = wide.accept()
    wide.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE submissions SET attempts = 1000000, failures = 1000000")
    )
    lease = wide.try_one(Deferred(Cause.MASTER_DOWN, "503", True), jitter=0.999)
    assert lease.attempt == 1_000_001
    assert wide.row(first.id).wait_s <= 60
    wide.pass_time(60)
    assert wide.publish_one().submission == first.id


# the window


def test_the_window_holds_across_workers(wide: StoreNode) -> None:
    wide.accept_many(40)
    taken = [len(wide.claim(f"w{n}", free=3)) for n in range(5)]
    assert taken == [3, 3, 2, 0, 0]


def test_two_go_at_once_in_the_first_second_after_a_return_however_fast_they_are_answered(up: StoreNode) -> None:
    up.accept_many(40)
    up.probe(Cause.REFUSED)
    up.probe()
    leases = list(up.claim("w1", free=1)) + list(up.claim("w2"))
    for _ in range(9):
        assert len(leases) == 2
        assert not up.claim("w3")
        up.pass_time(0.1)
        leases = list(up.turn(*map(answered, leases)).leases)
    up.pass_time(0.2)
    for lease in leases:
        up.settle(lease, accepted(lease))
    assert len(up.claim()) == 3


@pytest.mark.parametrize("cause", [Cause.BUSY, Cause.MASTER_DOWN, Cause.TIMEOUT])
def test_the_window_is_halved_when_the_master_is_in_trouble(wide: StoreNode, cause: Cause) -> None:
    wide.accept_many(10)
    wide.try_one(Deferred(cause, "Too much.", True))
    assert wide.link().window == CEILING // 2


def test_a_call_from_before_the_return_says_nothing_of_the_link_when_it_ends(up: StoreNode) -> None:
    up.accept_many(10)
    lease = up.claim_one()
    up.pass_time(20)
    up.probe(Cause.TIMEOUT)
    up.pass_time(1)
    up.probe()
    late = sender.settlement(lease, lost(Cause.TIMEOUT), 21.0, 0.5)
    assert len(up.turn(late).leases) == 2, "neither suspected nor halved"


# holds


def test_nothing_is_taken_while_somebody_holds_the_destination(wide: StoreNode) -> None:
    wide.accept()
    hold = wide.hold()
    assert not wide.claim()
    wide.release(hold)
    assert len(wide.claim()) == 1


def test_only_the_held_events_submissions_wait(wide: StoreNode) -> None:
    held, other = wide.accept().id, wide.accept("richmond").id
    hold = wide.hold("bushy")
    assert [lease.submission for lease in wide.claim()] == [other]
    wide.release(hold)
    assert [lease.submission for lease in wide.claim()] == [held]


def test_only_the_held_submission_waits(wide: StoreNode) -> None:
    held, other = wide.accept().id, wide.accept(date="2013-12-14").id
    wide.act("hold", held)
    assert [lease.submission for lease in wide.claim()] == [other]
    wide.act("release", held)
    assert [lease.submission for lease in wide.claim()] == [held]


@pytest.mark.parametrize("event", [None, "bushy"])
def test_a_hold_ends_by_itself_when_its_time_has_come(wide: StoreNode, event: str | None) -> None:
    wide.accept()
    wide.hold(event, release_at=wide.now + timedelta(minutes=5))
    wide.pass_time(299.999)
    assert not wide.claim()
    wide.pass_time(0.001)
    assert len(wide.claim()) == 1


def test_held_ones_at_the_front_do_not_keep_the_others_back(wide: StoreNode) -> None:
    wide.accept_many(30)
    other = wide.accept("richmond").id
    wide.hold("bushy")
    assert [lease.submission for lease in wide.claim()] == [other]


# refused credentials


def test_one_is_tried_a_minute_when_the_master_refuses_our_credentials(wide: StoreNode) -> None:
    wide.accept_many(10)
    wide.try_one(UNAUTHORISED)
    tried = []
    for _ in range(240):
        wide.pass_time(1)
        taken = wide.claim()
        tried.append(len(taken))
        for lease in taken:
            wide.settle(lease, UNAUTHORISED)
    assert sum(tried) == 4
    assert max(tried) == 1


def test_everything_goes_on_when_the_credentials_are_good_again(wide: StoreNode) -> None:
    wide.accept_many(10)
    first = wide.try_one(UNAUTHORISED)
    assert (wide.row(first.submission).failures, wide.row(first.submission).next_attempt_at) == (0, None)
    wide.pass_time(REFUSED_WAIT_S + 1)
    lease = wide.claim_one()
    assert lease.submission == first.submission, "it kept its place"
    wide.settle(lease, accepted(lease))
    assert wide.link().refused_at is None
    assert len(wide.claim()) == CEILING


def test_no_second_one_is_tried_while_the_first_is_still_on_its_way(wide: StoreNode) -> None:
    wide.accept_many(10)
    wide.try_one(UNAUTHORISED)
    wide.pass_time(REFUSED_WAIT_S + 1)
    assert len(wide.claim()) == 1
    wide.pass_time(10)
    assert not wide.claim()


def note_credentials(node: StoreNode, fingerprint: str) -> None:
    node.database.write(lambda conn: links.credentials_changed(conn, fingerprint))


@pytest.mark.parametrize("refusal", [UNAUTHORISED, FORBIDDEN])
def test_it_is_tried_at_once_when_the_credentials_were_changed(wide: StoreNode, refusal: Unauthorised) -> None:
    note_credentials(wide, "old")
    wide.accept_many(10)
    wide.try_one(refusal)
    assert not wide.claim()
    note_credentials(wide, "old")
    assert not wide.claim(), "a worker that starts with the same ones changes nothing"
    note_credentials(wide, "new")
    assert wide.claim()


def test_one_of_a_refused_event_is_tried_a_minute_and_the_others_go_on(wide: StoreNode) -> None:
    wide.accept_many(10)
    wide.try_one(FORBIDDEN)
    tried = []
    for n in range(180):
        wide.pass_time(1)
        other = wide.accept("richmond", date=f"2{n:03}-01-01").id
        taken = [*wide.claim(), *wide.claim()]  # the refused event's others may fill the first one's view
        assert other in {lease.submission for lease in taken}
        tried.append(sum(lease.event == "bushy" for lease in taken))
        for lease in taken:
            wide.settle(lease, FORBIDDEN if lease.event == "bushy" else accepted(lease))
    assert sum(tried) in (2, 3)
    assert max(tried) == 1


@pytest.mark.parametrize("refusal", [UNAUTHORISED, FORBIDDEN])
def test_a_minute_after_a_refusal_is_neither_early_nor_late(wide: StoreNode, refusal: Unauthorised) -> None:
    wide.accept_many(3)
    wide.try_one(refusal)
    wide.pass_time(REFUSED_WAIT_S - 0.001)
    assert not wide.claim()
    wide.pass_time(0.001)
    assert len(wide.claim()) == 1


@pytest.mark.parametrize("welcome", ["accepted", "rejected", "conflict"])
def test_a_refused_event_goes_on_when_the_master_takes_its_word_again(wide: StoreNode, welcome: str) -> None:
    wide.accept_many(10)
    wide.try_one(FORBIDDEN)
    wide.pass_time(REFUSED_WAIT_S + 1)
    lease = wide.claim_one()
    assert not wide.claim()
    answers: dict[str, Outcome] = {"accepted": accepted(lease), "rejected": rejected(), "conflict": moved(None)}
    wide.settle(lease, answers[welcome])
    with wide.database.read() as conn:
        assert not refusals.is_refused(conn, "results", wide.events["bushy"])
    assert len(wide.claim()) == CEILING


def test_the_destination_is_welcome_again_when_only_the_event_is_refused(wide: StoreNode) -> None:
    wide.accept_many(10)
    wide.accept_many(10, "richmond")
    wide.try_one(UNAUTHORISED)
    wide.pass_time(REFUSED_WAIT_S + 1)
    wide.try_one(FORBIDDEN)
    assert {lease.event for lease in wide.claim()} == {"richmond"}
