"""What tells that a clock is wrong: a time that has been, or the master's own clock."""

from datetime import UTC, datetime, timedelta

import pytest

from resultsq.domain.clock_trust import clock_off_s, newest

NOW = datetime(2013, 12, 7, 10, 42, tzinfo=UTC)
YEAR = timedelta(days=365)
YEAR_S = YEAR.total_seconds()


@pytest.mark.parametrize(
    ("newest_at", "offset_s", "off_s"),
    [
        (None, None, 0.0),
        (NOW, 0.0, 0.0),
        (NOW + timedelta(seconds=59), 3599.0, 0.0),
        (NOW + timedelta(seconds=60), 0.0, 0.0),
        (NOW + timedelta(seconds=61), 0.0, 61.0),
        (None, 3600.0, 0.0),
        (None, -3600.0, 0.0),
        (NOW + YEAR, None, YEAR_S),
        (NOW + YEAR, 0.0, YEAR_S),  # heard before the clock went back
        (None, 3601.0, 3601.0),
        (NOW, YEAR_S, YEAR_S),
        (NOW, -YEAR_S, -YEAR_S),
        (NOW - timedelta(hours=3), -7200.0, -7200.0),
    ],
)
def test_a_clock_is_off_by_what_is_known(newest_at: datetime | None, offset_s: float | None, off_s: float) -> None:
    assert clock_off_s(NOW, newest_at, offset_s) == off_s


def test_the_newest_time_never_goes_back_with_the_clock() -> None:
    assert newest(NOW - YEAR, NOW, 0.0, heard=False) == NOW
    assert newest(NOW, NOW - YEAR, 0.0, heard=False) == NOW
    assert newest(NOW - YEAR, None, YEAR_S, heard=True) == NOW
    assert newest(NOW - YEAR, NOW - 2 * YEAR, YEAR_S, heard=True) == NOW


def test_a_time_that_never_was_is_forgotten_when_the_master_agrees_with_the_clock() -> None:
    assert newest(NOW + YEAR, NOW, -YEAR_S, heard=True) == NOW
    assert newest(NOW + YEAR, NOW, -YEAR_S, heard=False) == NOW
    assert newest(NOW, NOW + YEAR, 0.0, heard=True) == NOW
    assert newest(NOW, NOW + YEAR, 3600.0, heard=True) == NOW
    assert newest(NOW, NOW + YEAR, None, heard=False) == NOW + YEAR


def test_a_clock_that_agrees_with_the_masters_is_taken_at_its_word() -> None:
    assert newest(NOW, None, 1800.0, heard=True) == NOW
    assert newest(NOW, None, -1800.0, heard=False) == NOW
