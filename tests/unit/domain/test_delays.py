"""Percentiles of counted seconds."""

import pytest

from resultsq.domain.delays import Delays


@pytest.mark.parametrize(("share", "delay"), [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (1.0, 4.0), (0.0, 1.0)])
def test_a_share_is_the_delay_that_so_many_did_not_exceed(share: float, delay: float) -> None:
    assert Delays.of({4: 1, 1: 1, 3: 1, 2: 1}).percentile_s(share) == delay


def test_many_count_as_many_when_they_took_as_long() -> None:
    found = Delays.of({1: 98, 60: 1, 600: 1})
    assert (found.count, found.p50, found.p95, found.p99, found.most) == (100, 1.0, 1.0, 60.0, 600.0)


def test_nothing_was_delayed_when_nothing_was_sent_or_a_clock_was_set_back() -> None:
    assert Delays().percentile_s(0.95) == 0.0
    assert Delays.of({-3600: 1, 0: 1}) == Delays(((0, 2),))


def test_delays_of_several_parts_count_together() -> None:
    parts = [Delays.of({1: 2, 60: 1}), Delays(), Delays.of({1: 3})]
    assert Delays.together(parts) == Delays(((1, 5), (60, 1)))
