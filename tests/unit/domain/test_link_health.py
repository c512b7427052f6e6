"""The link's health, judged by the attempts that ended: a table of ends, and what each changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resultsq.domain.link import PROBE_DOWN_S, REFUSED_WAIT_S, STALLED_AFTER, STALLING, TRIAL_S, LinkState, Window
from resultsq.domain.link_health import UNLIMITED, Judgement, LinkHealth, OutageStart, judge
from resultsq.domain.outcome import Accepted, Cause, Conflict, Deferred, Outcome, Receipt, Rejected, Scope, Unauthorised
from resultsq.domain.settlement import Settlement

NOW = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)
CEILING = 8
LONG_OPEN = NOW - timedelta(minutes=5)
WELL = LinkHealth(LinkState.UP, Window(CEILING, opened_at=LONG_OPEN), returned_at=NOW - timedelta(hours=1))
ACCEPTED = Accepted(Receipt(submission="id", digest="d", received_at=NOW))
REJECTED, CONFLICT = Rejected("invalid-sheet", "No."), Conflict(None, None)
NO_TOKEN, NO_EVENT = Unauthorised(Scope.DESTINATION, "No."), Unauthorised(Scope.EVENT, "No.")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def failed(cause: Cause) -> Deferred:
    return Deferred(cause, "Why.", in_doubt=True)


def judged(before: LinkHealth, *outcomes: Outcome, duration_s: float = 0.1) -> Judgement:
    """Each outcome is another submission's."""
    ends = [Settlement(f"lease-{seq}", seq, duration_s, outcome) for seq, outcome in enumerate(outcomes, 1)]
    return judge(before, NOW, ends, CEILING)


