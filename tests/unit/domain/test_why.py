"""The sentence on a submission's page: the first reason that applies, and until when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from resultsq.domain.destinations import MAIL
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State
from resultsq.domain.why import CAUSES, HoldFact, SubmissionFacts, cause_text, spell, why

NOW = datetime(2013, 12, 7, 10, 40, tzinfo=UTC)
SOON = NOW + timedelta(seconds=40)
FREE = SubmissionFacts(State.QUEUED, LinkState.UP)


@pytest.mark.parametrize(
    ("it", "words", "until", "person"),
    [
        (FREE, "the next to be sent", None, False),
        (replace(FREE, ahead=7), "7 are ahead of it", None, False),
        (replace(FREE, link=None), "No worker", None, True),
        (replace(FREE, worker_alive=False), "No worker", None, True),
        (replace(FREE, link=LinkState.DOWN, next_probe_at=SOON), "when the link is back", SOON, False),
        (replace(FREE, link=LinkState.MASTER_DOWN), "when the master is back", None, False),
        (replace(FREE, link=LinkState.NOT_OUR_MASTER), "Something else answers", None, True),
        (replace(FREE, credentials_refused=True), "refuses this node's credentials.", None, True),
        (replace(FREE, destination=MAIL), "the next to be sent", None, False),
        (replace(FREE, blocked=True), "Version ? is sent first", None, False),
        (replace(FREE, destination=MAIL, link=LinkState.DOWN, next_probe_at=SOON), "mail server cannot", SOON, False),
        (replace(FREE, destination=MAIL, credentials_refused=True), "The mail server refuses", None, True),
        (replace(FREE, event_refused=True), "credentials for this event", None, True),
        (replace(FREE, blocked=True, predecessor=2), "Version 2 is sent first", None, False),
        (replace(FREE, next_attempt_at=SOON, wait_for="master", cause="busy"), "asked for this pause", SOON, False),
        (
            replace(FREE, next_attempt_at=SOON, wait_for="backoff", cause="timeout", failures=3),
            "no connection was made in time. After 3 failures in a row",
            SOON,
            False,
        ),
        (replace(FREE, next_attempt_at=SOON), "set for later", SOON, False),
        (replace(FREE, next_attempt_at=NOW), "the next to be sent", None, False),
    ],
)
def test_the_sentence_says_what_it_waits_for_when_it_is_queued(
    it: SubmissionFacts, words: str, until: datetime | None, person: bool
) -> None:
    said = why(NOW, it)
    assert words in str(said)
    assert (said.until, said.person) == (until, person)


@pytest.mark.parametrize("scope", ["destination", "event", "submission"])
@pytest.mark.parametrize("release_at", [None, SOON])
def test_a_hold_is_named_with_who_and_why_when_it_is_in_force(scope: str, release_at: datetime | None) -> None:
    held = replace(FREE, link=LinkState.DOWN, hold=HoldFact(scope, "100 % of it", "ann", release_at))
    said = why(NOW, held)
    assert "ann holds" in str(said)
    assert "(100 % of it)" in str(said)
    assert said.until == release_at
    assert said.person is (release_at is None)


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_sentence_when_it_is_asked(state: State) -> None:
    assert str(why(NOW, SubmissionFacts(state, LinkState.UP, cause="invalid-sheet"))).endswith(".")


@pytest.mark.parametrize("state", [State.PUBLISHED, State.SENDING, State.REJECTED, State.QUEUED])
def test_no_master_is_named_when_it_goes_by_mail(state: State) -> None:
    for link in LinkState:
        said = str(why(NOW, SubmissionFacts(state, link, cause="no-office", destination=MAIL)))
        assert "aster" not in said


@pytest.mark.parametrize(
    ("it", "sentence", "person"),
    [
        (SubmissionFacts(State.REJECTED, None, cause="bad"), "The master refused it (bad).", True),
        (SubmissionFacts(State.REJECTED, None), "The master refused it (rejected).", True),
        (SubmissionFacts(State.REJECTED, None, cause="bad", destination=MAIL), "It was not sent (bad).", True),
        (SubmissionFacts(State.REJECTED, None, destination=MAIL), "It was not sent (rejected).", True),
        (SubmissionFacts(State.PUBLISHED, None, destination=MAIL), "It is sent: the mail server took it.", False),
        (SubmissionFacts(State.CONFLICT, None, lost=True, predecessor=2), "no longer has version 2, which", True),
        (SubmissionFacts(State.CONFLICT, None, lost=True), "no longer has version ?, which", True),
        (SubmissionFacts(State.CONFLICT, None), "Another sheet is published there.", True),
    ],
)
def test_the_sentence_says_what_became_of_it(it: SubmissionFacts, sentence: str, person: bool) -> None:
    said = why(NOW, it)
    assert sentence in str(said)
    assert said.person is person


def test_only_a_decision_is_asked_for_when_waiting_does_not_help() -> None:
    asked = {state for state in State if why(NOW, SubmissionFacts(state, LinkState.UP)).person}
    assert asked == {State.REJECTED, State.CONFLICT}


def test_every_cause_has_words_when_it_is_shown() -> None:
    assert set(Cause) <= CAUSES.keys()
    assert cause_text("id-reused") == "id-reused"
    assert cause_text(None) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (11_100, "3 h 5 min"),
     (172_799, "47 h 59 min"), (172_800, "2 d"), (187_200, "2 d 4 h")],
)  # fmt: skip
def test_a_duration_is_spelt_in_its_two_largest_units_when_it_is_said(seconds: float, text: str) -> None:
    assert spell(seconds) == text
