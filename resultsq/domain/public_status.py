"""What runners and teams may know of the node: whether results are published as they come, since when, and what
happened lately. Pure. No event, no person, no address, and none of an operator's words but a post that one released."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resultsq.domain.i18n import gettext

LATE = timedelta(minutes=2)
"""A submission that has waited longer is called late: an ordinary publication takes seconds."""


class PublicState(StrEnum):
    """How publishing goes, in one word. The value is part of the JSON."""

    WORKS = "works"
    DELAYED = "delayed"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFacts:
    """The facts at a moment. `hindered_since`: since when nothing can be sent, whatever the cause; None: it can.
    `held_since` is the same for a hold on everything. `oldest_at`: when the oldest that is not held was accepted."""

    hindered_since: datetime | None
    held_since: datetime | None
    oldest_at: datetime | None
    waiting: int


@dataclass(frozen=True, slots=True)
class PublicIncident:
    """A delay that is over, or goes on (`ended_at` None). `post` is an operator's text, in paragraphs; `posted_at` when
    it was released."""

    id: int
    began_at: datetime
    ended_at: datetime | None
    post: tuple[str, ...] = ()
    posted_at: datetime | None = None

    @property
    def changed_at(self) -> datetime:
        """When the last thing happened that this page says of it."""
        return max(at for at in (self.began_at, self.ended_at, self.posted_at) if at is not None)


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """`since` is when `state` began, None where it is not known. `longest_wait_s`: how long the oldest has waited."""

    at: datetime
    state: PublicState
    since: datetime | None
    waiting: int
    longest_wait_s: float
    incidents: Sequence[PublicIncident]


def judge(facts: PublicFacts, now: datetime, incidents: Sequence[PublicIncident]) -> PublicStatus:
    """The state that these facts mean. A hold on everything counts only where something could be sent."""
    waited = timedelta() if facts.oldest_at is None else max(timedelta(), now - facts.oldest_at)
    state, since = PublicState.WORKS, None
    if facts.hindered_since is not None:
        state, since = PublicState.DELAYED, facts.hindered_since
    elif facts.held_since is not None:
        state, since = PublicState.HELD, facts.held_since
    elif waited >= LATE:
        state, since = PublicState.DELAYED, facts.oldest_at
    return PublicStatus(now, state, since, facts.waiting, waited.total_seconds(), incidents)


def title(state: PublicState) -> str:
    """The state as a heading."""
    match state:
        case PublicState.WORKS:
            return gettext("Results are published as they come")
        case PublicState.DELAYED:
            return gettext("Results are delayed")
        case PublicState.HELD:
            return gettext("Publishing is paused")


def sentence(state: PublicState) -> str:
    """The meaning for runners and teams."""
    match state:
        case PublicState.WORKS:
            return gettext("Teams can submit results, and the central results system takes them.")
        case PublicState.DELAYED:
            return gettext(
                "Teams can submit results as usual. They are kept safe here, and are published automatically when the "
                "central results system takes them again. No result is lost, and no team has to do anything."
            )
        case PublicState.HELD:
            return gettext(
                "Teams can submit results as usual. They are kept safe here until the organisers let them be "
                "published. No result is lost, and no team has to do anything."
            )
