"""Why a submission waits, or does not, in one sentence: pure, so that page, API and tests say the same."""

from dataclasses import dataclass, field
from datetime import datetime

from resultsq.domain.destinations import MAIL, MASTER
from resultsq.domain.i18n import gettext, gettext_noop, retold
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.submission import State

CAUSES: dict[str, str] = {
    Cause.DNS: gettext_noop("the master's name could not be resolved"),
    Cause.UNREACHABLE: gettext_noop("there was no route to the master"),
    Cause.REFUSED: gettext_noop("nothing was listening at the master's address"),
    Cause.RESET: gettext_noop("the connection was cut"),
    Cause.TIMEOUT: gettext_noop("no connection was made in time"),
    Cause.NO_ANSWER: gettext_noop("the connection was made, but no answer came in time"),
    Cause.SILENT: gettext_noop("the connection fell silent while a newer one worked"),
    Cause.TLS: gettext_noop("the certificate was not the master's"),
    Cause.NOT_OUR_MASTER: gettext_noop("something else than the master answered, such as a captive portal or a proxy"),
    Cause.MASTER_DOWN: gettext_noop("the master said that it cannot work at present"),
    Cause.BUSY: gettext_noop("the master was too busy"),
    Cause.LATER: gettext_noop("the mail server takes this mail later"),
    Cause.DATABASE: gettext_noop("the master's database did not take it"),
    Cause.SURPRISE: gettext_noop("resultsq itself failed; its log says where"),
    Cause.TAKES_NOTHING: gettext_noop("the master answers, but takes no results"),
    Cause.WORKER_GONE: gettext_noop("the worker stopped while it was being sent, so no answer was recorded"),
    "unauthorised": gettext_noop("the master refused this node's credentials"),
    "forbidden": gettext_noop("the master refused this node's credentials for this event"),
    "conflict": gettext_noop("another sheet is published there"),
}
"""What a cause means, as the second half of a sentence; a rejection's own code is not among them."""


def cause_text(cause: str | None) -> str:
    """The cause for people; a code that has no words stands for itself."""
    return "" if cause is None else gettext(CAUSES[cause]) if cause in CAUSES else cause


