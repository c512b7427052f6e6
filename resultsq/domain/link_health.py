"""The link's health, judged by the attempts that ended, and how many submissions may be sent on it.

A master may answer probes well and take nothing, as it does whose database is away. The probes then see no outage, so
the attempts show it: when several submissions in a row have failed for some seconds, the link *takes nothing*. That is
an outage with a cause of its own. One submission is tried each second, whether it was put off or not. The first good
answer is a return like any other: the submissions that were put off are released, with a slow start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from resultsq.domain.clock_steps import passed
from resultsq.domain.link import (
    PROBE_DOWN_S,
    REFUSED_WAIT_S,
    STALLED_AFTER,
    STALLED_S,
    STALLING,
    TRIAL_S,
    TROUBLE,
    LinkState,
    Window,
    opening,
)
from resultsq.domain.outcome import LINK_CAUSES, Cause, Deferred, Scope, Unauthorised
from resultsq.domain.settlement import Settlement

UNLIMITED = 1_000_000


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """The link as the attempts change it. `in_outage`: an outage has begun and not ended."""

    state: LinkState
    window: Window
    in_outage: bool = False
    suspect: bool = False
    suspect_at: datetime | None = None
    refused_at: datetime | None = None
    refused_next_at: datetime | None = None
    failures: int = 0
    failed_seq: int = 0
    failing_since: datetime | None = None
    trial_at: datetime | None = None
    epoch: int = 0
    round: int = 0
    returned_at: datetime | None = None

    @property
    def takes_nothing(self) -> bool:
        """The master answers probes and takes nothing."""
        return self.in_outage and self.state is LinkState.UP

    @property
    def is_clear(self) -> bool:
        """Nothing speaks against sending."""
        return self.state is LinkState.UP and not (self.suspect or self.refused_at or self.takes_nothing)

    def most_now(self, now: datetime) -> int:
        """How many may go now, whatever the window has room for."""
        if self.is_clear:
            return UNLIMITED
        if self.state is not LinkState.UP or self.suspect:
            return 0
        if self.refused_at is not None and not passed(self.refused_next_at, REFUSED_WAIT_S, now):
            return 0
        return int(not self.takes_nothing or passed(self.trial_at, TRIAL_S, now))

    def after_claim(self, now: datetime) -> "LinkHealth":
        """At least one submission was claimed, so the next trial is due later."""
        refused_next_at = now + timedelta(seconds=REFUSED_WAIT_S) if self.refused_at else self.refused_next_at
        trial_at = now + timedelta(seconds=TRIAL_S) if self.takes_nothing else self.trial_at
        return replace(self, refused_next_at=refused_next_at, trial_at=trial_at)


@dataclass(frozen=True, slots=True)
class OutageStart:
    """An outage that the attempts show: since when, and the last answer."""

    began_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the ends of attempts say of the link: its health now, and what else is to be written. `probe_in_s`: a probe
    is due so soon; None: when it was. `returned`: all that waits for the link is to be released."""

    health: LinkHealth
    probe_in_s: float | None = None
    outage: OutageStart | None = None
    returned: bool = False


def judge(before: LinkHealth, now: datetime, ends: Sequence[Settlement], ceiling: int) -> Judgement:
    """Judge the link by these ends, one after the other."""
    found = Judgement(before)
    for end in ends:
        began = now - timedelta(seconds=end.duration_s)
        if before.returned_at is not None and began < before.returned_at <= now:
            continue  # it was sent before the link went, and says nothing of it as it is now
        match end.outcome:
            case Unauthorised(scope=scope):
                found = replace(found, health=_refused(found.health, now, scope))
            case Deferred() as deferred:
                found = _trouble(found, now, end.seq, deferred)
            case _:
                found = _answered(found, now, ceiling)
    return found


def _refused(health: LinkHealth, now: datetime, scope: Scope) -> LinkHealth:
    """Credentials that are refused for one event are good for the destination."""
    if scope is Scope.EVENT:
        return replace(health, refused_at=None, refused_next_at=None)
    next_at = now + timedelta(seconds=REFUSED_WAIT_S)
    return replace(health, refused_at=health.refused_at or now, refused_next_at=next_at)


def _trouble(found: Judgement, now: datetime, seq: int, deferred: Deferred) -> Judgement:
    health, cause = found.health, deferred.cause
    of_link = cause in LINK_CAUSES
    # With a window of 1, a master that keeps refusing would otherwise be retried in a tight loop.
    overrun = cause in TROUBLE and not of_link and health.window.size == 1
    # a silent call was given up because a newer connection worked
    doubts = overrun or (of_link and cause is not Cause.SILENT)
    if cause in TROUBLE:
        health = replace(health, window=health.window.trouble())
    if doubts and health.state is LinkState.UP and not health.suspect:
        health = replace(health, suspect=True, suspect_at=now)
        found = replace(found, probe_in_s=PROBE_DOWN_S if overrun else 0.0)
    found = replace(found, health=health)
    counts = cause in STALLING and seq != health.failed_seq  # a sheet that fails by itself stalls nothing
    return _failed(found, now, seq, deferred.detail) if counts else found


def _failed(found: Judgement, now: datetime, seq: int, detail: str) -> Judgement:
    """One more submission failed, another than the one before."""
    health = found.health
    since = health.failing_since or now
    health = replace(health, failures=health.failures + 1, failed_seq=seq, failing_since=since)
    long = not now - timedelta(seconds=STALLED_S) < since <= now
    if health.state is LinkState.UP and long and health.failures >= STALLED_AFTER and not health.in_outage:
        stalled = replace(health, in_outage=True, trial_at=now)
        return replace(found, health=stalled, outage=OutageStart(min(since, now), detail))
    return replace(found, health=health)


def _answered(found: Judgement, now: datetime, ceiling: int) -> Judgement:
    """The master took it, or said why it never will: it answers."""
    health = replace(found.health, refused_at=None, refused_next_at=None)
    returned = health.takes_nothing
    if returned:
        health = replace(health, in_outage=False, returned_at=now, epoch=health.epoch + 1, window=opening(ceiling))
    if returned or health.failures:
        health = replace(health, failures=0, failed_seq=0, failing_since=None, trial_at=None)
    health = replace(health, window=health.window.answered_well(now, ceiling))
    return replace(found, health=health, returned=found.returned or returned)
