"""The headline: what matters most comes first, and only what needs a person is red."""

from dataclasses import replace
from datetime import timedelta

import pytest

from resultsq.app.headline import RECOVERED_SHOWN, Tone, headline
from resultsq.domain.link import LinkState
from resultsq.domain.submission import State
from resultsq.store.views.overview_data import LiveStatus, OutageView
from resultsq.store.views.queries import HoldView, LinkView
from tests.support.nodes import NOW

UP = LinkView(LinkState.UP, NOW, None, None, False, None, None, None, None, None, None, None, None, 0, None)
HELD = HoldView(1, "destination", None, "a drill", "ann", NOW, None)
OVER = OutageView(1, NOW - timedelta(minutes=9), NOW - timedelta(seconds=50), "timeout", None, 3, 312)


def pulse(
    link: LinkView | None = UP, workers: int = 1, last: OutageView | None = None, held: int = 0, **counts: int
) -> LiveStatus:
    return LiveStatus(
        at=NOW,
        counts={state: counts.get(state, 0) for state in State},
        waiting_by_kind={},
        oldest_waiting_at=None,
        link=link,
        holds=[],
        workers_alive=workers,
        refused_events=[],
        rate=0.0,
        usual_rate=None,
        held=held,
        last=last,
        groups=[],
    )


@pytest.mark.parametrize(
    ("seen", "title", "tone"),
    [
        (pulse(), "All is well", Tone.GOOD),
        (pulse(queued=3), "All is well", Tone.GOOD),
        (pulse(link=None), "No worker is running", Tone.BAD),
        (pulse(workers=0), "No worker is running", Tone.BAD),
        (pulse(replace(UP, state=LinkState.DOWN), rejected=2), "The link is down", Tone.WAITS),
        (pulse(replace(UP, state=LinkState.DOWN, cause="no-answer")), "The master does not answer", Tone.WAITS),
        (pulse(replace(UP, state=LinkState.DOWN, cause="timeout")), "The link is down", Tone.WAITS),
        (pulse(replace(UP, state=LinkState.MASTER_DOWN)), "The master is down", Tone.WAITS),
        (pulse(replace(UP, state=LinkState.NOT_OUR_MASTER)), "Not our master", Tone.BAD),
        (pulse(replace(UP, refused_at=NOW)), "Credentials refused", Tone.BAD),
        (replace(pulse(), holds=[HELD]), "Held", Tone.WAITS),
        (replace(pulse(queued=39, held=39), holds=[replace(HELD, scope="event")]), "Held", Tone.WAITS),
        (replace(pulse(queued=41, held=39), holds=[replace(HELD, scope="event")]), "All is well", Tone.GOOD),
        (pulse(replace(UP, suspect=True)), "Checking the link", Tone.MOVING),
        (pulse(replace(UP, probed_at=NOW - timedelta(seconds=9))), "All is well", Tone.GOOD),
        (pulse(replace(UP, probed_at=NOW - timedelta(seconds=11))), "Checking the link", Tone.MOVING),
        (pulse(replace(UP, probed_at=NOW - timedelta(seconds=11)), conflict=1), "Checking the link", Tone.MOVING),
        (pulse(replace(UP, outage_id=1, probed_at=NOW), conflict=1), "The master takes nothing", Tone.WAITS),
        (pulse(conflict=1), "Attention needed", Tone.BAD),
        (pulse(last=replace(OVER, remaining=12), queued=12, rejected=1), "Catching up", Tone.MOVING),
        (pulse(last=replace(OVER, remaining=12), queued=12, held=12, rejected=1), "Attention needed", Tone.BAD),
    ],
)
def test_the_headline_names_what_matters_most_when_it_is_read(seen: LiveStatus, title: str, tone: Tone) -> None:
    said = headline(NOW, seen)
    assert (said.title, said.tone) == (title, tone)
    assert said.text % said.values if said.values else said.text


def test_the_recovery_is_summed_up_when_the_backlog_is_out_and_forgotten_later() -> None:
    done = pulse(last=replace(OVER, caught_up_at=NOW - timedelta(seconds=9)))
    said = headline(NOW, done)
    assert said.text.format(**said.values) == (
        "All is well again: the 312 that waited were sent within 41 s of the link's return."
    )
    assert headline(NOW + RECOVERED_SHOWN, done).title == "All is well"
