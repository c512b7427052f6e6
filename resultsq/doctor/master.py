"""The way to the master: the link, the master itself, proxies, and the two clocks."""

import os
from datetime import datetime, timedelta

from resultsq.app import heard
from resultsq.delivery.masters import open_configured
from resultsq.doctor.finding import CheckTarget, Findings, Level, at, in_words
from resultsq.domain import cldr
from resultsq.domain.i18n import gettext, retold
from resultsq.domain.link import LinkState
from resultsq.domain.outcome import Cause, Unauthorised
from resultsq.domain.ports import ProbeAnswer, ReceiptPage
from resultsq.store.views import queries
from resultsq.store.views.queries import LinkView
from resultsq.web import forwarded

CLOCK_OFF_S = 30.0
FORWARDED_FOR = timedelta(days=1)
"""A proxy in front is reported for so long after its last request."""


def last_heard(link: LinkView) -> str:
    """When the master last answered."""
    if link.probed_at is None:
        return gettext("The master was never heard.")
    return gettext("The master was last heard at {time}.", time=f"{link.probed_at:%H:%M:%S} UTC")


def check_link(target: CheckTarget) -> Findings:
    heard.listen(target.database, target.clock)
    with target.database.read() as conn:
        link = queries.link(conn)
    if link is None:
        yield (
            Level.WARN,
            gettext("No worker has ever run here, so nothing is known of the link to the master."),
        )
        return
    if link.refused_at is not None:
        yield (
            Level.BAD,
            gettext(
                "The master refuses this node's credentials. Write the new token into the file that "
                "RESULTSQ_MASTER_TOKEN_FILE names, or set RESULTSQ_MASTER_TOKEN and restart the workers."
            ),
        )
    if (off_s := link.clock_off_s(target.clock.now())) != 0:
        yield Level.BAD, _wrong_clock(off_s)
    yield _link(link, target.clock.now())


def _link(link: LinkView, now: datetime) -> tuple[Level, str]:
    since, detail = at(link.since), retold(link.detail or "")
    match link.state:
        case LinkState.UP if link.stalled:
            return (
                Level.WARN,
                gettext(
                    "The master answers, but takes no results. One is tried each second, and all go when it takes one."
                ),
            )
        case LinkState.UP if not link.fresh(now):
            return (
                Level.WARN,
                gettext(
                    "Whether the link is up is not known. {last} It has not been heard since.", last=last_heard(link)
                ),
            )
        case LinkState.UP:
            return Level.OK, gettext("The link is up since {time}.", time=since)
        case LinkState.DOWN:
            return (
                Level.WARN,
                gettext(
                    "The link is down since {time}: {reason} What waits is sent when it returns.",
                    time=since,
                    reason=detail,
                ),
            )
        case LinkState.MASTER_DOWN:
            return (
                Level.WARN,
                gettext(
                    "The master says that it is down since {time}. What waits is sent when it is back.", time=since
                ),
            )
        case LinkState.NOT_OUR_MASTER:
            return (
                Level.BAD,
                gettext(
                    "Somebody else answers in the master's place since {time}: {reason} "
                    "Look for a captive portal or a proxy, and at RESULTSQ_MASTER_URL.",
                    time=since,
                    reason=detail,
                ),
            )


def check_master(target: CheckTarget) -> Findings:
    settings = target.settings
    url = settings.master_url.get_secret_value()
    if not url:
        none = gettext("None is set: `resultsq up` brings one; a lone worker needs RESULTSQ_MASTER_URL.")
        yield Level.OK, none
        return
    master = open_configured(settings, target.clock)
    try:
        answer = master.probe()
        yield _probed(answer)
        if answer.master_time_offset_s is not None:
            yield _clock(answer.master_time_offset_s)
        if answer.cause is not None:
            return
        match master.receipts(f"{target.clock.now():%Y-%m-%dT%H:%M:%SZ}", None, None):
            case ReceiptPage():
                yield Level.OK, gettext("It takes this node's credentials.")
            case Unauthorised():
                yield Level.BAD, gettext("It refuses this node's credentials: look at RESULTSQ_MASTER_TOKEN.")
            case _:
                unknown = gettext("Whether it takes this node's credentials could not be found out; ask again.")
                yield Level.WARN, unknown
    finally:
        master.close()


def check_proxies(target: CheckTarget) -> Findings:
    yield from _proxy_in_front(target)
    named = [name for name in _PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
    if not named:
        return
    settings = target.settings
    set_here = [one.get_secret_value() for one in (settings.master_proxy, settings.webhook_proxy)]
    yield (
        Level.OK if any(set_here) else Level.WARN,
        gettext(
            "This of the environment is ignored: {names}. The proxy on the way to the master is "
            "RESULTSQ_MASTER_PROXY, and to the webhook RESULTSQ_WEBHOOK_PROXY.",
            names=", ".join(named),
        ),
    )


def _proxy_in_front(target: CheckTarget) -> Findings:
    at = None if target.settings.trusted_proxies else forwarded.last(target.settings.data_dir)
    if at is None or (ago := target.clock.now() - at) > FORWARDED_FOR:
        return
    yield (
        Level.WARN,
        gettext(
            "A reverse proxy seems to pass requests on (X-Forwarded-For, last {time} ago), and none is trusted: "
            "everybody has its address and shares one limit of log-ins and connections. Set RESULTSQ_TRUSTED_PROXIES "
            "to the number of proxies in front.",
            time=in_words(ago),
        ),
    )


_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def _probed(answer: ProbeAnswer) -> tuple[Level, str]:
    if answer.cause is None:
        return Level.OK, gettext("The master answers in {number} s.", number=cldr.number(answer.duration_s, 2))
    if answer.cause is Cause.TLS:
        return (
            Level.BAD,
            gettext(
                "The master's certificate cannot be trusted: {reason} Nothing is sent to it. "
                "Look at RESULTSQ_MASTER_CA_FILE, at this machine's clock, and for a captive portal.",
                reason=retold(answer.detail),
            ),
        )
    return (
        Level.WARN,
        gettext(
            "The master cannot be reached ({cause}): {reason} Results are accepted and wait.",
            cause=answer.cause.value,
            reason=retold(answer.detail),
        ),
    )


def _clock(offset_s: float) -> tuple[Level, str]:
    if abs(offset_s) <= CLOCK_OFF_S:
        return Level.OK, gettext("This machine's clock and the master's agree.")
    span = in_words(timedelta(seconds=abs(offset_s)))
    if offset_s > 0:
        said = gettext("This machine's clock is {time} behind the master's.", time=span)
    else:
        said = gettext("This machine's clock is {time} ahead of the master's.", time=span)
    then = gettext("Delivery does not depend on it, but times on the dashboard do: set it.")
    return Level.WARN, f"{said} {then}"


def _wrong_clock(off_s: float) -> str:
    span = in_words(timedelta(seconds=abs(off_s)))
    if off_s < 0:
        said = gettext("This machine's clock is {time} ahead of the master's.", time=span)
        return said + " " + gettext("Times on results are wrong: set it.")
    return gettext(
        "This machine's clock is {time} behind the newest time that the master has told or this node has written. "
        "A date that it takes for one to come is accepted with a warning until it is set.",
        time=span,
    )
