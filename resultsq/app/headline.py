"""The state of things as one headline that is read in five seconds, for pages and terminals: pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from resultsq.domain.i18n import gettext_noop
from resultsq.domain.link import HEARD_S, PROBE_LIMIT_S, LinkState
from resultsq.domain.outcome import Cause
from resultsq.domain.why import cause_text
from resultsq.store.views.overview_data import LiveStatus

RECOVERED_SHOWN = timedelta(hours=2)
"""How long the summary of a recovery stays in the banner."""

KNOWN_S = HEARD_S + PROBE_LIMIT_S
"""An answer that is older than this says nothing of now: a newer one was asked for, and did not come in its time."""


class Tone(StrEnum):
    """How urgent it is; the value is Bootstrap's word for the colour."""

    GOOD = "success"  # no person is needed
    MOVING = "info"  # not as it should be, and getting better by itself
    WAITS = "warning"  # it ends by itself, or an operator wanted it
    BAD = "danger"  # a person is needed


@dataclass(frozen=True, slots=True)
class Headline:
    """`title` in a few words, `text` a sentence; both have named gaps, filled from `values`."""

    tone: Tone
    title: str
    text: str
    since: datetime | None = None
    values: dict[str, object] = field(default_factory=dict)
    probing: bool = False


def headline(now: datetime, pulse: LiveStatus) -> Headline:
    """The most important state, in this order: one that only a person ends, an outage, a backlog that drains, all
    well."""
    link, hold = pulse.link, pulse.destination_hold
    if link is None or pulse.workers_alive == 0:
        return Headline(
            Tone.BAD,
            gettext_noop("No worker is running"),
            gettext_noop("Results are accepted and kept, but nothing is sent. Start a worker: resultsq worker."),
        )
    if link.state is LinkState.NOT_OUR_MASTER:
        return Headline(
            Tone.BAD,
            gettext_noop("Not our master"),
            gettext_noop(
                "Something else answers in the master's place: a captive portal, a proxy or another certificate. "
                "Look at this network; nothing is sent to it."
            ),
            link.since,
            probing=True,
        )
    if link.refused_at is not None:
        return Headline(
            Tone.BAD,
            gettext_noop("Credentials refused"),
            gettext_noop(
                "The master refuses this node's token. Set a valid one. Until then one submission is tried each minute."
            ),
            link.refused_at,
        )
    if link.state is not LinkState.UP:
        return _down(pulse, link.state, link.since, link.cause)
    if link.stalled:
        return _takes_nothing(pulse)
    if hold is not None:
        text = gettext_noop(
            "{who} holds everything: {reason}. Results are accepted and kept. Release the hold to publish them."
        )
        return Headline(
            Tone.WAITS, gettext_noop("Held"), text, hold.placed_at, {"who": hold.placed_by, "reason": hold.reason}
        )
    return _up(now, pulse)


def _down(pulse: LiveStatus, state: LinkState, since: datetime, cause: str | None) -> Headline:
    values: dict[str, object] = {"cause": cause_text(cause)}
    if state is LinkState.MASTER_DOWN:
        text = gettext_noop(
            "The link works, but the master answers that it cannot work now. "
            "Results are accepted, and published automatically when it can."
        )
        return Headline(Tone.WAITS, gettext_noop("The master is down"), text, since, values, probing=True)
    if cause == Cause.NO_ANSWER:
        text = gettext_noop(
            "The connection to the master opens, but nothing answers. "
            "Results are accepted, and published automatically when it answers."
        )
        return Headline(Tone.WAITS, gettext_noop("The master does not answer"), text, since, values, probing=True)
    text = gettext_noop(
        "The master cannot be reached: {cause}. Results are accepted, and published automatically when it can."
    )
    return Headline(Tone.WAITS, gettext_noop("The link is down"), text, since, values, probing=True)


def _takes_nothing(pulse: LiveStatus) -> Headline:
    text = gettext_noop(
        "The master answers, but takes no results. One is tried each second; the others follow when it takes one."
    )
    since = None if pulse.last is None or pulse.last.ended_at is not None else pulse.last.began_at
    return Headline(Tone.WAITS, gettext_noop("The master takes nothing"), text, since, probing=True)


def _up(now: datetime, pulse: LiveStatus) -> Headline:
    last, link = pulse.last, pulse.link
    since = None if link is None else link.since
    if pulse.held and not pulse.to_send and not pulse.needs_person:
        first = pulse.holds[0] if pulse.holds else None
        text = gettext_noop(
            "Everything else is published. Held by {who}: {n} ({reason}). Release them to publish them."
        )
        by = {"who": first.placed_by if first else "?", "reason": first.reason if first else ""}
        return Headline(
            Tone.WAITS, gettext_noop("Held"), text, first.placed_at if first else since, {"n": pulse.held, **by}
        )
    if last is not None and last.ended_at is not None and last.remaining and pulse.to_send:
        values: dict[str, object] = {"done": max(0, last.delayed - last.remaining), "all": last.delayed}
        text = gettext_noop(
            "The link is back. {done} of the {all} that waited are published. You do not need to do anything."
        )
        return Headline(Tone.MOVING, gettext_noop("Catching up"), text, last.ended_at, values)
    if link is not None and link.suspect:
        text = gettext_noop("A call has just failed, so the link is checked before anything more is sent.")
        return Headline(Tone.MOVING, gettext_noop("Checking the link"), text, since, probing=True)
    if link is not None and link.probed_at is not None and not link.fresh(pulse.at, KNOWN_S):
        text = gettext_noop("The master was last heard at {heard}. A probe is on its way: its answer will show here.")
        return Headline(
            Tone.MOVING, gettext_noop("Checking the link"), text, since, {"heard": link.probed_at}, probing=True
        )
    if pulse.needs_person:
        text = gettext_noop("The link is up and results go out. Some of them need a decision or a correction.")
        return Headline(Tone.BAD, gettext_noop("Attention needed"), text)
    if last is not None and last.caught_up_at is not None and now - last.caught_up_at < RECOVERED_SHOWN:
        took = (last.caught_up_at - (last.ended_at or last.caught_up_at)).total_seconds()
        text = gettext_noop("All is well again: the {all} that waited were sent within {took} s of the link's return.")
        return Headline(
            Tone.GOOD, gettext_noop("Recovered"), text, since, {"all": last.delayed, "took": max(1, round(took))}
        )
    return Headline(
        Tone.GOOD, gettext_noop("All is well"), gettext_noop("The link is up and results go out as they come."), since
    )
