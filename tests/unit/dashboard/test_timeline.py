"""The timeline of a submission: each step once, in order, with how long it waited and how long it took."""

from datetime import datetime, timedelta

from resultsq.domain.submission import State
from resultsq.store.views.queries import SubmissionView
from resultsq.store.views.submission_detail import AttemptView
from resultsq.web.dashboard import timeline
from resultsq.web.dashboard.timeline import TimelinePhase
from tests.support.nodes import NOW


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def view(state: State, attempts: int, published_s: float | None = None) -> SubmissionView:
    return SubmissionView(
        1, "id", "results", 1, "bushy", "2013-12-07", 1, state, NOW, "d", 3, "team", NOW, attempts, None, None, None,
        None, (), None, None, None, None if published_s is None else after(published_s),
    )  # fmt: skip


def attempt(number: int, start_s: float, took_s: float | None, outcome: str | None, sent: bool = True) -> AttemptView:
    ended = None if took_s is None else after(start_s + took_s)
    head = "PUT /v1" if sent else None
    return AttemptView(number, "w1", after(start_s), ended, took_s, outcome, None, None, None, head, None, None)


def test_each_step_says_how_long_it_waited_and_took() -> None:
    tries = [attempt(2, 70.0, 0.2, "accepted"), attempt(1, 10.0, 5.0, "deferred")]
    drawn = timeline.draw(after(100), view(State.PUBLISHED, 2, 70.2), tries)
    assert [step.title for step in drawn.steps] == [
        "Accepted here", "No success yet", "Asked: the master has it", "Published",
    ]  # fmt: skip
    assert [step.after_s for step in drawn.steps] == [None, 10.0, 55.0, None]
    assert [step.took_s for step in drawn.steps] == [None, 5.0, 0.2, None]
    assert [part.phase for part in drawn.parts] == [
        TimelinePhase.WAITING,
        TimelinePhase.SENDING,
        TimelinePhase.IN_DOUBT,
        TimelinePhase.SENDING,
    ]
    assert drawn.whole_s == 70.2
    assert all(part.x >= 0 and part.x + part.width <= timeline.WIDTH + 0.1 for part in drawn.parts)


def test_it_goes_on_until_now_when_it_still_waits() -> None:
    drawn = timeline.draw(after(40), view(State.QUEUED, 0), [])
    assert [(part.phase, part.length_s) for part in drawn.parts] == [(TimelinePhase.WAITING, 40.0)]
    unsent = timeline.draw(after(40), view(State.QUEUED, 1), [attempt(1, 10, 1, "deferred", sent=False)])
    assert unsent.parts[-1].phase is TimelinePhase.WAITING
    under_way = timeline.draw(after(12), view(State.SENDING, 1), [attempt(1, 10, None, None)])
    assert under_way.parts[-1].phase is TimelinePhase.SENDING
    assert under_way.steps[-1].title == "On its way"


def test_what_is_too_short_to_be_seen_is_drawn_all_the_same_and_what_is_left_out_is_counted() -> None:
    drawn = timeline.draw(after(90_000), view(State.QUEUED, 250), [attempt(250, 80_000, 0.01, "deferred")])
    assert drawn.left_out == 249
    assert min(part.width for part in drawn.parts) >= timeline.LEAST
