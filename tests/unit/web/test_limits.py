"""How often a password may be tried, and who counts as one caller."""

from datetime import UTC, datetime

import pytest

from resultsq.web.limits import RateLimiter, network
from tests.support.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2013, 12, 7, 9, tzinfo=UTC))


def test_one_key_waits_and_others_do_not_when_it_was_tried_too_often(clock: ManualClock) -> None:
    tries = RateLimiter(clock, most=3, within_s=60)
    assert [tries.take("jo") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert tries.take("jo") == 60.0
    assert tries.take("mo") == 0.0


def test_a_try_is_free_again_when_the_first_is_old_enough(clock: ManualClock) -> None:
    tries = RateLimiter(clock, most=2, within_s=60)
    tries.take("jo")
    clock.advance(40)
    tries.take("jo")
    assert tries.take("jo") == 20.0
    clock.advance(20)
    assert tries.take("jo") == 0.0
    assert tries.take("jo") == 40.0


def test_tries_that_were_refused_do_not_count_when_somebody_keeps_trying(clock: ManualClock) -> None:
    tries = RateLimiter(clock, most=1, within_s=60)
    tries.take("jo")
    for _ in range(59):
        clock.advance(1)
        assert tries.take("jo") > 0
    clock.advance(1)
    assert tries.take("jo") == 0.0


def test_the_count_begins_anew_when_a_try_was_right(clock: ManualClock) -> None:
    tries = RateLimiter(clock, most=2, within_s=60)
    tries.take("jo")
    tries.take("jo")
    tries.forget("jo")
    tries.forget("nobody")
    assert tries.take("jo") == 0.0


def test_only_the_last_keys_are_remembered_when_there_are_many(clock: ManualClock) -> None:
    tries = RateLimiter(clock, most=1, within_s=60, keys=2)
    for key in ("a", "b", "a", "c"):
        tries.take(key)  # "a" was seen after "b", so "b" goes
    assert tries.take("a") > 0
    assert tries.take("b") == 0.0


def test_a_step_of_the_wall_clock_frees_nobody_when_it_comes(clock: ManualClock) -> None:
    tries = RateLimiter(clock, most=1, within_s=60)
    tries.take("jo")
    clock.step(3600)
    assert tries.take("jo") == 60.0


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix socket", ""),
        (None, ""),
    ],
)
def test_a_caller_is_an_address_or_its_own_network_when_it_is_counted(address: str | None, caller: str) -> None:
    assert network(address) == caller