HALVED = {"window": Window(CEILING // 2, opened_at=LONG_OPEN)}
COUNTED = {"failures": 1, "failed_seq": 1, "failing_since": NOW}
SUSPECT = {"suspect": True, "suspect_at": NOW}
WITH_ONE = {"window": Window(1, opened_at=LONG_OPEN)}
IN_TROUBLE: dict[str, Any] = {"failures": 2, "failed_seq": 9, "failing_since": ago(10)}
REFUSED = {"refused_at": ago(90), "refused_next_at": ago(30)}
ANSWERED = {"window": Window(CEILING, answered=1, opened_at=LONG_OPEN)}
CALM: dict[str, Any] = {"failures": 0, "failed_seq": 0, "failing_since": None, "trial_at": None}


@pytest.mark.parametrize(
    ("before", "outcome", "changed", "probe_in_s"),
    [
        # any answer to the submission itself is a good answer
        ({}, ACCEPTED, ANSWERED, None),
        ({}, REJECTED, ANSWERED, None),
        ({}, CONFLICT, ANSWERED, None),
        (IN_TROUBLE, REJECTED, ANSWERED | CALM, None),
        (REFUSED, ACCEPTED, ANSWERED | {"refused_at": None, "refused_next_at": None}, None),
        # the link's own trouble asks the prober at once, and only some of it halves the window
        ({}, failed(Cause.RESET), COUNTED | SUSPECT, 0.0),
        ({}, failed(Cause.NO_ANSWER), COUNTED | SUSPECT | HALVED, 0.0),
        ({"suspect": True, "suspect_at": ago(1)}, failed(Cause.RESET), COUNTED, None),
        ({"state": LinkState.DOWN}, failed(Cause.RESET), COUNTED, None),
        # a call that was given up for silence says that the master is slow, and no more
        ({}, failed(Cause.SILENT), HALVED, None),
        # the master's trouble halves the window; with a window of 1 it asks the prober too, a second later
        ({}, failed(Cause.MASTER_DOWN), COUNTED | HALVED, None),
        ({}, failed(Cause.DATABASE), COUNTED | HALVED, None),
        ({}, failed(Cause.BUSY), HALVED, None),
        (WITH_ONE, failed(Cause.BUSY), SUSPECT | WITH_ONE, PROBE_DOWN_S),
        (WITH_ONE, failed(Cause.MASTER_DOWN), COUNTED | SUSPECT | WITH_ONE, PROBE_DOWN_S),
        # a fault of ours says nothing of the link
        ({}, failed(Cause.SURPRISE), {}, None),
        # a sheet that fails by itself counts once
        (IN_TROUBLE | {"failed_seq": 1}, failed(Cause.MASTER_DOWN), HALVED, None),
        # refused credentials: since when stays; for one event only, they are good for the destination
        ({}, NO_TOKEN, {"refused_at": NOW, "refused_next_at": later(REFUSED_WAIT_S)}, None),
        (REFUSED, NO_TOKEN, {"refused_next_at": later(REFUSED_WAIT_S)}, None),
        ({}, NO_EVENT, {}, None),
        (REFUSED, NO_EVENT, {"refused_at": None, "refused_next_at": None}, None),
    ],
)
def test_one_end_changes_the_health_so(
    before: dict[str, Any], outcome: Outcome, changed: dict[str, Any], probe_in_s: float | None
) -> None:
    start = replace(WELL, **before)
    assert judged(start, outcome) == Judgement(replace(start, **changed), probe_in_s)


@pytest.mark.parametrize(
    ("before", "causes", "began"),
    [
        ({"failing_since": ago(10), "failures": STALLED_AFTER - 1}, [Cause.MASTER_DOWN], ago(10)),
        ({"failing_since": ago(3), "failures": STALLED_AFTER - 1}, [Cause.MASTER_DOWN], ago(3)),
        ({"failing_since": ago(10), "failures": 1}, [Cause.DATABASE, Cause.MASTER_DOWN], ago(10)),
        # the clock was set back since
        ({"failing_since": later(3600), "failures": STALLED_AFTER - 1}, [Cause.MASTER_DOWN], NOW),
        # too few, too short, of no cause that counts, or another outage is there
        ({"failing_since": ago(10), "failures": STALLED_AFTER - 2}, [Cause.MASTER_DOWN], None),
        ({"failing_since": ago(2.9), "failures": 50}, [Cause.MASTER_DOWN], None),
        ({}, [Cause.RESET] * CEILING, None),
        ({"failing_since": ago(10), "failures": 50}, [Cause.BUSY, Cause.SILENT, Cause.SURPRISE], None),
        ({"failing_since": ago(10), "failures": 50, "in_outage": True}, [Cause.MASTER_DOWN], None),
        ({"failing_since": ago(10), "failures": 50, "state": LinkState.DOWN}, [Cause.MASTER_DOWN], None),
    ],
)
def test_an_outage_begins_when_several_in_a_row_failed_for_some_seconds(
    before: dict[str, Any], causes: list[Cause], began: datetime | None
) -> None:
    found = judged(replace(WELL, **before), *map(failed, causes))
    assert found.outage == (None if began is None else OutageStart(began, "Why."))
    if began is not None:
        assert (found.health.takes_nothing, found.health.trial_at) == (True, NOW)


def test_the_first_good_answer_of_a_master_that_took_nothing_is_a_return() -> None:
    stalled = replace(WELL, **IN_TROUBLE, in_outage=True, trial_at=ago(1), epoch=4, round=17)
    found = judged(stalled, REJECTED)
    window = Window(2, opened_at=NOW)
    back = replace(stalled, **CALM, in_outage=False, returned_at=NOW, epoch=5, window=window)
    assert found == Judgement(back, returned=True)


def test_a_good_answer_while_the_link_is_down_is_no_return_because_only_a_probe_brings_it_back() -> None:
    down = replace(WELL, state=LinkState.DOWN, in_outage=True)
    found = judged(down, ACCEPTED)
    assert (found.returned, found.health.in_outage) == (False, True)


def test_an_outage_that_begins_and_ends_with_the_same_ends_is_written_with_both() -> None:
    found = judged(replace(WELL, **IN_TROUBLE), failed(Cause.MASTER_DOWN), ACCEPTED)
    assert found.outage == OutageStart(ago(10), "Why.")
    assert (found.returned, found.health.in_outage, found.health.failures) == (True, False, 0)


def test_an_attempt_from_before_the_return_says_nothing_of_the_link_now() -> None:
    back = replace(WELL, returned_at=ago(5))
    assert judged(back, failed(Cause.RESET), NO_TOKEN, ACCEPTED, duration_s=6) == Judgement(back)
    assert judged(back, failed(Cause.RESET), duration_s=4) != Judgement(back)
    assert judged(back, failed(Cause.RESET), duration_s=5) != Judgement(back), "it was sent as the link returned"


def test_a_link_of_which_nothing_was_heard_counts_from_nothing_and_is_clear() -> None:
    new = LinkHealth(LinkState.UP, Window(2))
    assert new.is_clear
    assert (new.failures, new.failed_seq, new.epoch, new.round) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("health", "most", "clear"),
    [
        ({}, UNLIMITED, True),
        ({"in_outage": False, "failures": 99}, UNLIMITED, True),
        ({"suspect": True}, 0, False),
        ({"state": LinkState.DOWN, "in_outage": True}, 0, False),
        ({"state": LinkState.MASTER_DOWN, "trial_at": ago(99)}, 0, False),
        ({"refused_at": ago(30), "refused_next_at": later(30)}, 0, False),
        ({"refused_at": ago(90), "refused_next_at": ago(1)}, 1, False),
        ({"refused_at": ago(90), "refused_next_at": later(3600)}, 1, False),  # the clock was set back
        ({"in_outage": True, "trial_at": later(0.5)}, 0, False),
        ({"in_outage": True, "trial_at": NOW}, 1, False),
        ({"in_outage": True, "trial_at": NOW, "refused_at": NOW, "refused_next_at": later(60)}, 0, False),
    ],
)
def test_so_many_may_go_now(health: dict[str, Any], most: int, clear: bool) -> None:
    found = replace(WELL, **health)
    assert (found.most_now(NOW), found.is_clear) == (most, clear)


@pytest.mark.parametrize(
    ("health", "changed"),
    [
        ({}, {}),
        (REFUSED, {"refused_next_at": later(REFUSED_WAIT_S)}),
        ({"in_outage": True, "trial_at": NOW}, {"trial_at": later(TRIAL_S)}),
        ({"in_outage": True, "state": LinkState.DOWN}, {}),
    ],
)
def test_a_claim_puts_the_next_trial_off(health: dict[str, Any], changed: dict[str, Any]) -> None:
    found = replace(WELL, **health)
    assert found.after_claim(NOW) == replace(found, **changed)


def test_the_causes_that_count_are_those_of_a_master_that_takes_nothing() -> None:
    counted = {cause for cause in Cause if judged(WELL, failed(cause)).health.failures}
    assert counted == STALLING
