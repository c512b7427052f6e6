"""The link's bookkeeping: what a probe changes, who probes, and the row that each outage is."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from resultsq.delivery.masters import answers
from resultsq.delivery.masters.answers import Answer
from resultsq.domain.link import HEARD_S, LinkState, opening
from resultsq.domain.outcome import Cause, Deferred, Scope, Unauthorised
from resultsq.domain.ports import ProbeAnswer
from resultsq.store.engine.tables import MAIL, MASTER, Link
from resultsq.store.outbox import links, prober_turns
from resultsq.store.outbox.links import PROBER_LEASE_S, LinkAtRest
from resultsq.store.outbox.prober_turns import HeardAgain, ProberTurn
from tests.support.nodes import CEILING, StoreNode, accepted, lost


def look(node: StoreNode, worker: str = "w1") -> links.LinkSnapshot:
    with node.database.read() as conn:
        return links.look(conn, node.now, worker)


def take_prober(node: StoreNode, worker: str) -> bool:
    return node.database.write(lambda conn: links.take_prober(conn, node.now, worker)).mine


def test_a_probe_is_due_at_once_when_the_node_is_new(node: StoreNode) -> None:
    seen = look(node)
    assert (seen.state, seen.suspect, seen.probe_due, seen.probes, seen.ok_probe) == (LinkState.UP, True, True, 0, 0)
    node.database.write(lambda conn: links.ensure(conn, node.now, 3))
    assert node.link().window == 2, "a worker that starts later changes nothing"
    assert links.window(node.link()) == opening(CEILING), "a window at its opening, of which nothing was answered"


def test_a_probe_is_due_at_once_when_the_row_names_no_time(up: StoreNode) -> None:
    up.database.write(lambda conn: conn.execute(update(Link).values(next_probe_at=None)))
    seen = look(up)
    assert (seen.probe_due, seen.probe_in_s) == (True, 0)


def test_the_first_good_probe_clears_the_way_and_is_no_outage(node: StoreNode) -> None:
    change = node.probe()
    assert change == links.LinkChange(LinkState.UP)
    assert not node.link().suspect
    assert not node.outages()


def test_an_outage_is_a_row_from_its_first_sign_to_its_end(up: StoreNode) -> None:
    up.accept_many(3)
    up.try_one(lost())
    began = up.now
    up.pass_time(3)
    assert up.probe(Cause.REFUSED).lost
    for _ in range(9):
        up.pass_time(1)
        assert up.probe(Cause.REFUSED) == links.LinkChange(LinkState.DOWN)
    up.accept_many(2, "richmond")
    up.pass_time(1)
    assert up.probe() == links.LinkChange(LinkState.UP, returned=True)
    (outage,) = up.outages()
    assert (outage.began_at, outage.ended_at, outage.cause) == (began, up.now, Cause.REFUSED)
    assert (outage.probes, outage.delayed, outage.last_seq) == (11, 5, up.link().return_seq)


def test_an_outage_that_only_a_probe_noticed_begins_with_it(up: StoreNode) -> None:
    up.probe(Cause.DNS)
    (outage,) = up.outages()
    assert (outage.began_at, outage.ended_at, outage.cause, outage.probes) == (up.now, None, Cause.DNS, 1)


def turn(node: StoreNode, heard: HeardAgain | None = None, worker: str = "w1") -> ProberTurn:
    return node.database.write(lambda conn: prober_turns.take_turn(conn, node.now, worker, heard, True, CEILING, 0.5))


def heard(number: int, cause: Cause | None, detail: str = "refused") -> HeardAgain:
    return HeardAgain(number, ProbeAnswer(cause, detail, 0.01))


def test_a_probers_turn_keeps_its_lease_counts_its_probe_and_notes_when_the_link_was_heard(up: StoreNode) -> None:
    take_prober(up, "w1")
    up.probe(Cause.REFUSED)
    detail, probes = up.link().detail, up.link().probes
    up.pass_time(PROBER_LEASE_S - 1)
    first = turn(up, heard(probes, Cause.REFUSED, detail))
    assert (first.number, first.change) == (probes + 1, None)
    assert (up.link().probed_at, up.link().probes, up.outages()[0].probes) == (up.now, probes + 1, 2)
    assert turn(up).number is None, "the next one is due in a second"
    up.pass_time(PROBER_LEASE_S - 1)
    assert not take_prober(up, "w2"), "the turn has kept the lease"
    assert turn(up, worker="w2").number is None
    assert turn(up).number == probes + 2


def test_an_answer_that_says_something_else_after_all_is_written_down_with_the_next_turn(up: StoreNode) -> None:
    take_prober(up, "w1")
    up.probe(Cause.REFUSED)
    turn(up, heard(up.start_probe(), Cause.DNS, "no name"))
    assert (up.link().cause, up.link().detail) == (Cause.DNS, "no name")
    number = up.start_probe()
    up.probe()
    assert turn(up, heard(number, Cause.DNS, "no name")).change == links.LinkChange(LinkState.UP), "it is old news"
    newer = turn(up, heard(up.start_probe(), Cause.DNS, "no name"))
    assert newer.change is not None
    assert newer.change.lost
    assert up.link().state == LinkState.DOWN


def test_a_time_to_wait_that_comes_with_the_same_words_is_kept(up: StoreNode) -> None:
    take_prober(up, "w1")
    up.probe(Cause.MASTER_DOWN)
    answer = ProbeAnswer(Cause.MASTER_DOWN, up.link().detail, 0.01, retry_after_s=60.0)
    turn(up, HeardAgain(up.start_probe(), answer))
    up.pass_time(59)
    assert turn(up).number is None
    up.pass_time(1)
    assert turn(up).number is not None


def test_a_prober_that_may_start_no_more_keeps_its_lease_and_starts_none(up: StoreNode) -> None:
    take_prober(up, "w1")
    up.probe(Cause.REFUSED)
    before = up.link()
    up.pass_time(PROBER_LEASE_S - 1)
    took = up.database.write(lambda conn: prober_turns.take_turn(conn, up.now, "w1", None, False, CEILING, 0.5))
    assert (took.number, took.change) == (None, None)
    after = up.link()
    kept = ("probes", "next_probe_at", "probe_wait_s", "probed_at", "probe_s", "newest_at")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert up.outages()[0].probes == 1
    up.pass_time(PROBER_LEASE_S - 1)
    assert not take_prober(up, "w2")
    assert look(up).probe_due


def test_a_second_outage_is_a_second_row(up: StoreNode) -> None:
    for cause in (Cause.REFUSED, Cause.MASTER_DOWN):
        up.probe(cause)
        up.pass_time(5)
        up.probe()
    assert [one.cause for one in up.outages()] == [Cause.REFUSED, Cause.MASTER_DOWN]
    assert all(one.ended_at is not None for one in up.outages())
    assert [one.probes for one in up.outages()] == [2, 2], "each has its own"


def test_one_outage_goes_on_when_its_cause_changes(up: StoreNode) -> None:
    up.probe(Cause.REFUSED)
    up.pass_time(1)
    change = up.probe(Cause.NOT_OUR_MASTER)
    assert change == links.LinkChange(LinkState.NOT_OUR_MASTER)
    assert (up.link().since, up.link().cause) == (up.now, Cause.NOT_OUR_MASTER)
    assert len(up.outages()) == 1


def test_one_dropped_connection_is_no_outage(up: StoreNode) -> None:
    up.accept()
    up.try_one(lost(Cause.RESET))
    assert look(up).probe_due
    up.probe()
    assert up.link().state == LinkState.UP
    assert not up.outages()


@pytest.mark.parametrize(
    ("cause", "waits"), [(None, 30.0), (Cause.REFUSED, 1.0), (Cause.NOT_OUR_MASTER, 1.0), (Cause.MASTER_DOWN, 8.0)]
)
def test_the_next_probe_is_due_at_the_pace_of_the_state(up: StoreNode, cause: Cause | None, waits: float) -> None:
    up.probe(cause)
    assert look(up).probe_in_s == pytest.approx(waits, abs=0.02)
    up.pass_time(waits - 0.1)
    assert not look(up).probe_due
    up.pass_time(0.2)
    assert look(up).probe_due


def test_a_probe_is_started_each_second_while_the_ones_before_are_still_out(up: StoreNode) -> None:
    up.probe(Cause.TIMEOUT)
    started = 0
    for _ in range(50):
        up.pass_time(0.1)
        if look(up).probe_due:
            started += 1
            up.start_probe()
    assert started == 5


@pytest.mark.parametrize(("said", "waits"), [(120.0, 120.0), (86_400.0, 3_600.0), (0.0, 1.0)])
def test_the_masters_retry_after_on_the_probe_binds_the_destination(up: StoreNode, said: float, waits: float) -> None:
    up.probe(Cause.MASTER_DOWN, retry_after_s=said)
    up.pass_time(waits - 0.5)
    assert not look(up).probe_due
    up.pass_time(0.6)
    assert look(up).probe_due


def test_a_probe_is_due_within_seconds_when_a_proxys_page_asks_for_an_hour(up: StoreNode) -> None:
    page = Answer(503, {"content-type": "text/html", "retry-after": "3600"}, b"<h1>Back soon</h1>")
    trouble = answers.of_probe(page, up.now)
    assert trouble is not None
    up.probe(trouble.cause, retry_after_s=trouble.retry_after_s)
    up.pass_time(15.1)
    assert look(up).probe_due


def test_the_first_good_answer_wins_whatever_older_probes_say_later(up: StoreNode) -> None:
    up.probe(Cause.TIMEOUT)
    older, newer = up.start_probe(), up.start_probe()
    assert up.probe_answered(newer).returned
    assert up.probe_answered(older, Cause.TIMEOUT) == links.LinkChange(LinkState.UP)
    assert up.link().state == LinkState.UP


def test_an_older_probes_good_answer_opens_the_link_too(up: StoreNode) -> None:
    up.probe(Cause.TIMEOUT)
    older = up.start_probe()
    up.probe(Cause.TIMEOUT)
    assert up.probe_answered(older).returned


def test_a_good_answer_clears_no_suspicion_that_is_younger_than_its_probe(up: StoreNode) -> None:
    up.accept_many(2)
    number = up.start_probe()
    up.pass_time(0.5)
    up.try_one(lost())
    up.pass_time(0.5)
    up.probe_answered(number, duration_s=1.0)
    assert look(up).suspect
    assert look(up).probe_due
    assert not up.claim()
    up.probe()
    assert up.claim()


def test_a_worker_can_tell_that_a_probe_was_started_after_it_asked(up: StoreNode) -> None:
    before = up.start_probe()
    noted = up.database.write(lambda conn: links.suspect(conn, up.now))
    up.probe_answered(before)
    assert not look(up).ok_probe > noted
    up.probe()
    assert look(up).ok_probe > noted


def test_what_waits_for_the_link_or_its_back_off_goes_at_its_return_and_the_masters_word_is_kept(up: StoreNode) -> None:
    up.accept_many(3)
    by_link, by_trouble, by_word = up.claim(free=1)[0], up.claim(free=1)[0], None
    up.settle(by_link, lost(), jitter=0.9)
    up.settle(by_trouble, Deferred(Cause.MASTER_DOWN, "500", True), jitter=0.9)
    up.probe()
    by_word = up.claim_one()
    up.settle(by_word, Deferred(Cause.BUSY, "429", True, retry_after_s=600))
    up.probe(Cause.MASTER_DOWN)
    up.probe()
    taken = {lease.submission for lease in up.claim()}
    assert taken == {by_link.submission, by_trouble.submission}
    assert up.row(by_word.submission).next_attempt_at is not None
    assert up.row(by_trouble.submission).failures == 0, "the next back-off begins anew"


def test_a_return_opens_the_window_at_two_again(up: StoreNode) -> None:
    up.accept_many(60)
    for _ in range(8):
        up.pass_time(2)
        for lease in up.claim():
            up.settle(lease, accepted(lease))
    assert up.link().window > 4
    up.probe(Cause.REFUSED)
    up.pass_time(100)
    up.probe()
    assert len(up.claim()) == 2
    assert len(up.claim()) == 0


def test_the_masters_clock_is_noted_when_the_probe_tells_it(up: StoreNode) -> None:
    up.probe(master_time_offset_s=-12.5)
    assert up.link().clock_offset_s == -12.5
    up.probe()
    assert up.link().clock_offset_s == -12.5
    up.probe(Cause.NOT_OUR_MASTER, master_time_offset_s=99.0)
    assert up.link().clock_offset_s == -12.5, "another's word is not the master's"


# what is asked about the link


def is_up(node: StoreNode, name: str = MASTER) -> bool:
    with node.database.read() as conn:
        return links.is_up(conn, name)


def test_each_link_is_up_or_not_for_itself(up: StoreNode) -> None:
    up.database.write(lambda conn: links.ensure(conn, up.now, CEILING, MAIL))
    assert (is_up(up), is_up(up, MAIL)) == (True, True)
    up.probe(Cause.REFUSED)
    assert (is_up(up), is_up(up, MAIL)) == (False, True)


def test_people_are_told_since_when_the_link_is_as_it_is_and_why(up: StoreNode) -> None:
    def told() -> links.LinkFacts | None:
        with up.database.read() as conn:
            return links.facts(conn)

    up.pass_time(60)
    up.probe(Cause.DNS)
    found = told()
    assert found is not None
    assert (found.state, found.since, found.cause) == (LinkState.DOWN, up.now, Cause.DNS)
    assert (found.refused_at, found.takes_nothing_since) == (None, None)
    up.database.write(lambda conn: conn.execute(delete(Link)))
    assert told() is None, "no worker has run"


def test_people_are_told_since_when_the_master_takes_nothing(up: StoreNode) -> None:
    up.accept_many(3)
    began = up.stall()
    with up.database.read() as conn:
        found = links.facts(conn)
    assert found is not None
    assert found.state is LinkState.UP
    assert found.takes_nothing_since is not None
    assert began <= found.takes_nothing_since < up.now


def askable(node: StoreNode) -> tuple[bool, bool]:
    with node.database.read() as conn:
        return links.askable(conn, node.now)


def ask(node: StoreNode) -> bool:
    """Ask for a probe; whether that changed when the next one is due."""
    before = node.link().next_probe_at
    node.database.write(lambda conn: links.ask_for_probe(conn, node.now))
    return bool(node.link().next_probe_at != before)


def test_a_page_may_ask_for_a_probe_where_a_worker_probes_and_none_was_started_just_now(up: StoreNode) -> None:
    up.pass_time(HEARD_S)
    assert askable(up) == (False, False), "nobody probes"
    take_prober(up, "w1")
    assert askable(up) == (True, True)
    assert ask(up)
    assert look(up).probe_due
    assert askable(up) == (True, False), "it is due"
    assert not ask(up)
    up.pass_time(HEARD_S)
    take_prober(up, "w1")
    assert askable(up) == (True, False), "and stays so until it is started"
    up.probe()
    assert askable(up) == (True, False), "it was just heard"
    assert not ask(up)
    up.pass_time(HEARD_S - 0.1)
    take_prober(up, "w1")
    assert askable(up) == (True, False)
    up.pass_time(0.1)
    assert askable(up) == (True, True)
    up.pass_time(PROBER_LEASE_S)
    assert askable(up) == (False, False), "the worker says nothing any more"


def test_no_page_asks_for_a_probe_of_a_link_that_is_not_up(up: StoreNode) -> None:
    up.database.write(lambda conn: links.ensure(conn, up.now, CEILING, MAIL))
    up.probe(Cause.MASTER_DOWN)
    take_prober(up, "w1")
    up.pass_time(HEARD_S + 1)
    take_prober(up, "w1")
    assert not look(up).probe_due
    assert askable(up) == (True, False)
    assert not ask(up), "it is probed often enough, and as the master asked"


def at_rest(node: StoreNode) -> LinkAtRest | None:
    with node.database.read() as conn:
        return links.at_rest(conn, node.now)


def test_other_work_waits_while_results_wait_or_are_on_their_way(up: StoreNode) -> None:
    assert at_rest(up) == LinkAtRest(None, False)
    up.accept()
    assert at_rest(up) == LinkAtRest(None, True)
    lease = up.claim_one()
    assert at_rest(up) == LinkAtRest(None, True), "it is being sent"
    up.settle(lease, Deferred(Cause.BUSY, "429", False, retry_after_s=60))
    assert at_rest(up) == LinkAtRest(None, False), "the master has asked for a pause"
    up.pass_time(61)
    assert at_rest(up) == LinkAtRest(None, True)
    up.probe(Cause.REFUSED)
    up.probe()
    assert at_rest(up) == LinkAtRest(up.now, True), "from before the return"


@pytest.mark.parametrize("why", ["new", "suspect", "down", "refused", "gone"])
def test_no_other_work_uses_a_link_that_cannot_be_used(node: StoreNode, why: str) -> None:
    if why != "new":
        node.probe()
        node.accept()
        assert at_rest(node) is not None
    if why == "suspect":
        node.database.write(lambda conn: links.suspect(conn, node.now))
    elif why == "down":
        node.probe(Cause.REFUSED)
    elif why == "refused":
        node.try_one(Unauthorised(Scope.DESTINATION, "No."))
    elif why == "gone":
        node.database.write(lambda conn: conn.execute(delete(Link)))
    assert at_rest(node) is None


def test_what_is_in_force_is_told_apart_from_what_was_changed(up: StoreNode) -> None:
    def noted(fingerprint: str, name: str = MASTER) -> bool:
        return up.database.write(lambda conn: links.credentials_changed(conn, fingerprint, name))

    up.database.write(lambda conn: links.ensure(conn, up.now, CEILING, MAIL))
    assert [noted(one) for one in ("old", "old", "new", "new")] == [False, False, True, False]
    up.accept()
    up.try_one(Unauthorised(Scope.EVENT, "No."))
    assert not noted("another", MAIL), "the first of the mail server's"
    assert up.claim() == [], "the master's refusals are not the mail server's"


def test_a_second_sign_of_trouble_changes_nothing(up: StoreNode) -> None:
    def suspect() -> int:
        return up.database.write(lambda conn: links.suspect(conn, up.now))

    assert suspect() == up.link().probes
    before = up.link()
    assert (before.suspect, before.suspect_at) == (True, up.now)
    assert look(up).probe_due, "at once"
    up.pass_time(1)
    suspect()
    assert up.link() == before
    up.probe(Cause.REFUSED)
    before = up.link()
    suspect()
    assert up.link() == before, "a link that is down is no longer suspect"


def test_each_probe_has_its_number_and_a_good_one_counts_even_if_a_newer_one_was_better(up: StoreNode) -> None:
    older, newer = up.start_probe(), up.start_probe()
    assert newer == older + 1
    up.probe_answered(newer)
    up.probe_answered(older)
    assert (look(up).probes, look(up).ok_probe) == (newer, newer)


# who probes


def test_one_worker_probes_and_stays_it_while_it_says_so(up: StoreNode) -> None:
    assert take_prober(up, "w1")
    for _ in range(20):
        up.pass_time(PROBER_LEASE_S / 3)
        assert not take_prober(up, "w2")
        assert take_prober(up, "w1")
    assert look(up, "w1").mine
    assert not look(up, "w2").mine


def test_another_worker_probes_when_the_prober_says_nothing_any_more(up: StoreNode) -> None:
    take_prober(up, "w1")

    def is_free(worker: str) -> bool:
        with up.database.read() as conn:
            return links.prober_is_free(conn, up.now, worker)

    assert (is_free("w1"), is_free("w2")) == (True, False)
    up.pass_time(PROBER_LEASE_S + 0.1)
    assert is_free("w2")
    assert take_prober(up, "w2")
    assert not take_prober(up, "w1")


def test_another_worker_probes_at_once_when_the_prober_has_stopped(up: StoreNode) -> None:
    take_prober(up, "w1")
    up.database.write(lambda conn: links.drop_prober(conn, "w2"))
    assert not take_prober(up, "w2"), "only its own is handed back"
    up.database.write(lambda conn: links.drop_prober(conn, "w1"))
    assert take_prober(up, "w2")


def test_an_outage_of_a_week_ends_as_one_of_two_minutes(up: StoreNode) -> None:
    for length in (timedelta(minutes=2), timedelta(days=7)):
        up.accept_many(5, first=up.count())
        up.probe(Cause.UNREACHABLE)
        up.pass_time(length.total_seconds())
        assert look(up).probe_due
        up.probe()
        taken = up.claim()
        assert len(taken) == 2
        for lease in taken:
            up.settle(lease, accepted(lease))
    assert [one.ended_at - one.began_at >= timedelta(minutes=2) for one in up.outages()] == [True, True]
