"""What the public page says, case by case."""

from datetime import timedelta

import pytest

from resultsq.domain.public_status import LATE, PublicFacts, PublicIncident, PublicState, judge, sentence, title
from tests.support.nodes import NOW

EARLIER = NOW - timedelta(minutes=40)
NOTHING = PublicFacts(hindered_since=None, held_since=None, oldest_at=None, waiting=0)
CASES = {
    "nothing waits": (NOTHING, PublicState.WORKS, None),
    "one has just come": (
        PublicFacts(hindered_since=None, held_since=None, oldest_at=NOW - LATE / 2, waiting=1),
        PublicState.WORKS,
        None,
    ),
    "one has waited long": (
        PublicFacts(hindered_since=None, held_since=None, oldest_at=EARLIER, waiting=1),
        PublicState.DELAYED,
        EARLIER,
    ),
    "the link is down, and nothing waits yet": (
        PublicFacts(hindered_since=EARLIER, held_since=None, oldest_at=None, waiting=0),
        PublicState.DELAYED,
        EARLIER,
    ),
    "everything is held": (
        PublicFacts(hindered_since=None, held_since=EARLIER, oldest_at=None, waiting=0),
        PublicState.HELD,
        EARLIER,
    ),
    "held, and the link is down": (
        PublicFacts(hindered_since=NOW, held_since=EARLIER, oldest_at=None, waiting=0),
        PublicState.DELAYED,
        NOW,
    ),
}


@pytest.mark.parametrize(("facts", "state", "since"), CASES.values(), ids=CASES)
def test_the_state_is_what_a_runner_would_call_it(facts: PublicFacts, state: PublicState, since: object) -> None:
    found = judge(facts, NOW, [])
    assert (found.state, found.since) == (state, since)


@pytest.mark.parametrize(("waited_s", "state"), [(119, PublicState.WORKS), (120, PublicState.DELAYED)])
def test_a_submission_is_late_after_two_minutes(waited_s: int, state: PublicState) -> None:
    oldest_at = NOW - timedelta(seconds=waited_s)
    facts = PublicFacts(hindered_since=None, held_since=None, oldest_at=oldest_at, waiting=1)
    assert judge(facts, NOW, []).state is state


def test_a_wait_is_never_negative_when_the_clock_was_set_back() -> None:
    later = PublicFacts(hindered_since=NOW, held_since=None, oldest_at=NOW + timedelta(hours=1), waiting=1)
    assert judge(later, NOW, []).longest_wait_s == 0


def test_each_state_has_its_own_words() -> None:
    titles, sentences = [title(state) for state in PublicState], [sentence(state) for state in PublicState]
    assert len(set(titles)) == len(set(sentences)) == 3
    assert all("published" in one or "delayed" in one or "paused" in one for one in titles)
    assert all(one.startswith("Teams can submit results") for one in sentences)


def test_an_incident_changes_when_it_begins_ends_or_gets_a_post() -> None:
    begun = PublicIncident(1, EARLIER, None)
    assert begun.changed_at == EARLIER
    assert PublicIncident(1, EARLIER, NOW).changed_at == NOW
    assert PublicIncident(1, EARLIER, NOW, ("Sorry.",), NOW + timedelta(hours=1)).changed_at == NOW + timedelta(hours=1)
