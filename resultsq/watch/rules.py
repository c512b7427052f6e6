"""When an alert is raised: pure rules over facts, and the sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from resultsq.domain.link import LinkState
from resultsq.domain.why import spell
from resultsq.store.admin.alerts import COUNTED


class AlertRule(StrEnum):
    """What an alert is about. The value is part of `/alerts` and of the messages."""

    OLDEST_WAITING = "oldest-waiting"
    LINK_DOWN = "link-down"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    CREDENTIALS_REFUSED = "credentials-refused"
    MAIL_DOWN = "mail-down"
    DISK_LOW = "disk-low"
    DISK_UNWRITABLE = "disk-unwritable"
    DAMAGED = "damaged"
    ASIDE = "put-aside"
    ACTION_FAILS = "action-fails"
    MASTER_LOST = "master-lost"
    QUOTA = "quota-reached"
    CLOCK_WRONG = "clock-wrong"
    WORKER_SILENT = "worker-silent"
    WEB_SILENT = "web-silent"
    DEVICE_SILENT = "device-silent"
    RECOVERED = "recovered"  # good news, sent once an outage


@dataclass(frozen=True, slots=True)
class AlertThresholds:
    """From the settings."""

    oldest_waiting: timedelta
    link_down: timedelta
    disk_low_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """The facts at a moment. `disk_free_bytes` None: it could not be asked.

    `rejected`, `conflicts`: how many of each kind.
    `worker_seen_at`, `web_seen_at`: when one of them was last alive; None: those that were have ended in good order."""

    link: LinkState
    link_since: datetime
    oldest_waiting_at: datetime | None
    waiting: int
    rejected: Mapping[str, int]
    conflicts: Mapping[str, int]
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
    worker_seen_at: datetime | None = None
    web_seen_at: datetime | None = None
    silent_devices: int = 0
    no_mail_since: datetime | None = None
    mails_waiting: int = 0


SILENT = timedelta(seconds=30)
"""A worker or web process that has not been seen for longer is called silent. One that ended in good order is not."""

_MOST_SLUGS = 3
_LINK = {
    LinkState.UP: "The link to the master is up",
    LinkState.DOWN: "The master cannot be reached",
    LinkState.MASTER_DOWN: "The master answers that it is out of order",
    LinkState.NOT_OUR_MASTER: "What answers at the master's address is not the master (a captive portal, a proxy)",
}


class _Row(NamedTuple):
    """A rule, when it holds, and its sentence."""

    rule: AlertRule
    holds: Callable[[AlertFacts, AlertThresholds, datetime], object]
    sentence: Callable[[AlertFacts], str]


_TABLE = (
    _Row(
        AlertRule.LINK_DOWN,
        lambda facts, limits, now: facts.link is not LinkState.UP and now - facts.link_since >= limits.link_down,
        lambda facts: (
            f"{_LINK[facts.link]}, since {_clock(facts.link_since)}. {_waiting(facts).capitalize()}; they publish by "
            "themselves when it is back, and teams can go on submitting."
        ),
    ),
    _Row(
        AlertRule.LINK_DOWN,
        lambda facts, limits, now: _is_past(facts.takes_nothing_since, limits.link_down, now),
        lambda facts: (
            f"The master answers, but takes no results, since {_clock(facts.takes_nothing_since)}. "
            f"{_waiting(facts).capitalize()}; they publish by themselves when it takes one, and teams can go on "
            "submitting."
        ),
    ),
    _Row(
        AlertRule.OLDEST_WAITING,
        lambda facts, limits, now: _is_past(facts.oldest_waiting_at, limits.oldest_waiting, now),
        lambda facts: (
            f"The oldest of {_waiting(facts)} was accepted at {_clock(facts.oldest_waiting_at)}. "
            "The dashboard says what it waits for."
        ),
    ),
    _Row(
        AlertRule.REJECTED,
        lambda facts, *_: facts.rejected,
        lambda facts: (
            f"The master refused {_of_kinds(facts.rejected)} for good. The page of each on the dashboard says why; of "
            "results its team sends a correction."
        ),
    ),
    _Row(
        AlertRule.CONFLICT,
        lambda facts, *_: facts.conflicts,
        lambda facts: (
            f"{_of_kinds(facts.conflicts)} cannot go beside what the master has. An operator must decide each, on its "
            "page on the dashboard."
        ),
    ),
    _Row(
        AlertRule.CREDENTIALS_REFUSED,
        lambda facts, *_: facts.refused_since is not None,
        lambda facts: (
            f"The master has refused this node's credentials since {_clock(facts.refused_since)}. Everything waits; "
            "set a valid RESULTSQ_MASTER_TOKEN and restart the workers."
        ),
    ),
    _Row(
        AlertRule.CREDENTIALS_REFUSED,
        lambda facts, *_: facts.refused_events,
        lambda facts: (
            f"The master does not let this node publish for {facts.refused_events} of its events. Those wait, the "
            "others go on; ask the master's operators to allow them."
        ),
    ),
    _Row(
        AlertRule.MAIL_DOWN,
        lambda facts, limits, now: _is_past(facts.no_mail_since, limits.link_down, now),
        lambda facts: (
            f"The mail server takes no mails, since {_clock(facts.no_mail_since)}. "
            f"{'1 mail waits' if facts.mails_waiting == 1 else f'{facts.mails_waiting} mails wait'}; results are not "
            "concerned. `resultsq doctor` says what is wrong."
        ),
    ),
    _Row(
        AlertRule.DISK_LOW,
        lambda facts, limits, _: facts.disk_free_bytes is not None and facts.disk_free_bytes < limits.disk_low_bytes,
        lambda facts: (
            f"Only {(facts.disk_free_bytes or 0) // 1_000_000} MB are free on this node's disk. When it is full no "
            "results can be accepted; free some room."
        ),
    ),
    _Row(
        AlertRule.DISK_UNWRITABLE,
        lambda facts, *_: facts.disk_trouble is not None,
        lambda facts: (
            f"Nothing can be written in this node's data folder: {facts.disk_trouble}. Results may not be accepted "
            "until this ends; what was accepted is safe."
        ),
    ),
    _Row(
        AlertRule.DAMAGED,
        lambda facts, *_: facts.damaged,
        lambda facts: (
            f"{_many(facts.damaged)} would wait for ever after a fault of this product. Nothing is lost: "
            "`resultsq doctor --mend` lets them go on."
        ),
    ),
    _Row(
        AlertRule.ASIDE,
        lambda facts, *_: facts.aside,
        lambda facts: (
            f"resultsq cannot go on with {_many(facts.aside)}, and has put what it cannot send aside. Nothing is "
            "lost, and the others go on; each says why on its page on the dashboard."
        ),
    ),
    _Row(
        AlertRule.ACTION_FAILS,
        lambda facts, *_: facts.failing_actions,
        lambda facts: (
            f"{'1 action' if facts.failing_actions == 1 else f'{facts.failing_actions} actions'} of an operator "
            "cannot be carried out; the others go on. The worker's log says why; cancel it, or upgrade this worker."
        ),
    ),
    _Row(
        AlertRule.MASTER_LOST,
        lambda facts, *_: facts.lost_there,
        lambda facts: (
            f"The master no longer had {_many(facts.lost_there)} that it had given a receipt for; it may have been "
            "restored from an older backup. What it lost is sent again by itself. Tell its operators."
        ),
    ),
    _Row(
        AlertRule.QUOTA,
        lambda facts, *_: facts.over_quota,
        lambda facts: (
            f"{_some(facts.over_quota)} handed in as much today as an event may, and more was refused. Has a token "
            "got into wrong hands, or does a program repeat itself? RESULTSQ_EVENT_SUBMISSIONS_PER_DAY and "
            "RESULTSQ_EVENT_BYTES_PER_DAY allow more."
        ),
    ),
    _Row(
        AlertRule.CLOCK_WRONG,
        lambda facts, *_: facts.clock_off_s,
        lambda facts: (
            f"This node's clock is wrong: it is {spell(abs(facts.clock_off_s))} "
            f"{'behind' if facts.clock_off_s > 0 else 'ahead'}. Results are taken and published all the same, with "
            "wrong times on them; set the clock."
        ),
    ),
    _Row(
        AlertRule.WORKER_SILENT,
        lambda facts, _, now: _is_past(facts.worker_seen_at, SILENT, now),
        lambda facts: (
            f"No worker has been seen since {_clock(facts.worker_seen_at)}. Teams can go on submitting and everything "
            "is kept, but nothing is published. Start a worker: resultsq worker."
        ),
    ),
    _Row(
        AlertRule.WEB_SILENT,
        lambda facts, _, now: _is_past(facts.web_seen_at, SILENT, now),
        lambda facts: (
            f"No web process has been seen since {_clock(facts.web_seen_at)}. What was accepted is published, but "
            "teams cannot submit here. Start it again: resultsq web, or resultsq up."
        ),
    ),
    _Row(
        AlertRule.DEVICE_SILENT,
        lambda facts, *_: facts.silent_devices,
        lambda facts: (
            f"{_devices(facts.silent_devices)} of a team held results of today and has not been heard for an hour. "
            "They are on that device only. Ask the team to open the page there while this node can be reached, or to "
            "bring the results as a file."
        ),
    ),
)
"""Of two rows of one rule the first that holds speaks."""


def raised(facts: AlertFacts, limits: AlertThresholds, now: datetime) -> dict[str, str]:
    """The alerts that hold now, each with its sentence. Never a person: a sentence may leave by mail."""
    found: dict[str, str] = {}
    for row in _TABLE:
        if row.rule not in found and row.holds(facts, limits, now):
            found[row.rule] = row.sentence(facts)
    return found


def recovered(published: int, seconds: float) -> str:
    """The good news after an outage."""
    return f"The link is back: {published} published in {seconds:.0f} s. Nothing waits any more from the outage."


def _some(slugs: Sequence[str]) -> str:
    rest = len(slugs) - _MOST_SLUGS
    return ", ".join(slugs[:_MOST_SLUGS]) + (f" and {rest} more" if rest > 0 else "")


def _many(count: int) -> str:
    return "1 submission" if count == 1 else f"{count} submissions"


def _waiting(facts: AlertFacts) -> str:
    """No more are counted than COUNTED."""
    return f"{_many(facts.waiting) if facts.waiting <= COUNTED else f'more than {COUNTED:,} submissions'} waiting"


def _of_kinds(counts: Mapping[str, int]) -> str:
    """`3 submissions (registrations: 1, results: 2)`."""
    kinds = ", ".join(f"{kind}: {count}" for kind, count in sorted(counts.items()))
    return f"{_many(sum(counts.values()))} ({kinds})"


def _devices(count: int) -> str:
    return "A device" if count == 1 else f"Each of {count} devices"


def _is_past(since: datetime | None, limit: timedelta, now: datetime) -> bool:
    return since is not None and now - since >= limit


def _clock(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%d %B %H:%M UTC")
