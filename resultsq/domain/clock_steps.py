"""Stored times under a wall clock that may be set: nothing waits longer than it is long, and a bit."""

from datetime import datetime, timedelta

SLACK_S = 2.0
"""How far the clocks of a node's processes may lie apart: a time that is a little further ahead than it is long
was written by another machine, and is no sign of a step."""

LEASE_SLACK_S = 30.0
"""The same for leases: to take one from a sender that lives costs a second sending."""


def passed(until: datetime | None, length_s: float, now: datetime, slack_s: float = SLACK_S) -> bool:
    """Whether a wait of `length_s` that ends at `until` is over. One that ends further ahead than it is long was
    written before the clock was set back."""
    return until is None or not now < until <= latest(now, length_s, slack_s)


def latest(now: datetime, length_s: float, slack_s: float = SLACK_S) -> datetime:
    """The furthest that such a wait, begun just now, can end by anybody's clock."""
    return now + timedelta(seconds=length_s + slack_s)
