"""Waiting for something to become true, with an end and a reason."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SHARE, RARELY_S = 0.05, 0.1
"""The longer it takes, the more rarely it is looked for: to look costs processor time, for most ask a database. What a
test measures with it is off by so small a share."""


def wait_until(
    predicate: Callable[[], T],
    timeout_s: float = 30.0,
    what: str = "what was waited for",
    every_s: float = 0.02,
) -> T:
    """The first true value of `predicate`. A limit is for what never comes: a busy machine takes its time, and a wide
    one costs nothing.

    `every_s`: how often it is asked at first. An exception of it means "not yet"; the last one is told when the time is
    up.
    :raises AssertionError: after `timeout_s` seconds."""
    began = time.monotonic()
    deadline = began + timeout_s
    while True:
        trouble: Exception | None = None
        try:
            if value := predicate():
                return value
        except Exception as exception:
            trouble = exception
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {timeout_s:g} s") from trouble
        time.sleep(max(every_s, min(SHARE * (time.monotonic() - began), RARELY_S)))
