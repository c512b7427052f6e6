"""When somebody must be told: pure rules over what is known, and the sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resultsq.domain.link import LinkState
from resultsq.domain.why import spell


class Rule(StrEnum):
    """What an alert is about. The value is part of `/alerts` and of the messages."""

    OLDEST_WAITING = "oldest-waiting"
    LINK_DOWN = "link-down"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    CREDENTIALS_REFUSED = "credentials-refused"
    DISK_LOW = "disk-low"
    DISK_UNWRITABLE = "disk-unwritable"
    DAMAGED = "damaged"
    ASIDE = "put-aside"
    ACTION_FAILS = "action-fails"
    MASTER_LOST = "master-lost"
    QUOTA = "quota-reached"
    CLOCK_WRONG = "clock-wrong"
    RECOVERED = "recovered"  # good news, told once an outage


@dataclass(frozen=True, slots=True)
class Limits:
    """From the settings."""

    oldest_waiting: timedelta
    link_down: timedelta
    disk_low_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at a moment. `disk_free_bytes` None: it could not be asked."""

    link: LinkState
    link_since: datetime
    oldest_waiting_at: datetime | None
    waiting: int
    rejected: int
    conflicts: int
    refused_since: datetime | None
    refused_events: int
    disk_free_bytes: int | None
    damaged: int = 0
    aside: int = 0
    disk_trouble: str | None = None
    failing_actions: int = 0
    lost_there: int = 0
    over_quota: tuple[str, ...] = ()
    clock_off_s: float = 0.0
    takes_nothing_since: datetime | None = None


_MOST_SLUGS = 3
_LINK = {
    LinkState.UP: "The link to the master is up",
    LinkState.DOWN: "The master cannot be reached",
    LinkState.MASTER_DOWN: "The master answers that it is out of order",
    LinkState.NOT_OUR_MASTER: "What answers at the master's address is not the master (a captive portal, a proxy)",
}


def raised(facts: Facts, limits: Limits, now: datetime) -> dict[str, str]:
    """The alerts that hold now, each with its sentence. Never a person: a sentence may leave by mail."""
    found: dict[str, str] = {}
    if facts.link is not LinkState.UP and now - facts.link_since >= limits.link_down:
        found[Rule.LINK_DOWN] = (
            f"{_LINK[facts.link]}, since {_clock(facts.link_since)}. {_many(facts.waiting)} waiting; they publish by "
            "themselves when it is back, and teams can go on submitting."
        )
    elif facts.takes_nothing_since is not None and now - facts.takes_nothing_since >= limits.link_down:
        found[Rule.LINK_DOWN] = (
            f"The master answers, but takes no results, since {_clock(facts.takes_nothing_since)}. "
            f"{_many(facts.waiting)} waiting; they publish by themselves when it takes one, and teams can go on "
            "submitting."
        )
    if facts.oldest_waiting_at is not None and now - facts.oldest_waiting_at >= limits.oldest_waiting:
        found[Rule.OLDEST_WAITING] = (
            f"The oldest of {_many(facts.waiting)} waiting was accepted at {_clock(facts.oldest_waiting_at)}. "
            "The dashboard says what it waits for."
        )
    if facts.rejected:
        found[Rule.REJECTED] = (
            f"The master refused {_many(facts.rejected)} for good; each needs a correction by its team."
        )
    if facts.conflicts:
        found[Rule.CONFLICT] = (
            f"{_many(facts.conflicts)} met another sheet at the master; an operator must decide which one stands."
        )
    if facts.refused_since is not None:
        found[Rule.CREDENTIALS_REFUSED] = (
            f"The master has refused this node's credentials since {_clock(facts.refused_since)}. Everything waits; "
            "set a valid RESULTSQ_MASTER_TOKEN and restart the workers."
        )
    elif facts.refused_events:
        found[Rule.CREDENTIALS_REFUSED] = (
            f"The master does not let this node publish for {facts.refused_events} of its events. Those wait, the "
            "others go on; ask the master's operators to allow them."
        )
    if facts.disk_free_bytes is not None and facts.disk_free_bytes < limits.disk_low_bytes:
        found[Rule.DISK_LOW] = (
            f"Only {facts.disk_free_bytes // 1_000_000} MB are free on this node's disk. When it is full no results "
            "can be accepted; free some room."
        )
    if facts.disk_trouble is not None:
        found[Rule.DISK_UNWRITABLE] = (
            f"Nothing can be written in this node's data folder: {facts.disk_trouble}. Results may not be accepted "
            "until this ends; what was accepted is safe."
        )
    if facts.damaged:
        found[Rule.DAMAGED] = (
            f"{_many(facts.damaged)} would wait for ever after a fault of this product. Nothing is lost: "
            "`resultsq doctor --mend` lets them go on."
        )
    if facts.aside:
        found[Rule.ASIDE] = (
            f"resultsq cannot go on with {_many(facts.aside)}, and has put what it cannot send aside. Nothing is lost, "
            "and the others go on; each says why on its page on the dashboard."
        )
    if facts.failing_actions:
        found[Rule.ACTION_FAILS] = (
            f"{'1 action' if facts.failing_actions == 1 else f'{facts.failing_actions} actions'} of an operator cannot "
            "be carried out; the others go on. The worker's log says why; cancel it, or upgrade this worker."
        )
    if facts.lost_there:
        found[Rule.MASTER_LOST] = (
            f"The master no longer had {_many(facts.lost_there)} that it had given a receipt for; it may have been "
            "restored from an older backup. What it lost is sent again by itself. Tell its operators."
        )
    if facts.over_quota:
        found[Rule.QUOTA] = (
            f"{_some(facts.over_quota)} handed in as much today as an event may, and more was refused. Has a token got "
            "into wrong hands, or does a program repeat itself? RESULTSQ_EVENT_SUBMISSIONS_PER_DAY and "
            "RESULTSQ_EVENT_BYTES_PER_DAY allow more."
        )
    if facts.clock_off_s:
        found[Rule.CLOCK_WRONG] = (
            f"This node's clock is wrong: it is {spell(abs(facts.clock_off_s))} "
            f"{'behind' if facts.clock_off_s > 0 else 'ahead'}. Results are taken and published all the same, with "
            "wrong times on them; set the clock."
        )
    return found


def recovered(published: int, seconds: float) -> str:
    """The good news after an outage."""
    return f"The link is back: {published} published in {seconds:.0f} s. Nothing waits any more from the outage."


def _some(slugs: Sequence[str]) -> str:
    rest = len(slugs) - _MOST_SLUGS
    return ", ".join(slugs[:_MOST_SLUGS]) + (f" and {rest} more" if rest > 0 else "")


def _many(count: int) -> str:
    return "1 submission" if count == 1 else f"{count} submissions"


def _clock(at: datetime) -> str:
    return at.strftime("%d %B %H:%M UTC")
