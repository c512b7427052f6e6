"""The report of an outage: what a club posts on Monday. Pure; resultsq/store/views/outages.py reads its figures."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from resultsq.domain.delays import Delays
from resultsq.domain.outcome import Cause
from resultsq.domain.why import spell


@dataclass(frozen=True, slots=True)
class Incident:
    """An outage and what it did. `ended_at` None: it goes on. `delays` are those from acceptance to publication
    of the submissions that it delayed; `not_published` were superseded, withdrawn, or wait for a person."""

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
"""The public is told what it meant for results. Addresses and errors are for the operator's own pages."""


def markdown(incident: Incident, zone: tzinfo) -> str:
    """The report as a post for the public, in sentences; times are those of `zone`, which is named."""

    def at(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%H:%M %Z}"

    def day(moment: datetime) -> str:
        local = moment.astimezone(zone)
        return f"{local:%A} {local.day} {local:%B %Y}"

    began_at, ended_at = incident.began_at, incident.ended_at
    reason = _PUBLIC_REASONS.get(Cause(incident.cause), _UNREACHABLE) if incident.cause in set(Cause) else _UNREACHABLE
    lines = [f"# Results were delayed on {day(began_at)}", ""]
    if ended_at is None:
        lines.append(f"Since {at(began_at)} results cannot be published, because {reason}. This is still going on.")
    else:
        until = at(ended_at) if day(began_at) == day(ended_at) else f"{at(ended_at)} on {day(ended_at)}"
        lasted = spell((ended_at - began_at).total_seconds())
        lines.append(f"From {at(began_at)} to {until} ({lasted}) results could not be published, because {reason}.")
    lines += [
        "",
        "Event teams could hand in their results all the same. No results were lost.",
        "",
        "| | |",
        "|---|---|",
        f"| results delayed | {incident.affected}, of {_events(incident.events)} |",
        f"| of these, published by now | {incident.delays.count} |",
        f"| still waiting | {incident.still_waiting} |",
        f"| replaced, withdrawn or being checked by people | {incident.not_published} |",
    ]
    if incident.delays.count:
        lines += [
            f"| half of them waited no longer than | {spell(incident.delays.p50)} |",
            f"| 95 % of them waited no longer than | {spell(incident.delays.p95)} |",
            f"| longest wait | {spell(incident.delays.most)} |",
        ]
    if incident.last_published_at is not None and ended_at is not None:
        after = spell((incident.last_published_at - ended_at).total_seconds())
        lines.append(f"| last of them published | {at(incident.last_published_at)}, {after} after the end |")
    return "\n".join(lines) + "\n"


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
