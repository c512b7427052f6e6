"""Waits between attempts: they grow, stop growing, stay spread out, and never end anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resultsq.domain.backoff import CAP_S, RETRY_AFTER_CAP_S, after_answer_s, ceiling_s, wait_s

ALMOST_ONE = 0.999_999
FAILURES = st.integers(1, 10**12)
JITTER = st.floats(0, 1, exclude_max=True)


def test_the_ceiling_doubles_from_a_second_to_a_minute_as_failures_add_up() -> None:
    assert [ceiling_s(n) for n in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


@given(FAILURES, JITTER)
def test_a_wait_stays_between_nothing_and_the_cap_when_any_number_of_attempts_failed(
    failures: int, draw: float
) -> None:
    assert 0 <= wait_s(failures, draw) < CAP_S


@given(st.integers(7, 10**12))
def test_the_jitter_survives_when_the_cap_is_reached(failures: int) -> None:
    waits = [wait_s(failures, draw / 100) for draw in range(100)]
    assert waits == sorted(set(waits)), "submissions that failed together would come back together for ever"
    assert min(waits) == 0
    assert max(waits) > 0.98 * CAP_S


@given(FAILURES, JITTER)
def test_the_masters_word_is_obeyed_to_the_second_when_it_gives_one(failures: int, draw: float) -> None:
    assert after_answer_s(7.0, failures, draw) == 7.0
    assert after_answer_s(RETRY_AFTER_CAP_S, failures, draw) == RETRY_AFTER_CAP_S


def test_the_masters_word_is_cut_when_it_is_longer_than_an_hour() -> None:
    assert after_answer_s(3_601, 1, 0.0) == 3_600
    assert after_answer_s(1e12, 1, 0.0) == 3_600


def test_a_date_in_the_past_means_now_when_the_master_gives_one() -> None:
    assert after_answer_s(-5.0, 9, ALMOST_ONE) == 0.0


@pytest.mark.parametrize(("failures", "most"), [(1, 1), (3, 4), (100_000, 60)])
def test_the_back_off_decides_when_the_master_says_nothing(failures: int, most: float) -> None:
    assert after_answer_s(None, failures, ALMOST_ONE) == pytest.approx(most, rel=1e-4)
    assert after_answer_s(None, failures, 0.0) == 0.0
