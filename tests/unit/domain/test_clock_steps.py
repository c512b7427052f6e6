"""A wait is over when its time has come, or when it ends further ahead than any clock of the node can have written."""

from datetime import UTC, datetime, timedelta

import pytest

from resultsq.domain.clock_steps import LEASE_SLACK_S, latest, passed

NOW = datetime(2013, 12, 7, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("in_s", "over"),
    [(-1.0, True), (0.0, True), (0.1, False), (10.0, False), (12.0, False), (12.1, True), (3600.0, True)],
)
def test_a_wait_of_ten_seconds_is_over_when_it_ended_or_cannot_have_been_written_by_this_clock(
    in_s: float, over: bool
) -> None:
    assert passed(NOW + timedelta(seconds=in_s), 10.0, NOW) is over
    assert passed(None, 10.0, NOW)


def test_the_clocks_may_differ_by_two_seconds_and_where_a_lease_would_be_taken_by_half_a_minute() -> None:
    assert latest(NOW, 10.0) == NOW + timedelta(seconds=12)
    assert latest(NOW, 10.0, LEASE_SLACK_S) == NOW + timedelta(seconds=40)
