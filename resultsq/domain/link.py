"""The way to the master as values: a circuit breaker that is fed by probes, and a slow-start window.

The rules, in one place:

- A call that fails for a reason of the link makes it *suspect*: nothing more is claimed until a probe has
  spoken. Only a probe takes the link down or up, so one dropped connection is not an outage. So does a master
  that is in trouble though only one sheet is on its way: the probe comes a second later, and then the next sheet.
- While the link is down a probe is started each second; while the master itself is down, every 1 to 15 s
  with jitter; while all is well, each 30 s.
- At a return the window opens at 2 and stays there until a second after the first answer; then it grows by
  one each time a whole window's worth of calls was answered without trouble, and is halved by trouble.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from resultsq.domain.outcome import LINK_CAUSES, Cause

PROBE_DOWN_S = 1.0
PROBE_UP_S = 30.0
PROBE_MASTER_DOWN_MIN_S = 1.0
PROBE_MASTER_DOWN_MAX_S = 15.0
PROBE_LIMIT_S = 5.0
HEARD_S = 5.0
"""A view of the link asks for a probe when the last one is older."""

PROBES_AT_ONCE = 5

OPENING = 2
OPENING_S = 1.0


class LinkState(StrEnum):
    """What the last probe said."""

    UP = "up"
    DOWN = "down"  # no answer
    MASTER_DOWN = "master-down"  # the master answers that it cannot
    NOT_OUR_MASTER = "not-our-master"  # another server answers: a captive portal, a proxy


def state_for(cause: Cause | None) -> LinkState:
    """The state that a probe's answer puts the link in."""
    if cause is None:
        return LinkState.UP
    if cause is Cause.NOT_OUR_MASTER or cause is Cause.TLS:
        return LinkState.NOT_OUR_MASTER
    if cause in LINK_CAUSES or cause is Cause.SURPRISE:  # a fault of ours says nothing of the master: ask again soon
        return LinkState.DOWN
    return LinkState.MASTER_DOWN


def probe_wait_s(state: LinkState, suspect: bool, jitter: float, retry_after_s: float | None = None) -> float:
    """Seconds from the start of one probe to the start of the next; `jitter` is a draw from [0, 1).

    A master that is down and says when to come back is obeyed (upload contract: on the probe, Retry-After
    binds the destination); `retry_after_s` has been cut to an hour by then."""
    if state is LinkState.MASTER_DOWN:
        spread = PROBE_MASTER_DOWN_MIN_S + jitter * (PROBE_MASTER_DOWN_MAX_S - PROBE_MASTER_DOWN_MIN_S)
        return spread if retry_after_s is None else max(retry_after_s, PROBE_MASTER_DOWN_MIN_S)
    if state is LinkState.UP and not suspect:
        return PROBE_UP_S
    return PROBE_DOWN_S


@dataclass(frozen=True, slots=True)
class Window:
    """How many sheets may be on their way at once, all workers together. `opened_at` is the first good answer
    after a return, for a claim does not say when its sheet will be there; None: none yet."""

    size: int
    answered: int = 0
    opened_at: datetime | None = None

    def answered_well(self, now: datetime, ceiling: int) -> "Window":
        """One more call was answered without trouble."""
        if self.opened_at is None:
            return replace(self, opened_at=now)
        if 0 <= (now - self.opened_at).total_seconds() < OPENING_S:
            return self
        if self.answered + 1 < self.size:
            return replace(self, answered=self.answered + 1)
        return replace(self, size=min(self.size + 1, ceiling), answered=0)

    def trouble(self) -> "Window":
        """A 429, a 5xx or a timeout: half as many at once."""
        return replace(self, size=max(1, self.size // 2), answered=0)

    def free_slots(self, in_flight: int, ceiling: int) -> int:
        """How many more may be claimed now."""
        return max(0, min(self.size, ceiling) - in_flight)


def opening(ceiling: int) -> Window:
    """The window at a return, and at a node's first start."""
    return Window(size=min(OPENING, ceiling))


STALLED_AFTER = 3
STALLED_S = 3.0
"""So many submissions in a row, for so long: less is a dropped connection, or a master that restarts."""

TRIAL_S = 1.0
"""While a master answers probes and takes nothing, one submission is tried this often."""

REFUSED_WAIT_S = 60.0
"""While the master refuses our credentials one submission is tried each minute (upload contract)."""

STALLING = frozenset({Cause.MASTER_DOWN, Cause.DATABASE, *LINK_CAUSES} - {Cause.SILENT})
"""The causes that say that the master takes nothing. It does not say so when it is busy, or slow."""

TROUBLE = frozenset({Cause.BUSY, Cause.MASTER_DOWN, Cause.TIMEOUT, Cause.NO_ANSWER, Cause.SILENT, Cause.DATABASE})
"""The causes that halve the window."""
