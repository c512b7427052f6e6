"""The report of an outage: what a club posts on Monday. Pure; resultsq/store/views/outages.py reads its figures."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from resultsq.domain import cldr
from resultsq.domain.delays import Delays
from resultsq.domain.i18n import gettext, gettext_noop
from resultsq.domain.outcome import Cause
from resultsq.domain.why import spell


@dataclass(frozen=True, slots=True)
class Incident:
    """An outage and what it did. `ended_at` None: it goes on. `delays` are those from acceptance to publication
    of the submissions that it delayed; `not_published` were superseded, withdrawn, or wait for a person; `by_kind` is
    how many it delayed of each kind."""

    id: int
    began_at: datetime
    ended_at: datetime | None
    cause: str
    probes: int
    accepted: int
    events: int
    delays: Delays
    still_waiting: int
    not_published: int
    last_published_at: datetime | None
    by_kind: Mapping[str, int] = field(default_factory=dict)

    @property
    def affected(self) -> int:
        return self.delays.count + self.still_waiting + self.not_published


_NO_RESULTS = gettext_noop("The central results system could not take results.")
_NOT_SAFELY = gettext_noop("The central results system could not be reached safely.")
_UNREACHABLE = gettext_noop("The central results system could not be reached.")
"""The public reads what it meant for results. Addresses and errors are for the operator's own pages."""

_PUBLIC_REASONS = {
    Cause.MASTER_DOWN: _NO_RESULTS,
    Cause.BUSY: _NO_RESULTS,
    Cause.DATABASE: _NO_RESULTS,
    Cause.TLS: _NOT_SAFELY,
    Cause.NOT_OUR_MASTER: _NOT_SAFELY,
}


def markdown(incident: Incident, zone: tzinfo, kind: Callable[[str], str] = str) -> str:
    """The report as a post for the public, with its figures, in the language of the moment; times are those of `zone`,
    which is named. `kind` gives what people call a kind."""
    lines = [f"# {title(incident, zone)}", ""]
    for paragraph in paragraphs(incident, zone):
        lines += [paragraph, ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _figures(incident, zone, kind))]
    return "\n".join(lines) + "\n"


def title(incident: Incident, zone: tzinfo) -> str:
    """Its heading."""
    return gettext("Results were delayed on {day}", day=_day(incident.began_at, zone))


def paragraphs(incident: Incident, zone: tzinfo) -> list[str]:
    """The report in sentences, without its heading and its figures."""
    causes = {str(cause): reason for cause, reason in _PUBLIC_REASONS.items()}
    first = [_when(incident, zone), gettext(causes.get(incident.cause, _UNREACHABLE))]
    if incident.ended_at is None:
        first.append(gettext("This is still going on."))
    return [" ".join(first), gettext("Event teams could hand in their results all the same. No results were lost.")]


def _when(incident: Incident, zone: tzinfo) -> str:
    began_at, ended_at = incident.began_at, incident.ended_at
    began = _clock(began_at, zone)
    if ended_at is None:
        return gettext("Since {time} results cannot be published.", time=began)
    said = {"began": began, "ended": _clock(ended_at, zone), "lasted": spell((ended_at - began_at).total_seconds())}
    day = _day(ended_at, zone)
    if day == _day(began_at, zone):
        return gettext("From {began} to {ended} ({lasted}) results could not be published.", **said)
    return gettext("From {began} to {ended} on {day} ({lasted}) results could not be published.", day=day, **said)


def _figures(incident: Incident, zone: tzinfo, kind: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    several, number = len(incident.by_kind) > 1, cldr.number
    yield gettext("submissions delayed") if several else gettext("results delayed"), number(incident.affected)
    if several:
        counts = sorted(incident.by_kind.items())
        yield from ((gettext("of these, {kind}", kind=kind(name)), number(count)) for name, count in counts)
    yield gettext("of these, published by now"), number(incident.delays.count)
    yield gettext("still waiting"), number(incident.still_waiting)
    yield gettext("replaced, withdrawn or being checked by people"), number(incident.not_published)
    yield gettext("events with delays"), number(incident.events)
    if incident.delays.count:
        yield gettext("half of them waited no longer than"), spell(incident.delays.p50)
        yield gettext("95 of 100 waited no longer than"), spell(incident.delays.p95)
        yield gettext("longest wait"), spell(incident.delays.most)
    if incident.last_published_at is not None and incident.ended_at is not None:
        after = spell((incident.last_published_at - incident.ended_at).total_seconds())
        said = gettext("{time}, {wait} after the end", time=_clock(incident.last_published_at, zone), wait=after)
        yield gettext("last of them published"), said


def _clock(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%H:%M %Z}"


def _day(moment: datetime, zone: tzinfo) -> str:
    return cldr.full_day(moment.astimezone(zone))
