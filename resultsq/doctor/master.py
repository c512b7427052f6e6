"""The way to the master: the link, the master itself, proxies, and the two clocks."""

import os
from datetime import timedelta

from resultsq.app import heard
from resultsq.delivery.masters import open_configured
from resultsq.doctor.finding import CheckTarget, Findings, Level, in_words
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
    """When the master last answered, as the end of a sentence."""
    return "never heard" if link.probed_at is None else f"last heard at {link.probed_at:%H:%M:%S} UTC"


def check_link(target: CheckTarget) -> Findings:
    heard.listen(target.database, target.clock)
    with target.database.read() as conn:
        link = queries.link(conn)
    if link is None:
        yield Level.WARN, "No worker has ever run here, so nothing is known of the link to the master."
        return
    since = f"since {link.since:%Y-%m-%d %H:%M} UTC"
    if link.refused_at is not None:
        yield (
            Level.BAD,
            "The master refuses this node's credentials. Write the new token into the file that "
            "RESULTSQ_MASTER_TOKEN_FILE names, or set RESULTSQ_MASTER_TOKEN and restart the workers.",
        )
    if (off_s := link.clock_off_s(target.clock.now())) != 0:
        yield Level.BAD, _wrong_clock(off_s)
    match link.state:
        case LinkState.UP if link.stalled:
            yield (
                Level.WARN,
                "The master answers, but takes no results. One is tried each second, and all go when it takes one.",
            )
        case LinkState.UP if not link.fresh(target.clock.now()):
            yield (
                Level.WARN,
                f"Whether the link is up is not known: the master was {last_heard(link)}, and has not been since.",
            )
        case LinkState.UP:
            yield Level.OK, f"The link is up {since}."
        case LinkState.DOWN:
            yield Level.WARN, f"The link is down {since}: {link.detail} What waits is sent when it returns."
        case LinkState.MASTER_DOWN:
            yield Level.WARN, f"The master says that it is down {since}. What waits is sent when it is back."
        case LinkState.NOT_OUR_MASTER:
            yield (
                Level.BAD,
                f"Somebody else answers in the master's place {since}: {link.detail} "
                "Look for a captive portal or a proxy, and at RESULTSQ_MASTER_URL.",
            )


def check_master(target: CheckTarget) -> Findings:
    settings = target.settings
    url = settings.master_url.get_secret_value()
    if not url:
        yield Level.OK, "None is set: `resultsq up` brings one; a lone worker needs RESULTSQ_MASTER_URL."
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
                yield Level.OK, "It takes this node's credentials."
            case Unauthorised():
                yield Level.BAD, "It refuses this node's credentials: look at RESULTSQ_MASTER_TOKEN."
            case _:
                yield Level.WARN, "Whether it takes this node's credentials could not be found out; ask again."
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
        f"{' and '.join(named)} of the environment {'is' if len(named) == 1 else 'are'} ignored: the proxy on the way "
        "to the master is RESULTSQ_MASTER_PROXY, and to the webhook RESULTSQ_WEBHOOK_PROXY.",
    )


def _proxy_in_front(target: CheckTarget) -> Findings:
    at = None if target.settings.trusted_proxies else forwarded.last(target.settings.data_dir)
    if at is None or (ago := target.clock.now() - at) > FORWARDED_FOR:
        return
    yield (
        Level.WARN,
        f"A reverse proxy seems to pass requests on (X-Forwarded-For, last {in_words(ago)} ago), and none is trusted: "
        "everybody has its address and shares one limit of log-ins and connections. Set RESULTSQ_TRUSTED_PROXIES to "
        "the number of proxies in front.",
    )


_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def _probed(answer: ProbeAnswer) -> tuple[Level, str]:
    if answer.cause is None:
        return Level.OK, f"The master answers in {answer.duration_s:.2f} s."
    if answer.cause is Cause.TLS:
        return (
            Level.BAD,
            f"The master's certificate cannot be trusted: {answer.detail} Nothing is sent to it. "
            "Look at RESULTSQ_MASTER_CA_FILE, at this machine's clock, and for a captive portal.",
        )
    return (
        Level.WARN,
        f"The master cannot be reached ({answer.cause}): {answer.detail} Results are accepted and wait.",
    )


def _clock(offset_s: float) -> tuple[Level, str]:
    if abs(offset_s) <= CLOCK_OFF_S:
        return Level.OK, "This machine's clock and the master's agree."
    which = "behind" if offset_s > 0 else "ahead of"
    return (
        Level.WARN,
        f"This machine's clock is {in_words(timedelta(seconds=abs(offset_s)))} {which} the master's. Delivery does not "
        "depend on it, but times on the dashboard do: set it.",
    )


def _wrong_clock(off_s: float) -> str:
    span = in_words(timedelta(seconds=abs(off_s)))
    if off_s < 0:
        return f"This machine's clock is {span} ahead of the master's. Times on results are wrong: set it."
    return (
        f"This machine's clock is {span} behind the newest time that the master has told or this node has written. "
        "A date that it takes for one to come is accepted with a warning until it is set."
    )
