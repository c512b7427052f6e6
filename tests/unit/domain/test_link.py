"""The link as values: what a probe says, when the next is due, and how many sheets may be on their way."""

import heapq
from datetime import UTC, datetime, timedelta

import pytest

from resultsq.domain.link import (
    OPENING_S,
    PROBE_DOWN_S,
    PROBE_UP_S,
    TROUBLE,
    LinkState,
    Window,
    opening,
    probe_wait_s,
    state_for,
)
from resultsq.domain.outcome import LINK_CAUSES, Cause

START = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)
CEILING = 8


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def answered(window: Window, times: int, seconds: float) -> Window:
    for _ in range(times):
        window = window.answered_well(at(seconds), CEILING)
    return window


@pytest.mark.parametrize(
    ("causes", "state"),
    [
        ({None}, LinkState.UP),
        ({Cause.NOT_OUR_MASTER, Cause.TLS}, LinkState.NOT_OUR_MASTER),
        ({Cause.DNS, Cause.UNREACHABLE, Cause.REFUSED, Cause.RESET, Cause.TIMEOUT, Cause.SILENT}, LinkState.DOWN),
        ({Cause.MASTER_DOWN, Cause.BUSY, Cause.DATABASE}, LinkState.MASTER_DOWN),
    ],
)
def test_a_probes_answer_names_the_state_when_it_comes(causes: set[Cause | None], state: LinkState) -> None:
    assert {state_for(cause) for cause in causes} == {state}


def test_a_probe_is_started_each_second_while_nobody_or_a_stranger_answers() -> None:
    for state in (LinkState.DOWN, LinkState.NOT_OUR_MASTER):
        assert probe_wait_s(state, False, 0.9) == PROBE_DOWN_S == 1.0


def test_a_probe_comes_each_half_minute_while_all_is_well_and_soon_when_a_call_met_trouble() -> None:
    assert probe_wait_s(LinkState.UP, False, 0.9) == PROBE_UP_S == 30.0
    assert probe_wait_s(LinkState.UP, True, 0.9) == 1.0


def test_a_master_that_is_down_is_asked_after_1_to_15_s_when_it_says_nothing() -> None:
    waits = [probe_wait_s(LinkState.MASTER_DOWN, False, draw / 1000) for draw in range(1000)]
    assert min(waits) == 1.0
    assert 14.9 < max(waits) <= 15.0


def test_a_master_that_is_down_is_left_alone_when_it_says_until_when() -> None:
    assert probe_wait_s(LinkState.MASTER_DOWN, False, 0.0, 120.0) == 120.0
    assert probe_wait_s(LinkState.MASTER_DOWN, False, 0.9, 0.0) == 1.0  # not in a circle without a pause


def test_two_may_go_when_the_link_has_just_returned() -> None:
    window = opening(CEILING)
    assert window.free_slots(0, CEILING) == 2
    assert window.free_slots(2, CEILING) == 0
    assert opening(1).free_slots(0, 1) == 1


def test_the_window_stays_at_two_until_a_second_after_the_first_answer_however_much_is_answered() -> None:
    window = answered(opening(CEILING), 1, 7)
    window = answered(window, 100, 7 + OPENING_S - 0.01)
    assert (window.size, window.answered) == (2, 0)
    assert answered(window, 1, 7 + OPENING_S).answered == 1
    assert answered(opening(CEILING), 2, 7).answered == 0, "nor by what is answered at the same moment"


def test_the_window_grows_by_one_when_a_whole_window_was_answered_and_stops_at_the_ceiling() -> None:
    window = answered(opening(CEILING), 1, 0)
    sizes = []
    for _ in range(2 + 3 + 4 + 5 + 6 + 7 + 100):
        window = window.answered_well(at(2), CEILING)
        sizes.append(window.size)
    assert [sizes.count(size) for size in range(2, 8)] == [1, 3, 4, 5, 6, 7]
    assert max(sizes) == CEILING


def test_the_window_is_halved_and_counts_anew_when_there_is_trouble() -> None:
    assert Window(8, answered=5, opened_at=START).trouble() == Window(4, 0, START)
    assert Window(5).trouble().size == 2
    assert Window(1).trouble().size == 1


def test_the_window_grows_again_when_the_clock_was_set_back_within_its_first_second() -> None:
    window = answered(opening(CEILING), 1, 0)
    assert answered(window, 2, -3600).size == 3


def test_only_what_says_that_it_is_too_much_halves_the_window() -> None:
    assert {Cause.BUSY, Cause.MASTER_DOWN, Cause.TIMEOUT} <= TROUBLE
    assert not TROUBLE & {Cause.REFUSED, Cause.DNS, Cause.UNREACHABLE, Cause.NOT_OUR_MASTER, Cause.TLS}
    assert LINK_CAUSES - TROUBLE  # these ask the prober instead


class Simulation:
    """A master with a number of slots, who refuses at once when they are taken; a window; virtual time."""

    def __init__(self, slots: int, work_s: float = 0.05, refusal_s: float = 0.005, ceiling: int = CEILING) -> None:
        self.slots, self.work_s, self.refusal_s, self.ceiling = slots, work_s, refusal_s, ceiling
        self.asked_at_once: list[tuple[float, int]] = []
        self.refusals: list[bool] = []

    def run(self, sheets: int) -> None:
        window, now, in_flight, at_work = opening(self.ceiling), 0.0, 0, 0
        answers: list[tuple[float, int, bool]] = []
        while sheets or answers:
            for _ in range(min(sheets, window.free_slots(in_flight, self.ceiling))):
                sheets -= 1
                in_flight += 1
                refused = at_work == self.slots
                at_work += not refused
                when = now + (self.refusal_s if refused else self.work_s)
                heapq.heappush(answers, (when, len(self.refusals), refused))
                self.refusals.append(refused)
                self.asked_at_once.append((now, in_flight))
            now, _, refused = heapq.heappop(answers)
            in_flight -= 1
            if refused:
                sheets += 1  # it is put back and comes again
                window = window.trouble()
            else:
                at_work -= 1
                window = window.answered_well(at(now), self.ceiling)


def test_a_master_with_five_slots_is_asked_for_eight_at_most_and_refuses_few_when_thousands_wait() -> None:
    simulation = Simulation(slots=5)
    simulation.run(5_000)
    assert max(asked for _, asked in simulation.asked_at_once) <= CEILING
    assert max(asked for when, asked in simulation.asked_at_once if when < OPENING_S) == 2
    first = simulation.refusals.index(True)
    later = simulation.refusals[first + 1 :]
    assert 0 < sum(later) < 0.1 * len(later)


def test_the_whole_window_is_used_when_the_master_has_slots_enough() -> None:
    simulation = Simulation(slots=100)
    simulation.run(1_000)
    assert not any(simulation.refusals)
    assert max(asked for _, asked in simulation.asked_at_once) == CEILING
