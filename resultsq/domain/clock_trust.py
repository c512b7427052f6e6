"""Whether this machine's clock can be believed: pure, so that form, API, doctor, banner and alert judge alike."""

from datetime import datetime, timedelta

AGREES_S = 3600.0
"""A clock that differs from the master's by no more than this is right enough for the day of an event."""

SLACK_S = 60.0
"""The clocks of a node's processes, and one that is corrected a little, may lie so far apart."""


def clock_off_s(now: datetime, newest_at: datetime | None, offset_s: float | None) -> float:
    """How far the clock is behind; negative: ahead; 0.0: nothing says that it is wrong.

    :param newest_at: the newest time that is known to have been
    :param offset_s: what the master's clock was ahead of this one when it was last heard"""
    behind_s = 0.0 if newest_at is None else (newest_at - now).total_seconds()
    differs = offset_s if offset_s is not None and abs(offset_s) > AGREES_S else 0.0
    return max(differs, behind_s) if behind_s > SLACK_S else differs


def newest(now: datetime, before: datetime | None, offset_s: float | None, *, heard: bool) -> datetime:
    """The newest time that is known to have been, now that something is written at `now`. A clock once ran ahead may
    have left a time that never was: a master that is heard and agrees with the clock puts that right.

    :param heard: the offset was measured just now"""
    agrees = offset_s is None or abs(offset_s) <= AGREES_S
    if before is None or (heard and agrees):
        return now if agrees or offset_s is None else now + timedelta(seconds=offset_s)
    if agrees or offset_s is None:
        return max(before, now)
    if heard:
        return max(before, now + timedelta(seconds=offset_s))
    return before
