"""The report of an outage: what a club posts on Monday. Pure; resultsq/store/views/outages.py reads its figures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from resultsq.domain.delays import Delays
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


_PUBLIC_REASONS = {
    Cause.MASTER_DOWN: "the central results system could not take results",
    Cause.BUSY: "the central results system could not take results",
    Cause.DATABASE: "the central results system could not take results",
    Cause.TLS: "the central results system could not be reached safely",
    Cause.NOT_OUR_MASTER: "the central results system could not be reached safely",
}
_UNREACHABLE = "the central results system could not be reached"
"""The public reads what it meant for results. Addresses and errors are for the operator's own pages."""


def markdown(incident: Incident, zone: tzinfo) -> str:
    """The report as a post for the public, with its figures; times are those of `zone`, which is named."""
    lines = [f"# {title(incident, zone)}", ""]
    for paragraph in paragraphs(incident, zone):
        lines += [paragraph, ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _figures(incident, zone))]
    return "\n".join(lines) + "\n"


def title(incident: Incident, zone: tzinfo) -> str:
    """Its heading."""
    return f"Results were delayed on {_day(incident.began_at, zone)}"


def paragraphs(incident: Incident, zone: tzinfo) -> list[str]:
    """The report in sentences, without its heading and its figures."""
    began_at, ended_at = incident.began_at, incident.ended_at
    began = _clock(began_at, zone)
    reason = _PUBLIC_REASONS.get(Cause(incident.cause), _UNREACHABLE) if incident.cause in set(Cause) else _UNREACHABLE
    if ended_at is None:
        first = f"Since {began} results cannot be published, because {reason}. This is still going on."
    else:
        same_day = _day(began_at, zone) == _day(ended_at, zone)
        until = _clock(ended_at, zone) if same_day else f"{_clock(ended_at, zone)} on {_day(ended_at, zone)}"
        lasted = spell((ended_at - began_at).total_seconds())
        first = f"From {began} to {until} ({lasted}) results could not be published, because {reason}."
    return [first, "Event teams could hand in their results all the same. No results were lost."]


def _figures(incident: Incident, zone: tzinfo) -> Iterator[tuple[str, str]]:
    several = len(incident.by_kind) > 1
    yield "submissions delayed" if several else "results delayed", f"{incident.affected}, of {_events(incident.events)}"
    if several:
        yield from ((f"of these, {kind}", str(count)) for kind, count in sorted(incident.by_kind.items()))
    yield "of these, published by now", str(incident.delays.count)
    yield "still waiting", str(incident.still_waiting)
    yield "replaced, withdrawn or being checked by people", str(incident.not_published)
    if incident.delays.count:
        yield "half of them waited no longer than", spell(incident.delays.p50)
        yield "95 % of them waited no longer than", spell(incident.delays.p95)
        yield "longest wait", spell(incident.delays.most)
    if incident.last_published_at is not None and incident.ended_at is not None:
        after = spell((incident.last_published_at - incident.ended_at).total_seconds())
        yield "last of them published", f"{_clock(incident.last_published_at, zone)}, {after} after the end"


def _clock(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%H:%M %Z}"


def _day(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%A} {local.day} {local:%B %Y}"


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