def spell(seconds: float) -> str:
    """A duration as people say it, in its two largest units: `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 120:
        return gettext("{seconds} s", seconds=whole)
    minutes = whole // 60
    if minutes < 120:
        return gettext("{minutes} min", minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return (
            gettext("{hours} h {minutes} min", hours=hours, minutes=minutes)
            if minutes
            else gettext("{hours} h", hours=hours)
        )
    days, hours = divmod(hours, 24)
    return gettext("{days} d {hours} h", days=days, hours=hours) if hours else gettext("{days} d", days=days)


@dataclass(frozen=True, slots=True)
class HoldFact:
    """A hold that concerns the submission. `scope` is destination, event or submission."""

    scope: str
    reason: str
    placed_by: str
    release_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubmissionFacts:
    """All that decides whether a submission may go now to its destination. `link` None: no worker has ever run
    here; `ahead` is how many are to be claimed before it; `lost`: the master no longer has the version that it
    corrects."""

    state: State
    link: LinkState | None
    worker_alive: bool = True
    cause: str | None = None
    blocked: bool = False
    predecessor: int | None = None
    lost: bool = False
    hold: HoldFact | None = None
    credentials_refused: bool = False
    event_refused: bool = False
    next_probe_at: datetime | None = None
    next_attempt_at: datetime | None = None
    wait_for: str | None = None
    failures: int = 0
    ahead: int | None = None
    destination: str = MASTER


@dataclass(frozen=True, slots=True)
class Why:
    """`sentence` has named gaps (`{n}`), which `values` fill: one text to translate. `until`: when what it waits
    for is due. `person`: it does not heal by itself."""

    sentence: str
    values: dict[str, object] = field(default_factory=dict)
    until: datetime | None = None
    person: bool = False

    def __str__(self) -> str:
        return gettext(self.sentence, **self.values)


def why(now: datetime, it: SubmissionFacts) -> Why:
    """The first reason that applies, in the order in which a worker asks."""
    if it.destination == MAIL and it.state in _MAILED:
        rejected = it.state is State.REJECTED
        return Why(_MAILED[it.state], {"code": it.cause or "rejected"}, person=rejected)
    match it.state:
        case State.PUBLISHED:
            return Why("It is published: the master gave a receipt for it.")
        case State.CORRECTED:
            return Why("It was published, and a later version was published on top of it.")
        case State.SUPERSEDED:
            return Why("A newer version took its place before it was published. It is never sent.")
        case State.WITHDRAWN:
            return Why("It was withdrawn before the master had it. It is not sent unless you undo the withdrawal.")
        case State.REJECTED:
            return Why(
                "The master refused it ({code}). The team has to correct it.",
                {"code": it.cause or "rejected"},
                person=True,
            )
        case State.CONFLICT if it.lost:
            return Why(
                "The master no longer has version {version}, which this one corrects. Send that one again and then "
                "this one, or publish this one by itself.",
                {"version": it.predecessor or "?"},
                person=True,
            )
        case State.CONFLICT:
            return Why(
                "Another sheet is published there. Decide: publish this one over it, or withdraw it.", person=True
            )
        case State.SENDING:
            return Why("It is on its way to the master now.")
        case State.QUEUED:
            return _queued(now, it)


_MAILED = {
    State.PUBLISHED: gettext_noop("It is sent: the mail server took it."),
    State.REJECTED: gettext_noop("It was not sent ({code})."),
    State.SENDING: gettext_noop("It is on its way to the mail server now."),
}


def _queued(now: datetime, it: SubmissionFacts) -> Why:
    if it.hold is not None:
        return _held(it.hold)
    if it.blocked:
        return Why(
            "Version {version} is sent first. This one follows when the outcome of that one is known.",
            {"version": it.predecessor or "?"},
        )
    if not it.worker_alive or it.link is None:
        return Why("No worker is running on this node, so nothing is sent. This is kept: start a worker.", person=True)
    if it.link is not LinkState.UP:
        return _cut_off(it)
    if it.credentials_refused and it.destination == MAIL:
        return Why(
            "The mail server refuses this node's credentials. One mail is tried each minute until they are mended.",
            person=True,
        )
    if it.credentials_refused:
        return Why(
            "The master refuses this node's credentials. One submission is tried each minute until they are mended.",
            person=True,
        )
    if it.event_refused:
        return Why(
            "The master refuses this node's credentials for this event. It is tried each minute until they are mended.",
            person=True,
        )
    if it.next_attempt_at is not None and it.next_attempt_at > now:
        return _put_off(it, it.next_attempt_at)
    if it.ahead:
        return Why("It waits to be sent; {ahead} are ahead of it.", {"ahead": it.ahead})
    return Why("It is the next to be sent.")


def _held(hold: HoldFact) -> Why:
    text = _HELD[hold.scope, hold.release_at is None]
    values: dict[str, object] = {"who": hold.placed_by, "reason": retold(hold.reason)}
    return Why(text, values, until=hold.release_at, person=hold.release_at is None)


_HELD = {
    ("destination", True): gettext_noop("{who} holds everything ({reason}). This waits until the hold is released."),
    ("destination", False): gettext_noop("{who} holds everything ({reason}). This is sent when the hold ends."),
    ("event", True): gettext_noop("{who} holds this event ({reason}). This waits until the hold is released."),
    ("event", False): gettext_noop("{who} holds this event ({reason}). This is sent when the hold ends."),
    ("submission", True): gettext_noop("{who} holds this submission ({reason}). It waits until the hold is released."),
    ("submission", False): gettext_noop("{who} holds this submission ({reason}). It is sent when the hold ends."),
}


def _cut_off(it: SubmissionFacts) -> Why:
    if it.destination == MAIL or it.link is None:
        return Why("The mail server cannot be used. This is sent automatically when it can.", until=it.next_probe_at)
    return Why(_CUT_OFF[it.link], until=it.next_probe_at, person=it.link is LinkState.NOT_OUR_MASTER)


_CUT_OFF = {
    LinkState.DOWN: gettext_noop("The master cannot be reached. This is sent automatically when the link is back."),
    LinkState.MASTER_DOWN: gettext_noop(
        "The master answers that it cannot work. This is sent automatically when the master is back."
    ),
    LinkState.NOT_OUR_MASTER: gettext_noop(
        "Something else answers in the master's place. This is sent automatically when the master answers again."
    ),
}


def _put_off(it: SubmissionFacts, until: datetime) -> Why:
    values: dict[str, object] = {"cause": cause_text(it.cause), "failures": it.failures}
    match it.wait_for:
        case "master":
            return Why("The master asked for this pause ({cause}).", values, until)
        case _ if it.cause is None:
            return Why("Its next attempt is set for later.", until=until)
        case _:
            return Why(
                "The last attempt did not get through: {cause}. After {failures} failures in a row it pauses.",
                values,
                until,
            )
